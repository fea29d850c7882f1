//! Whom a submitted message says it is from; what it lacks is added, and what is nobody's business goes (RFC 6409 8).

use crate::base::mail::edits::{Edits, HeaderEdit};
use crate::base::mail::header::{self, Field};
use crate::base::mail::id::QueueId;
use crate::base::mail::render::EditedHead;
use crate::base::sasl::door::User;
use crate::base::sasl::sender::SenderPattern;
use crate::base::time::UnixMillis;
use mail_parser::{HeaderName, MessageParser};

/// Fields that name recipients whom the others are not to see (RFC 5322 3.6.3 and 3.6.6).
const BLIND: [&str; 2] = ["Bcc", "Resent-Bcc"];

/// Whether the authors that the message names are all the user's own (RFC 5322 3.6.2). A field that names nobody who can be
/// read names nobody of the user's; a message without one names nobody.
pub(super) fn is_from(head: &[u8], user: &User) -> bool {
    if user.senders.contains(&SenderPattern::Any) {
        return true;
    }
    let parser = MessageParser::new().header_address(HeaderName::From);
    let is_own = |text: Option<&str>| {
        text.and_then(|text| text.parse().ok()).is_some_and(|address| user.may_send_as(Some(&address)))
    };
    let mut fields = header::fields(head).filter(|field| field.name.eq_ignore_ascii_case("From"));
    fields.all(|field| {
        let whole = [b"From:", field.value, b"\r\n\r\n"].concat();
        let message = parser.parse_headers(&whole);
        let Some(authors) = message.as_ref().and_then(|message| message.from()) else { return false };
        authors.first().is_some() && authors.iter().all(|author| is_own(author.address()))
    })
}

/// Edits behind those of policy, whose work they see: a date and a message identifier where there is none (RFC 6409 8.2
/// and 8.3), and no blind copies.
pub(super) fn complete(head: &[u8], edits: &mut Edits, id: QueueId, hostname: &str, at: UnixMillis) {
    let edited = EditedHead::new(head, edits.headers.iter());
    let count = |name: &str| edited.fields.iter().filter(|field| is_named(field, name)).count();
    let (has_date, has_id) = (count("Date") > 0, count("Message-ID") > 0);
    let blind = BLIND.map(|name| (name, count(name)));
    for (name, count) in blind {
        let removed = HeaderEdit::Set { name: name.into(), nth: 0, value: None };
        edits.headers.extend(std::iter::repeat_n(removed, count));
    }
    if !has_id {
        let value = format!("<{id}@{hostname}>").into();
        edits.headers.push(HeaderEdit::Add { name: "Message-ID".into(), value });
    }
    if !has_date {
        edits.headers.push(HeaderEdit::Add { name: "Date".into(), value: at.rfc5322().to_string().into() });
    }
}

fn is_named(field: &[u8], name: &str) -> bool {
    header::fields(field).next().is_some_and(|Field { name: found, .. }| found.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::content::{Body, Content};
    use crate::base::mail::render::render;
    use bytes::Bytes;

    fn completed(head: &str, mut edits: Edits) -> String {
        complete(head.as_bytes(), &mut edits, QueueId(1), "mx.example", UnixMillis(1_700_000_000_000));
        let content = Content { head: Bytes::copy_from_slice(head.as_bytes()), body: Body::Memory(Bytes::new()) };
        let rendered = render(&[], &content, edits.headers.iter());
        String::from_utf8(rendered.head.concat()).expect("ASCII")
    }

    #[test]
    fn every_author_is_the_users_own_rfc5322_3_6_2() {
        let user = |pattern: &str| User {
            name: "ann".into(),
            tenant: None,
            senders: vec![SenderPattern::parse(pattern).expect("a pattern")],
        };
        let own = |head: &str| is_from(head.as_bytes(), &user("@ann.example"));
        for head in [
            "To: b@c\r\n\r\n",
            "From: a@ann.example\r\n\r\n",
            "FROM: \"Boss <boss@other.example>\" <A@Ann.Example>\r\n\r\n",
            "From: A (boss@other.example)\r\n <a@ann.example>, b@ann.example\r\n\r\n",
            "From: us: a@ann.example, b@ann.example;\r\n\r\n",
        ] {
            assert!(own(head), "{head}");
        }
        for head in [
            "From: boss@other.example\r\n\r\n",
            "From: a@ann.example, boss@other.example\r\n\r\n",
            "From: a@ann.example\r\nfrom: boss@other.example\r\n\r\n",
            "From: us: a@ann.example;, boss@other.example\r\n\r\n",
            "From : boss@other.example\r\n\r\n",
            "From: \"a@ann.example\" <boss@other.example>\r\n\r\n",
            "From: a@ann.example <boss@other.example>\r\n\r\n",
            "From: nobody\r\n\r\n",
            "From:\r\n\r\n",
            "From: us:;\r\n\r\n",
        ] {
            assert!(!own(head), "{head}");
        }
        assert!(is_from(b"From: boss@other.example\r\n\r\n", &user("*")));
    }

    #[test]
    fn what_lacks_is_added_rfc6409_8_2_and_8_3() {
        let date = "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n";
        let id = "Message-ID: <00000000000000000000000001@mx.example>\r\n";
        assert_eq!(completed("A: b\r\n\r\n", Edits::default()), format!("{date}{id}A: b\r\n\r\n"));
        assert_eq!(completed("DATE: x\r\n\r\n", Edits::default()), format!("{id}DATE: x\r\n\r\n"));
        let whole = "Date: x\r\nMessage-Id: <y>\r\n\r\n";
        assert_eq!(completed(whole, Edits::default()), whole);
    }

    #[test]
    fn blind_copies_go_rfc5322_3_6_3() {
        let head = "Date: x\r\nBcc: a@b\r\nMessage-ID: <y>\r\nBCC: c@d,\r\n e@f\r\nResent-Bcc: g@h\r\nTo: i@j\r\n\r\n";
        assert_eq!(completed(head, Edits::default()), "Date: x\r\nMessage-ID: <y>\r\nTo: i@j\r\n\r\n");
    }

    #[test]
    fn what_policy_added_or_took_away_counts() {
        let add = |name: &str| HeaderEdit::Add { name: name.into(), value: "p".into() };
        let gone = HeaderEdit::Set { name: "Date".into(), nth: 0, value: None };
        let edits = Edits { headers: vec![add("Message-ID"), gone, add("Bcc")] };
        let text = completed("Date: x\r\n\r\n", edits);
        assert_eq!(text, "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: p\r\n\r\n");
    }
}
