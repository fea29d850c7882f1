//! Our Received field (RFC 5321 4.4): where a message came from, by which protocol, and under which name it is here.

use crate::base::mail::domain::Domain;
use crate::base::mail::envelope::Envelope;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::base::world::tls::TlsInfo;
use std::fmt::Write as _;
use std::net::IpAddr;

/// What the field tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace<'a> {
    /// The name from EHLO or HELO: parsed, so that it has only characters of names.
    pub(super) helo: &'a str,
    /// EHLO was used (RFC 3848).
    pub(super) extended: bool,
    /// LMTP was spoken.
    pub(super) lmtp: bool,
    /// How the connection was protected.
    pub(super) tls: Option<&'a TlsInfo>,
    /// It has shown who it is (RFC 4954 7, RFC 3848).
    pub(super) authenticated: bool,
    /// Where it is is nobody's business.
    pub(super) hidden: bool,
    pub(super) peer: IpAddr,
    pub(super) hostname: &'a str,
    pub(super) id: QueueId,
    pub(super) envelope: &'a Envelope,
    pub(super) at: UnixMillis,
}

impl Trace<'_> {
    /// The whole field with its final CRLF. A recipient is named only when there is no other, because the field goes
    /// to all of them (RFC 5321 7.2).
    pub(super) fn field(&self) -> Box<str> {
        let protocol = self.protocol();
        let (helo, literal) = match self.hidden {
            false => (self.helo, Domain::Literal(self.peer.to_canonical()).to_string()),
            // RFC 5321 4.4 wants a name here: ours is true, since the message begins with us.
            true => (self.hostname, "authenticated".to_owned()),
        };
        let mut field = String::with_capacity(224);
        // Writing to a String can't fail.
        let _ = write!(
            field,
            "Received: from {} ({literal})\r\n\tby {} with {protocol} id {}",
            helo, self.hostname, self.id
        );
        if let Some(tls) = self.tls {
            let _ = write!(field, "\r\n\t(using {tls})");
        }
        if let [only] = &*self.envelope.recipients {
            let _ = write!(field, "\r\n\tfor <{}>", only.address);
        }
        let _ = write!(field, ";\r\n\t{}\r\n", self.at.rfc5322());
        field.into()
    }

    /// The name of the protocol in the registry of RFC 3848; S says that TLS was used, A that the client has shown who it is. RFC 6531 4.3 has those for mail
    /// beyond ASCII.
    fn protocol(&self) -> String {
        let name = match (self.envelope.smtputf8, self.lmtp, self.extended) {
            (true, true, _) => "UTF8LMTP",
            (true, false, _) => "UTF8SMTP",
            (false, true, _) => "LMTP",
            (false, false, true) => "ESMTP",
            (false, false, false) => "SMTP",
        };
        // There is no SMTPS: TLS without EHLO is SMTP with a comment.
        let secured = self.tls.is_some() && (self.extended || self.lmtp);
        format!("{name}{}{}", if secured { "S" } else { "" }, if self.authenticated { "A" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::envelope::{BodyType, Recipient};

    fn envelope(recipients: &[&str]) -> Envelope {
        let recipient =
            |text: &&str| Recipient { address: text.parse().expect("a mailbox"), notify: None, orcpt: None };
        Envelope {
            sender: None,
            recipients: recipients.iter().map(recipient).collect(),
            body: BodyType::SevenBit,
            smtputf8: false,
            ret: None,
            envid: None,
        }
    }

    fn field(envelope: &Envelope, extended: bool) -> Box<str> {
        let trace = Trace {
            helo: "client.example",
            extended,
            lmtp: false,
            tls: None,
            authenticated: false,
            hidden: false,
            peer: IpAddr::from([192, 0, 2, 1]),
            hostname: "mx.example",
            id: QueueId(1),
            envelope,
            at: UnixMillis(1_700_000_000_000),
        };
        trace.field()
    }

    /// RFC 5321 4.4.
    #[test]
    fn one_recipient_is_named_and_the_date_is_rfc5322_3_3_of_rfc2822() {
        assert_eq!(
            &*field(&envelope(&["b@example.org"]), true),
            "Received: from client.example ([192.0.2.1])\r\n\tby mx.example with ESMTP id \
             00000000000000000000000001\r\n\tfor <b@example.org>;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
        );
    }

    #[test]
    fn several_recipients_are_not_named_rfc5321_7_2_and_helo_is_smtp_rfc3848() {
        let field = field(&envelope(&["b@example.org", "c@example.org"]), false);
        assert!(field.contains(" with SMTP id ") && !field.contains("example.org"), "{field}");
    }

    #[test]
    fn smtputf8_is_told_rfc6531_4_3() {
        let envelope = Envelope { smtputf8: true, ..envelope(&["jörg@bücher.example"]) };
        let trace = Trace {
            helo: "c.example",
            extended: true,
            lmtp: false,
            tls: None,
            authenticated: true,
            hidden: false,
            peer: IpAddr::from([192, 0, 2, 1]),
            hostname: "mx.example",
            id: QueueId(1),
            envelope: &envelope,
            at: UnixMillis(1_700_000_000_000),
        };
        assert!(trace.field().contains(" with UTF8SMTPA id "), "RFC 6531 4.3, RFC 4954 7");
        let field = field(&envelope, true);
        assert!(field.contains(" with UTF8SMTP id ") && field.contains("for <jörg@bücher.example>;"), "{field}");
    }
}
