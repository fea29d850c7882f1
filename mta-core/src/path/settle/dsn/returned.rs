//! What is returned of the message: its header, or all of it.

use crate::base::flow::entry::Entry;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::envelope::{BodyType, Ret};
use crate::base::mail::header;
use crate::path::settle::notice::Action;

/// A message that is larger is not returned whole, in octets: what nobody could deliver should not fill the sender's
/// mailbox.
const RETURNED_BYTES_MAX: u64 = 256 * 1024;
/// Header fields beyond this are left out, in octets.
const RETURNED_HEADER_BYTES_MAX: usize = 64 * 1024;

/// The third part.
pub(super) struct Returned<'a> {
    pub(super) kind: &'static str,
    pub(super) pieces: Vec<&'a [u8]>,
}

/// The whole message only for a failure, only when asked for (RFC 3461 4.3: RET is about failures; without RET the
/// choice is ours), and only when it is small, at hand and has lines (RFC 3030 3: binary has none); else its header. Of a
/// message that requires TLS never more than that (RFC 8689 5).
pub(super) fn choose<'a>(kind: Action, entry: &Entry, content: &'a Content) -> Returned<'a> {
    let envelope = &entry.envelope;
    let asked = kind == Action::Failed && envelope.ret == Some(Ret::Full) && !entry.requires_tls();
    let is_text = envelope.body != BodyType::BinaryMime;
    match &content.body {
        Body::Memory(body) if asked && is_text && content.size_bytes() <= RETURNED_BYTES_MAX => {
            // RFC 6532 3.7, RFC 6533 4: a header with UTF-8 makes it a global message. So do eight bits in the body, since that
            // type alone may be encoded (RFC 2046 5.2.1).
            let is_ascii = content.head.is_ascii() && body.is_ascii();
            let kind = if is_ascii { "message/rfc822" } else { "message/global" };
            Returned { kind, pieces: vec![&content.head, body] }
        }
        _ => {
            let head = bounded(&content.head);
            let kind = if head.is_ascii() { "text/rfc822-headers" } else { "message/global-headers" };
            Returned { kind, pieces: vec![head] }
        }
    }
}

/// As many whole fields from the top as fit.
fn bounded(head: &[u8]) -> &[u8] {
    let mut length = 0;
    for field in header::fields(head) {
        if length + field.raw.len() > RETURNED_HEADER_BYTES_MAX {
            break;
        }
        length += field.raw.len();
    }
    &head[..length]
}
