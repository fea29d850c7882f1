//! The message that a hook is about. Reading needs no grant; changing needs the operator's `edit` list.

use super::backend;
use super::patterns::Patterns;
use crate::bindings::mailwright::plugin::types::Address;
use std::ops::{Bound, Range, RangeBounds};

pub use crate::bindings::mailwright::plugin::message::{AuthResult, Error, Info, Mailbox, OutgoingTls, Part, Signer};

/// What is read of a part at once, and the most that a `read` gives, in octets.
const READ_BYTES: u32 = 64 * 1024;
/// What is handed to the server at once, in octets; a call may carry a little less than 1 MiB.
const WRITE_BYTES: usize = 256 * 1024;

/// Envelope and size.
///
/// # Errors
/// `NotHere` where the hook has no message, as in `on_rcpt`. All functions here answer so.
pub fn current() -> Result<Info, Error> {
    backend::message::current()
}

/// The first header field of that name, unfolded.
///
/// # Errors
/// As [`current`].
pub fn header(name: &str) -> Result<Option<String>, Error> {
    backend::message::header(name)
}

/// Header fields from the top, with the name or all.
///
/// # Errors
/// As [`current`].
pub fn headers(name: Option<&str>) -> Result<Vec<(String, String)>, Error> {
    backend::message::headers(name)
}

/// Octets of the message as it arrived, at most 64 KiB a call.
///
/// # Errors
/// As [`current`].
pub fn read(offset: u64, len: u32) -> Result<Vec<u8>, Error> {
    backend::message::read(offset, len)
}

/// Where the octets are found first, at or behind `offset`.
///
/// # Errors
/// As [`current`].
pub fn find(needle: &[u8], offset: u64) -> Result<Option<u64>, Error> {
    backend::message::find(needle, offset)
}

/// Which expressions of the set match the header section or the body.
///
/// # Errors
/// As [`current`]; `NoSuchItem` for an unknown set, `TooLarge` for a message on disk above 8 MiB.
pub fn matches(patterns: Patterns) -> Result<Vec<u32>, Error> {
    backend::message::matches(patterns.0)
}

/// Which expressions of the set match a header field of that name, or of any name: its value on one line, encoded words
/// decoded (RFC 2047). Without a name each field is looked at as `Name: value`.
///
/// # Errors
/// As [`current`]; `NoSuchItem` for an unknown set.
pub fn matches_header(patterns: Patterns, name: Option<&str>) -> Result<Vec<u32>, Error> {
    backend::message::matches_header(patterns.0, name)
}

/// Which expressions of the set match a part as text: without its transfer encoding, in UTF-8 by its character set, and HTML
/// also as its reader sees it, without tags.
///
/// # Errors
/// As [`parts`]; `NoSuchItem` for an unknown set or part, `TooLarge` for a part above 8 MiB.
pub fn matches_part(patterns: Patterns, id: u32) -> Result<Vec<u32>, Error> {
    backend::message::matches_part(patterns.0, id)
}

/// The mailboxes of all header fields of that name, as `From`: display names are decoded, addresses are as they stand there.
///
/// # Errors
/// As [`current`].
pub fn mailboxes(name: &str) -> Result<Vec<Mailbox>, Error> {
    backend::message::mailboxes(name)
}

/// Every name that parts go by, with their ids: of Content-Disposition and of Content-Type. They may differ, and mail programs
/// differ in which of them they show.
///
/// # Errors
/// As [`parts`].
pub fn filenames() -> Result<Vec<(u32, String)>, Error> {
    backend::message::filenames()
}

/// The MIME tree: parents before their children, the message itself first. The server looks for the parts at the first
/// call and keeps them, also for the plugins behind.
///
/// ```
/// # use mailwright_plugin::{testing, message, message::Error};
/// # testing::scene(|scene| scene.message = Some(testing::Message::default()));
/// for part in message::parts()? {
///     if part.filename.as_deref().is_some_and(|name| name.ends_with(".exe")) {
///         message::set_tag("executable", "yes")?;
///     }
/// }
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`current`]; `TooLarge` for a message with too many parts, too deep or with too much header: there is no half list,
/// so that nothing hides behind its end.
pub fn parts() -> Result<Vec<Part>, Error> {
    backend::message::parts()
}

/// Octets of a part without its transfer encoding, at most 64 KiB a call. [`Part::pieces`] reads all of it.
///
/// # Errors
/// As [`parts`]; `NoSuchItem` where there is no such part.
pub fn read_part(id: u32, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
    backend::message::read_part(id, offset, len)
}

impl Part {
    /// Where the part lies in the message, with its header fields and as it is encoded: what [`NewBody::copy`] takes.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.offset..self.offset.saturating_add(self.len)
    }

    /// The decoded octets, a piece of at most 64 KiB after the other.
    #[must_use]
    pub fn pieces(&self) -> Pieces {
        Pieces { id: self.id, offset: 0, size: self.size }
    }
}

