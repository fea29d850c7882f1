//! What a part's header fields say of it: type, file name, boundary, encoding (RFC 2045, RFC 2183, RFC 2231).

use super::transfer::Decoder;
use crate::base::mail::header;
use mail_parser::parsers::MessageStream;
use mail_parser::{ContentType, MessageParser, MimeHeaders};

/// Longest boundary that is looked for, in octets; RFC 2046 5.1.1 allows 70.
const BOUNDARY_BYTES_MAX: usize = 256;
/// Longest file name, type or character set, in octets: no file system takes a longer name.
const WORD_BYTES_MAX: usize = 1024;

/// Names that one part states besides the first.
const NAMES_MAX: usize = 16;

/// A part's description.
#[derive(Clone, Debug)]
pub struct Described {
    /// `type/subtype` in lower case, without parameters.
    pub content_type: Box<str>,
    /// The `charset` parameter in lower case.
    pub charset: Option<Box<str>>,
    /// The decoded file name, from Content-Disposition, or else from Content-Type.
    pub filename: Option<Box<str>>,
    /// Further names, of the other field or of one that is there twice.
    pub other_names: Vec<Box<str>>,
    /// What is inside.
    pub kind: Kind,
}

/// What a part is made of.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Other parts, between lines with this boundary (RFC 2046 5.1).
    Multipart {
        /// The boundary, without the two hyphens.
        boundary: Box<[u8]>,
        /// Its parts are messages where they don't say otherwise (RFC 2046 5.1.5).
        is_digest: bool,
    },
    /// A message with a header section of its own (RFC 2046 5.2.1, RFC 6532 3.7).
    Message,
    /// Octets.
    Leaf(Decoder),
}

/// A field is beyond the limits: it can't be told in full, and telling it in part would hide the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// Reads parts' header fields.
pub struct Reader(MessageParser);

impl Default for Reader {
    fn default() -> Self {
        Self(MessageParser::new().with_mime_headers())
    }
}

impl Reader {
    /// What a header section says; `in_digest` gives another default type.
    ///
    /// # Errors
    /// A value is longer than any that is used.
    pub fn describe(&self, section: &[u8], in_digest: bool) -> Result<Described, TooLong> {
        let mut block = Vec::new();
        // The library reads the last of several fields, and guests' `header` the first: that one counts here too.
        let mut seen: Vec<&str> = Vec::new();
        let mut names = Names::default();
        let mut rest = section;
        while !rest.is_empty() {
            for field in header::fields(rest) {
                rest = rest.get(field.raw.len()..).unwrap_or_default();
                names.add(field.name, field.value);
                if is_of_mime(field.name) && !seen.iter().any(|name| name.eq_ignore_ascii_case(field.name)) {
                    seen.push(field.name);
                    block.extend_from_slice(field.raw);
                }
            }
            // A line that is no field hides none behind it: mail programs read on.
            let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            rest = rest.get(line..).unwrap_or_default();
        }
        block.extend_from_slice(b"\r\n");
        let parsed = self.0.parse_headers(&block);
        let part = parsed.as_ref().and_then(|message| message.parts.first());
        let stated = part.and_then(|part| part.content_type());
        let filename = part.and_then(|part| part.attachment_name()).map(str::trim).filter(|name| !name.is_empty());
        let charset = stated.and_then(|stated| stated.attribute("charset")).map(str::to_ascii_lowercase);
        let encoding = part.and_then(|part| part.content_transfer_encoding()).unwrap_or_default();
        let content_type = match stated.and_then(type_name) {
            Some(name) => name,
            // RFC 2046 5.1.5, RFC 2045 5.2.
            None if in_digest => "message/rfc822".to_owned(),
            None => "text/plain".to_owned(),
        };
        let boundary = stated.and_then(|stated| stated.attribute("boundary")).unwrap_or_default().trim_end();
        let other_names = names.besides(filename);
        let words = [filename.unwrap_or_default(), charset.as_deref().unwrap_or_default(), &content_type];
        let words = words.into_iter().chain(other_names.iter().map(|name| &**name));
        if boundary.len() > BOUNDARY_BYTES_MAX
            || other_names.len() > NAMES_MAX
            || words.into_iter().any(|word| word.len() > WORD_BYTES_MAX)
        {
            return Err(TooLong);
        }
        Ok(Described {
            kind: kind(&content_type, boundary, Decoder::of(encoding)),
            content_type: content_type.into(),
            charset: charset.map(Into::into),
            filename: filename.map(Into::into),
            other_names,
        })
    }
}

/// All names that a part's fields state, each field's for itself.
#[derive(Default)]
struct Names(Vec<Box<str>>);

impl Names {
    fn add(&mut self, field: &str, value: &[u8]) {
        let is_disposition = field.eq_ignore_ascii_case("Content-Disposition");
        if !is_disposition && !field.eq_ignore_ascii_case("Content-Type") {
            return;
        }
        // Without a parameter of that name there is nothing to parse.
        if memchr::memmem::find(&value.to_ascii_lowercase(), b"name").is_none() {
            return;
        }
        let line = [value, b"\r\n"].concat();
        let parsed = MessageStream::new(&line).parse_content_type();
        let attributes = parsed.as_content_type().and_then(ContentType::attributes).unwrap_or_default();
        // Either parameter in either field: mail programs are not particular.
        let named = attributes.iter().filter(|one| matches!(&*one.name, "name" | "filename"));
        self.0.extend(named.map(|one| one.value.trim()).filter(|name| !name.is_empty()).map(Into::into));
    }

