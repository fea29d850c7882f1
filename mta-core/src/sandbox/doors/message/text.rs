//! The host functions on what people read of a message: fields with their encoded words (RFC 2047), mailboxes (RFC 5322 3.4)
//! and text parts, decoded before they are matched.

use crate::base::mime::text::{decoded, mailboxes as read, seen, unicode};
use crate::sandbox::capability::expressions::Expressions;
use crate::sandbox::host::bindings::mailwright::plugin::message::{Error, Mailbox};
use crate::sandbox::host::call::Call;
use crate::sandbox::scene::MessageScene;

/// Largest stored body, and largest part, that patterns are run on, in octets: it is read into memory for them.
pub(super) const MATCHES_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Mailboxes that one call tells.
const MAILBOXES_MAX: usize = 1000;

/// The expressions that match a field of that name, or any field as `Name: value`.
pub(super) fn matches_header(set: &Expressions, message: &MessageScene, name: Option<&str>) -> Vec<u32> {
    let texts: Vec<String> = match name {
        Some(name) => message.fields(Some(name)).iter().map(|(_, value)| decoded(value).into_owned()).collect(),
        None => message.fields(None).iter().map(|(name, value)| format!("{name}: {}", decoded(value))).collect(),
    };
    set.found(&texts.iter().map(String::as_bytes).collect::<Vec<_>>())
}

/// The mailboxes of all fields of that name.
pub(super) fn mailboxes(message: &MessageScene, name: &str) -> Vec<Mailbox> {
    let fields = message.fields(Some(name));
    let found = fields.iter().flat_map(|(_, value)| read(value, MAILBOXES_MAX)).take(MAILBOXES_MAX);
    found.map(|one| Mailbox { name: one.name, address: one.address }).collect()
}

impl Call {
    /// The expressions that match a part as text.
    pub(super) async fn matches_text(&mut self, set: &Expressions, id: u32) -> Result<Vec<u32>, Error> {
        let tree = self.tree().await?;
        let part = usize::try_from(id).ok().and_then(|id| tree.parts.get(id)).ok_or(Error::NoSuchItem)?;
        if part.size_bytes > MATCHES_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let octets = self.decoded(id, 0, usize::try_from(part.size_bytes).unwrap_or(usize::MAX)).await?;
        // HTML is matched twice.
        let is_html = &*part.content_type == "text/html";
        self.searched(set.cost(part.size_bytes).saturating_mul(if is_html { 2 } else { 1 }));
        let text = unicode(&octets, part.charset.as_deref());
        if !is_html {
            return Ok(set.found(&[text.as_bytes()]));
        }
        Ok(set.found(&[text.as_bytes(), seen(&text).as_bytes()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::content::{Body, Content};
    use crate::base::mail::edits::HeaderEdit;
    use crate::base::mail::envelope::BodyType;
    use crate::base::mail::id::QueueId;
    use crate::sandbox::scene::body::BodyScene;
    use bytes::Bytes;
    use std::sync::Arc;

    fn scene(head: &'static str) -> MessageScene {
        MessageScene {
            id: QueueId(1),
            content: Content { head: head.as_bytes().into(), body: Body::Memory(Bytes::new()) },
            sender: None,
            recipients: Vec::new(),
            whole: true,
            is_ours: false,
            results: Arc::new([]),
            headers: vec![HeaderEdit::Add { name: "X-Added".into(), value: "by a plugin".into() }],
            envelope: Vec::new(),
            tags: Vec::new(),
            body: BodyScene::new(BodyType::SevenBit, None),
        }
    }

    #[test]
    fn fields_are_matched_decoded_and_one_by_one_rfc2047_2() {
        let message = scene("Subject: =?utf-8?Q?a_pr=69ze?=\r\nX-Long: one\r\n two\r\nSubject: second\r\n\r\n");
        let set = ["^a prize$", "second$", "^one two$", "^X-Added: by a", "prize.*second"].map(str::to_owned);
        let set = Expressions::new(&set).expect("they are sound");
        assert_eq!(matches_header(&set, &message, Some("SUBJECT")), [0, 1]);
        assert_eq!(matches_header(&set, &message, Some("x-long")), [2]);
        assert_eq!(matches_header(&set, &message, None), [1, 3], "each with its name, the added one too");
        assert_eq!(matches_header(&set, &message, Some("From")), [] as [u32; 0]);
    }

    #[test]
    fn mailboxes_of_all_fields_are_told_rfc5322_3_4() {
        let message = scene("From: =?utf-8?Q?J=C3=B6?= <jo@a.test>\r\nFrom: x@b.test, y@b.test\r\n\r\n");
        let told: Vec<_> = mailboxes(&message, "from").into_iter().map(|one| (one.name, one.address)).collect();
        let wanted = [("J\u{f6}", "jo@a.test"), ("", "x@b.test"), ("", "y@b.test")];
        assert_eq!(told, wanted.map(|(name, address)| (name.to_owned(), address.to_owned())));
    }
}