/// A part's decoded octets; see [`Part::pieces`]. Ends at the first error.
#[derive(Clone, Debug)]
pub struct Pieces {
    id: u32,
    offset: u64,
    size: u64,
}

impl Iterator for Pieces {
    type Item = Result<Vec<u8>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.offset >= self.size {
            return None;
        }
        let read = read_part(self.id, self.offset, READ_BYTES);
        match &read {
            Ok(octets) if octets.is_empty() => return None,
            Ok(octets) => self.offset += octets.len() as u64,
            Err(_) => self.offset = self.size,
        }
        Some(read)
    }
}

/// Begins a new body in the place of the old one; needs `edit = ["body"]`. It takes effect when the hook returns without a
/// fault; until then all reading is of the old one. At `on_data` it is what is kept and delivered, at `on_pre_send` this
/// recipient alone gets it. Header fields that describe the old body, such as Content-Type, are yours to change.
///
/// ```
/// # use mailwright_plugin::{testing, message, message::Error};
/// # testing::scene(|scene| scene.message = Some(testing::Message { body: b"Hello\r\n".to_vec(), ..Default::default() }));
/// message::new_body()?.copy(..)?.write("-- \r\nSent by example.org\r\n")?;
/// # let body = testing::scene(|scene| scene.message.clone().and_then(|message| message.new_body));
/// # assert_eq!(body.as_deref(), Some(&b"Hello\r\n-- \r\nSent by example.org\r\n"[..]));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// `NotPermitted` without the grant, `NotHere` where the hook can't change a body.
pub fn new_body() -> Result<NewBody, Error> {
    backend::message::write_body(&[])?;
    Ok(NewBody(()))
}

/// A new body, recorded by the server piece by piece.
#[derive(Debug)]
pub struct NewBody(());

impl NewBody {
    /// Adds octets. Lines end with CRLF, which may be cut in two. Octets above 127 only where MAIL said
    /// `BODY=8BITMIME` or `BINARYMIME`; else encode them.
    ///
    /// # Errors
    /// `Invalid` for a bare CR or LF, or 8-bit octets that were not declared; `TooLarge` beyond the message's limit, or
    /// beyond 8 MiB of written octets.
    pub fn write(&mut self, octets: impl AsRef<[u8]>) -> Result<&mut Self, Error> {
        for piece in octets.as_ref().chunks(WRITE_BYTES) {
            backend::message::write_body(piece)?;
        }
        Ok(self)
    }

    /// Adds a stretch of the old body, which the server copies; `..` is all of it. Offsets count from the first octet of
    /// the message, as those of [`read`], [`find`] and [`Part::range`] do.
    ///
    /// # Errors
    /// `Invalid` for a range that begins in the header section or cuts a CRLF in two, `TooLarge` beyond the limits.
    pub fn copy(&mut self, range: impl RangeBounds<u64>) -> Result<&mut Self, Error> {
        let begin = match range.start_bound() {
            Bound::Included(begin) => *begin,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => current()?.body_offset,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => u64::MAX,
        };
        backend::message::copy_body(begin, end.saturating_sub(begin))?;
        Ok(self)
    }
}

/// What the server's verification came to: SPF, DKIM, ARC, DMARC and the client's name, at `on_data` of mail from outside.
/// Elsewhere there is none; what is to be known later is kept in a tag.
///
/// ```
/// # use mailwright_plugin::{testing, message, message::{AuthResult, Error}};
/// # testing::scene(|scene| scene.message = Some(testing::Message {
/// #     auth_results: vec![testing::auth_result("dmarc", "fail", "example.org")], ..Default::default()
/// # }));
/// let failed = |result: &AuthResult| result.method == "dmarc" && result.outcome == "fail";
/// if message::auth_results()?.iter().any(failed) {
///     message::set_tag("dmarc", "fail")?;
/// }
/// # assert_eq!(message::tag("dmarc")?.as_deref(), Some("fail"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`current`].
pub fn auth_results() -> Result<Vec<AuthResult>, Error> {
    backend::message::auth_results()
}

/// The keys that will sign the message for its author, by the field From as it stands; none in the list where nobody signs
/// for that domain. `None` for what strangers send, which is not signed: so this also tells whose mail it is.
///
/// ```
/// # use mailwright_plugin::{testing, message, message::Error};
/// # testing::scene(|scene| scene.message = Some(testing::Message { signers: Some(Vec::new()), ..Default::default() }));
/// if message::signers()?.is_some_and(|signers| signers.is_empty()) {
///     message::set_tag("unsigned", "yes")?;
/// }
/// # assert_eq!(message::tag("unsigned")?.as_deref(), Some("yes"));
/// # Ok::<(), Error>(())
/// ```
///
/// # Errors
/// As [`current`].
pub fn signers() -> Result<Option<Vec<Signer>>, Error> {
    backend::message::signers()
}