    fn besides(self, first: Option<&str>) -> Vec<Box<str>> {
        let mut others: Vec<Box<str>> = Vec::new();
        for name in self.0 {
            if Some(&*name) != first && !others.contains(&name) {
                others.push(name);
            }
        }
        others
    }
}

fn is_of_mime(name: &str) -> bool {
    name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
}

fn type_name(stated: &ContentType<'_>) -> Option<String> {
    let subtype = stated.subtype().unwrap_or_default();
    let is_token = |word: &str| !word.is_empty() && word.bytes().all(|octet| (33..=126).contains(&octet));
    let both = is_token(stated.ctype()) && is_token(subtype);
    both.then(|| format!("{}/{subtype}", stated.ctype()).to_ascii_lowercase())
}

/// Parts of other parts may not be encoded (RFC 2045 6.4); an encoded message is a leaf, as RFC 6532 3.7 allows.
fn kind(content_type: &str, boundary: &str, decoder: Decoder) -> Kind {
    match content_type {
        name if name.starts_with("multipart/") && !boundary.is_empty() => {
            Kind::Multipart { boundary: boundary.as_bytes().into(), is_digest: name == "multipart/digest" }
        }
        "message/rfc822" | "message/global" if decoder.is_plain() => Kind::Message,
        _ => Kind::Leaf(decoder),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(section: &str) -> Described {
        Reader::default().describe(section.as_bytes(), false).expect("within the limits")
    }

    #[test]
    fn names_are_decoded_rfc2047_and_rfc2231_4() {
        let names = [
            ("Content-Disposition: attachment; filename=plain.txt\r\n\r\n", "plain.txt"),
            ("Content-Disposition: attachment; filename=\"a b.txt\"\r\n\r\n", "a b.txt"),
            ("Content-Disposition: attachment;\r\n filename*=UTF-8''na%C3%AFve.pdf\r\n\r\n", "na\u{ef}ve.pdf"),
            (
                "Content-Disposition: attachment; filename*0*=iso-8859-1'en'na%EF; filename*1=\"ve.pdf\"\r\n\r\n",
                "na\u{ef}ve.pdf",
            ),
            ("Content-Type: image/png; name=\"=?utf-8?B?bmHDr3ZlLnBuZw==?=\"\r\n\r\n", "na\u{ef}ve.png"),
            ("Content-Type: image/png; name=late.png\r\nContent-Disposition: inline\r\n\r\n", "late.png"),
        ];
        for (section, wanted) in names {
            assert_eq!(described(section).filename.as_deref(), Some(wanted), "{section}");
        }
        assert_eq!(described("Subject: x\r\n\r\n").filename, None);
    }

    #[test]
    fn every_name_is_told_where_fields_differ_rfc2231_4() {
        let both = described(
            "Content-Type: application/pdf; name=ok.pdf\r\nContent-Disposition: attachment; filename=\"a.exe\"\r\n\r\n",
        );
        assert_eq!((both.filename.as_deref(), &*both.other_names), (Some("a.exe"), &["ok.pdf".into()][..]));
        let spelt = described(
            "Content-Disposition: attachment; filename=ok.pdf; filename*=UTF-8''%61.exe\r\n\
             Content-Disposition: attachment; filename=twice.scr\r\n\r\n",
        );
        let mut all: Vec<&str> = spelt.filename.iter().chain(&spelt.other_names).map(|name| &**name).collect();
        all.sort_unstable();
        assert_eq!(all, ["a.exe", "ok.pdf", "twice.scr"]);
        assert!(described("Content-Type: text/plain; name=a.txt\r\n\r\n").other_names.is_empty());
        let many: String = (0..20).map(|n| format!("Content-Type: a/b; name=n{n}.exe\r\n")).collect();
        assert!(Reader::default().describe(format!("{many}\r\n").as_bytes(), false).is_err(), "none is left out");
    }

    #[test]
    fn what_is_not_stated_is_plain_text_rfc2045_5_2() {
        for section in ["", "Subject: x\r\n\r\n", "Content-Type: nonsense\r\n\r\n", "Content-Type:\r\n\r\n"] {
            assert_eq!(&*described(section).content_type, "text/plain", "{section:?}");
        }
        let digest = Reader::default().describe(b"", true).expect("within the limits");
        assert_eq!(&*digest.content_type, "message/rfc822", "RFC 2046 5.1.5");
        let stated = described("Content-Type: Text/HTML; Charset=\"UTF-8\"\r\n\r\n");
        assert_eq!((&*stated.content_type, stated.charset.as_deref()), ("text/html", Some("utf-8")));
    }

    #[test]
    fn the_first_of_several_fields_counts() {
        let twice = described("Content-Type: text/html\r\nCONTENT-TYPE: image/png\r\n\r\n");
        assert_eq!(&*twice.content_type, "text/html");
        let hidden = described("nonsense\r\nContent-Type: text/html\r\n\r\n");
        assert_eq!(&*hidden.content_type, "text/html", "a line that is no field hides none");
    }

    #[test]
    fn what_can_not_be_told_in_full_is_refused() {
        let section = format!("Content-Type: image/png; name={}\r\n\r\n", "x".repeat(WORD_BYTES_MAX + 1));
        assert_eq!(Reader::default().describe(section.as_bytes(), false).map(|_| ()), Err(TooLong));
    }
}
