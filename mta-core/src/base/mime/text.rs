//! What people read in a message: words of header fields decoded (RFC 2047), mailboxes (RFC 5322 3.4), text in UTF-8.

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::html::html_to_text;
use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, HeaderValue};
use std::borrow::Cow;

/// One mailbox of an address field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// Its display name, decoded; empty where it has none.
    pub name: String,
    /// Its address as it stands there, which may be none.
    pub address: String,
}

/// A field's value with its encoded words decoded (RFC 2047); it is unfolded already.
#[must_use]
pub fn decoded(value: &str) -> Cow<'_, str> {
    // Most values have no encoded word.
    if !value.contains("=?") {
        return Cow::Borrowed(value);
    }
    let line = format!("{value}\n");
    match MessageStream::new(line.as_bytes()).parse_unstructured() {
        HeaderValue::Text(text) => Cow::Owned(text.into_owned()),
        _ => Cow::Borrowed(value),
    }
}

/// The mailboxes of an address field, those of groups among them (RFC 5322 3.4); at most `most`.
#[must_use]
pub fn mailboxes(value: &str, most: usize) -> Vec<Mailbox> {
    let line = format!("{value}\n");
    let HeaderValue::Address(list) = MessageStream::new(line.as_bytes()).parse_address() else { return Vec::new() };
    let told = |one: &Addr<'_>| Mailbox {
        name: one.name.as_deref().map(|name| decoded(name).into_owned()).unwrap_or_default(),
        address: one.address.as_deref().unwrap_or_default().to_owned(),
    };
    list.iter().take(most).map(told).collect()
}

/// A part's decoded octets in UTF-8; by its character set where that is known, and what is none is replaced.
#[must_use]
pub fn unicode<'a>(octets: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    let is_utf8 = charset.is_none_or(|name| matches!(name, "utf-8" | "utf8" | "us-ascii"));
    match charset.filter(|_| !is_utf8).and_then(|name| charset_decoder(name.as_bytes())) {
        Some(decoder) => Cow::Owned(decoder(octets)),
        None => String::from_utf8_lossy(octets),
    }
}

/// HTML as its reader sees it: without tags, styles, scripts and comments, entities decoded.
#[must_use]
pub fn seen(html: &str) -> String {
    html_to_text(html)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn encoded_words_are_read_rfc2047_2() {
        assert_eq!(decoded("plain"), "plain");
        assert_eq!(decoded("=?utf-8?B?TG90dGVyeQ==?= =?iso-8859-1?Q?_pr=EEze?="), "Lottery pr\u{ee}ze");
        assert_eq!(decoded("not =?utf-8?X?one?="), "not =?utf-8?X?one?=");
    }

    #[test]
    fn mailboxes_are_told_with_their_names_rfc5322_3_4() {
        let found = mailboxes("=?utf-8?Q?Ann_Lee?= <ann@example.org>, \"b, c\" <b@example.org>, d@example.org", 9);
        let told: Vec<(&str, &str)> = found.iter().map(|one| (&*one.name, &*one.address)).collect();
        assert_eq!(told, [("Ann Lee", "ann@example.org"), ("b, c", "b@example.org"), ("", "d@example.org")]);
        assert_eq!(mailboxes("friends: a@example.org, b@example.org;", 9).len(), 2);
        assert_eq!(mailboxes("a@example.org, b@example.org", 1).len(), 1);
        assert_eq!(mailboxes("", 9), []);
        let quoted = mailboxes("\"boss@example.org\" <x@evil.example>", 9);
        assert_eq!((&*quoted[0].name, &*quoted[0].address), ("boss@example.org", "x@evil.example"));
    }

    #[test]
    fn text_is_unicode_by_its_character_set() {
        assert_eq!(unicode(b"na\xefve", Some("iso-8859-1")), "na\u{ef}ve");
        assert_eq!(unicode("na\u{ef}ve".as_bytes(), Some("utf-8")), "na\u{ef}ve");
        assert_eq!(unicode(b"\xff", Some("nonsense")), "\u{fffd}");
        assert_eq!(seen("<style>x</style><p>Vi<b>ag</b>ra &amp; more</p>").trim(), "Viagra & more");
    }

    proptest! {
        #[test]
        fn nothing_that_is_sent_stops_them(value in "\\PC{0,80}", octets in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (decoded(&value), mailboxes(&value, 10));
            for charset in ["utf-16", "iso-2022-jp", "gb18030", "utf-7", "x"] {
                let _ = seen(&unicode(&octets, Some(charset)));
            }
        }
    }
}