/// What the server's own route to a domain wants of TLS; `None` where it leads to a mailbox on this machine.
///
/// # Errors
/// As [`current`]; `Invalid` for what is no domain.
pub fn tls_to(domain: &str) -> Result<Option<OutgoingTls>, Error> {
    backend::message::tls_to(domain)
}

/// A tag.
///
/// # Errors
/// As [`current`].
pub fn tag(name: &str) -> Result<Option<String>, Error> {
    backend::message::tag(name)
}

/// Adds a field on top; needs `edit = ["headers"]`.
///
/// # Errors
/// `NotPermitted` without the grant, `Invalid` for a name that is none, `TooLarge` beyond the limits.
pub fn add_header(name: &str, value: &str) -> Result<(), Error> {
    backend::message::add_header(name, value)
}

/// Replaces the `nth` field of that name (from 0), or removes it; needs `edit = ["headers"]`.
///
/// # Errors
/// As [`add_header`]; `NoSuchItem` where there is no such field.
pub fn set_header(name: &str, nth: u32, value: Option<&str>) -> Result<(), Error> {
    backend::message::set_header(name, nth, value)
}

/// Another reverse path; needs `edit = ["sender"]`.
///
/// # Errors
/// As [`add_header`].
pub fn set_sender(to: Option<&Address>) -> Result<(), Error> {
    backend::message::set_sender(to)
}

/// One recipient more; needs `edit = ["recipients"]`.
///
/// # Errors
/// As [`add_header`].
pub fn add_recipient(to: &Address) -> Result<(), Error> {
    backend::message::add_recipient(to)
}

/// One recipient less; needs `edit = ["recipients"]`.
///
/// # Errors
/// As [`add_header`]; `NoSuchItem` where it is none.
pub fn remove_recipient(to: &Address) -> Result<(), Error> {
    backend::message::remove_recipient(to)
}

/// Sets a tag that later plugins and hooks see.
///
/// # Errors
/// `NotHere` outside `on_data`; `TooLarge` beyond the limits.
pub fn set_tag(name: &str, value: &str) -> Result<(), Error> {
    backend::message::set_tag(name, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Message, scene};

    fn stage(body: &[u8], parts: Vec<(Part, Vec<u8>)>) {
        scene(|scene| {
            let headers = vec![("Subject".to_owned(), "x".to_owned())];
            scene.message = Some(Message { headers, body: body.to_vec(), parts, ..Message::default() });
        });
    }

    fn written() -> Option<Vec<u8>> {
        scene(|scene| scene.message.as_ref().and_then(|message| message.new_body.clone()))
    }

    fn attachment(size: usize) -> (Part, Vec<u8>) {
        let octets: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let (content_type, filename) = ("image/png".to_owned(), Some("a.png".to_owned()));
        let (offset, len) = (20, 30);
        let part =
            Part { id: 1, parent: Some(0), content_type, charset: None, filename, size: size as u64, offset, len };
        (part, octets)
    }

    #[test]
    fn a_part_is_read_in_pieces() {
        let (part, octets) = attachment(150_000);
        stage(b"", vec![(part.clone(), octets.clone())]);
        let found = parts().expect("there is a message");
        assert_eq!((found.len(), found[0].range()), (1, 20..50));
        let pieces: Vec<Vec<u8>> = found[0].pieces().map(|piece| piece.expect("it reads")).collect();
        assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [65_536, 65_536, 18_928]);
        assert_eq!(pieces.concat(), octets);
        assert_eq!(read_part(7, 0, 1), Err(Error::NoSuchItem));
    }

    #[test]
    fn without_stated_parts_the_message_is_one_part() {
        stage(b"text\r\n", Vec::new());
        let found = parts().expect("there is a message");
        assert_eq!((found.len(), &*found[0].content_type, found[0].size), (1, "text/plain", 6));
        assert_eq!(read_part(0, 2, 100), Ok(b"xt\r\n".to_vec()));
    }

    #[test]
    fn a_new_body_is_made_of_what_is_written_and_copied() {
        stage(b"one\r\ntwo\r\n", Vec::new());
        let begin = current().expect("there is a message").body_offset;
        let mut body = new_body().expect("the stand-in grants all");
        body.write("<\r").expect("half a line end").write("\n").expect("the other half");
        body.copy(begin + 5..).expect("the second line").copy(begin..begin + 5).expect("the first");
        body.copy(..).expect("all of it");
        assert_eq!(body.copy(..2).map(|_| ()), Ok(()), "nothing lies there");
        assert_eq!(body.copy(1..2).map(|_| ()), Err(Error::Invalid), "that is the header section");
        assert_eq!(body.write("a\nb").map(|_| ()), Err(Error::Invalid));
        assert_eq!(written().as_deref(), Some(&b"<\r\ntwo\r\none\r\none\r\ntwo\r\n"[..]));
        let old = read(begin, 100).expect("it reads");
        assert_eq!(old, b"one\r\ntwo\r\n", "until the hook returns");
    }
}
