//! What a message itself wants of TLS, beside what its way wants (RFC 8689 4.2): that nobody but authenticated hosts that
//! promise the same see it, or that it goes whatever is to be had.

use crate::base::flow::attempt::{Attempt, NextHop};
use crate::base::mail::header;
use crate::base::smtp::ehlo::Capabilities;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::tls::{Outgoing, Trust};
use crate::path::deliver::trust::demand::{By, Promise};
use std::sync::Arc;

/// RFC 8689 4.2.1 names both statuses.
const NOT_OFFERED: Reply =
    Reply::new(550, EnhancedStatus::new(5, 7, 30), "the message requires TLS, and the host does not offer REQUIRETLS");
const NOT_AUTHENTICATED: Reply = Reply::new(
    550,
    EnhancedStatus::new(5, 7, 10),
    "the message requires TLS, and nothing shows that the host is the right one",
);

/// What it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Requirement {
    /// Nothing.
    None,
    /// REQUIRETLS: TLS with an authenticated host that offers REQUIRETLS too, and nothing else.
    Required,
    /// `TLS-Required: No`: that it goes, in clear if need be.
    Waived,
}

impl Requirement {
    /// What this message wants where it goes now. A mail store is the end of its way: what REQUIRETLS asks for is asked of
    /// those who relay (RFC 8689 4.4). A notification goes also where the promise is not given (RFC 8689 5).
    pub(super) fn of(attempt: &Attempt) -> Self {
        let entry = &*attempt.entry;
        let relayed = matches!(attempt.hop.target(), NextHop::Mx(_) | NextHop::Smarthost(_));
        match (relayed, entry.requires_tls()) {
            (false, _) => Self::None,
            (true, true) if entry.is_notification() => Self::None,
            (true, true) => Self::Required,
            // RFC 8689 4.1: with the option the field counts for nothing.
            (true, false) if is_waived(&attempt.content.head) => Self::Waived,
            (true, false) => Self::None,
        }
    }

    /// What connections are held to, where this is what is known of the next hop. Who names a host knows it by that name, so
    /// its certificate can be asked for that; the names of mail exchangers come from the DNS, and their zones or their domain
    /// must stand for them. The field speaks against what is wanted of exchangers in general (RFC 8689 4.2.2 names DANE and
    /// MTA-STS), and not against what an operator says of one host.
    pub(super) fn strengthen(self, promise: Arc<Promise>, hop: &NextHop) -> Arc<Promise> {
        let configured = match (self, hop.target(), &promise.configured) {
            (Self::None, ..) | (Self::Required, _, Outgoing::Verify(_)) => return promise,
            (Self::Required, NextHop::Mx(_), _) => Outgoing::Required,
            (Self::Required, _, _) => Outgoing::Verify(Trust::System),
            (Self::Waived, NextHop::Mx(_), configured) => {
                let configured = match configured {
                    Outgoing::Required => Outgoing::Opportunistic,
                    configured => configured.clone(),
                };
                return Arc::new(Promise { configured, sts: None, dane: false, domain: promise.domain.clone() });
            }
            (Self::Waived, _, _) => return promise,
        };
        Arc::new(Promise { configured, ..(*promise).clone() })
    }

    /// Why a host that let us in can't have it: it is not authenticated, or does not promise to hand it on so.
    pub(super) fn obstacle(self, wanted: &Outgoing, can: &Capabilities) -> Option<Reply> {
        match (self, wanted) {
            (Self::None | Self::Waived, _) => None,
            (Self::Required, Outgoing::Verify(_)) if can.requiretls => None,
            (Self::Required, Outgoing::Verify(_)) => Some(NOT_OFFERED),
            (Self::Required, Outgoing::Off | Outgoing::Opportunistic | Outgoing::Required) => Some(NOT_AUTHENTICATED),
        }
    }

    /// What is said of a host that gets no mail at all. That the domain's policy does not name it is a host that is not
    /// authenticated (RFC 8689 4.2.1); a zone that can't be read says nothing of the host, and may be read tomorrow.
    pub(super) fn refused(self, by: By, reply: Reply) -> Reply {
        match by {
            By::Sts(_) => self.unprotected(reply),
            By::Operator | By::Dane => reply,
        }
    }

    /// What is said of a host with which there is no TLS: to wait for another day is not what the sender asked for
    /// (RFC 8689 4.2.1).
    pub(super) fn unprotected(self, reply: Reply) -> Reply {
        match self {
            Self::Required => Reply { code: 550, status: Some(EnhancedStatus::new(5, 7, 10)), text: reply.text },
            Self::None | Self::Waived => reply,
        }
    }
}

/// RFC 8689 3: one field, and `No` is its only value.
fn is_waived(head: &[u8]) -> bool {
    const NAME: &str = "TLS-Required";
    let field = header::find(head, NAME, 0);
    field.is_some_and(|field| field.unfolded().eq_ignore_ascii_case("no")) && header::find(head, NAME, 1).is_none()
}

#[cfg(test)]
mod tests {
    use super::super::Deliverer;
    use super::super::fakes::{World, address};
    use super::*;
    use crate::base::fixtures::entry;
    use crate::base::flow::attempt::{Deliver as _, Endpoint};
    use crate::base::flow::entry::REQUIRETLS_TAG;
    use crate::base::flow::report::Outcome;
    use crate::base::mail::content::{Body, Content};
    use crate::base::mail::domain::Domain;
    use crate::config::model::Delivery;
    use crate::path::deliver::scripted::{Script, content, willing};
    use bytes::Bytes;

    fn mx() -> NextHop {
        NextHop::Mx(Domain::parse("to.example").expect("a domain"))
    }

    fn relay() -> NextHop {
        NextHop::Smarthost(Endpoint::Host("relay.example".into(), 25))
    }

    fn wants(head: &str, tagged: bool, from: &str, hop: NextHop) -> Requirement {
        let mut entry = entry(1, from, &["b@to.example"]);
        if tagged {
            entry.tags.push((REQUIRETLS_TAG.into(), Box::default()));
        }
        let content = Content { head: Bytes::copy_from_slice(head.as_bytes()), body: Body::Memory(Bytes::new()) };
        let recipients = entry.pending();
        let hop = Arc::new(hop);
        Requirement::of(&Attempt { entry: Arc::new(entry), content, recipients, hop, number: 1 })
    }

    #[test]
    fn the_option_counts_and_the_field_only_without_it_rfc8689_3_and_4_1() {
        let waived = "TLS-Required: No\r\n\r\n";
        assert_eq!(wants("A: b\r\n\r\n", false, "a@b.example", mx()), Requirement::None);
        assert_eq!(wants(waived, false, "a@b.example", mx()), Requirement::Waived);
        assert_eq!(wants("tls-required:\r\n nO \r\n\r\n", false, "a@b.example", mx()), Requirement::Waived);
        for odd in [
            "TLS-Required: Yes\r\n\r\n",
            "TLS-Required: No\r\nTLS-Required: No\r\n\r\n",
            "A: b\r\n\r\nTLS-Required: No",
        ] {
            assert_eq!(wants(odd, false, "a@b.example", mx()), Requirement::None, "{odd}");
        }
        assert_eq!(wants(waived, true, "a@b.example", mx()), Requirement::Required);
        // RFC 8689 4.4: the end of the way. RFC 8689 5: a notification.
        let store = NextHop::Lmtp(Endpoint::Host("store.example".into(), 24));
        assert_eq!(wants("\r\n", true, "a@b.example", store), Requirement::None);
        assert_eq!(
            wants("\r\n", true, "a@b.example", NextHop::From("pool".into(), Box::new(relay()))),
            Requirement::Required
        );
    }

    #[test]
    fn a_host_is_authenticated_and_promises_the_same_rfc8689_4_2() {
        use Requirement::{None as Nothing, Required, Waived};
        let ours = Outgoing::Verify(Trust::File("ca.pem".into()));
        for (requirement, hop, configured, wanted) in [
            (Required, relay(), &Outgoing::Off, Outgoing::Verify(Trust::System)),
            (Required, relay(), &ours, ours.clone()),
            (Required, mx(), &Outgoing::Opportunistic, Outgoing::Required),
            (Waived, mx(), &Outgoing::Required, Outgoing::Opportunistic),
            (Waived, relay(), &ours, ours.clone()),
            (Waived, relay(), &Outgoing::Required, Outgoing::Required),
            (Nothing, mx(), &Outgoing::Required, Outgoing::Required),
        ] {
            let promise = Promise { dane: true, ..Promise::configured(configured.clone()) };
            let held = requirement.strengthen(Arc::new(promise), &hop);
            assert_eq!(held.configured, wanted, "{requirement:?} {hop}");
            // RFC 8689 4.2.2: the field counts more than what the domain and its zone promise.
            assert_eq!(held.dane, !(requirement == Waived && matches!(hop, NextHop::Mx(_))), "{requirement:?} {hop}");
        }
        let (promises, silent) =
            (Capabilities { requiretls: true, ..Capabilities::default() }, Capabilities::default());
        assert_eq!(Required.obstacle(&ours, &promises), None);
        assert_eq!(Required.obstacle(&ours, &silent), Some(NOT_OFFERED));
        assert_eq!(Required.obstacle(&Outgoing::Required, &promises), Some(NOT_AUTHENTICATED));
        assert_eq!(Waived.obstacle(&Outgoing::Off, &silent), None);
        let refused = Required.unprotected(Reply::new(451, EnhancedStatus::new(4, 7, 5), "no handshake"));
        assert_eq!(refused.to_string(), "550 5.7.10 no handshake");
    }

    /// What becomes of a message with REQUIRETLS at a smart host that says this, with this handshake: the outcome, and what the
    /// host was told.
    async fn sent(keywords: &'static [&'static str], shaken: Result<(), String>) -> (String, Vec<String>) {
        let world = World::new();
        let answers = vec![("STARTTLS", "220 go")];
        world.serve("127.0.0.1:2526", Script { keywords, answers, ..willing() });
        *world.shaken.lock().expect("whole") = shaken;
        let mut entry = entry(1, "s@a.example", &["b@to.example"]);
        entry.tags.push((REQUIRETLS_TAG.into(), Box::default()));
        let (recipients, content) = (entry.pending(), content());
        let hop = Arc::new(NextHop::Smarthost(Endpoint::Address(address("127.0.0.1:2526"))));
        let attempt = Attempt { entry: Arc::new(entry), content, recipients, hop, number: 1 };
        let report = Deliverer::new(world.parts(Delivery::default())).attempt(attempt).await;
        assert_eq!(*world.handshakes.lock().expect("whole"), [("127.0.0.1".to_owned(), Trust::System)]);
        let outcome = match &report.outcomes[..] {
            [(0, Outcome::Delivered { reply, .. } | Outcome::Failed(reply) | Outcome::Deferred(reply))] => {
                reply.to_string()
            }
            other => format!("{other:?}"),
        };
        (outcome, world.commands().concat())
    }

    #[tokio::test]
    async fn a_host_that_does_not_promise_the_same_hears_nothing_of_the_mail_rfc8689_4_2_1() {
        let (outcome, said) = sent(&["STARTTLS", "REQUIRETLS"], Ok(())).await;
        assert!(outcome.starts_with("250 "), "{outcome}");
        assert!(said.contains(&"MAIL FROM:<s@a.example> REQUIRETLS".to_owned()), "{said:?}");
        for (keywords, shaken, status) in [
            (&["STARTTLS"][..], Ok(()), "550 5.7.30 "),
            (&["STARTTLS", "REQUIRETLS"], Err("bad certificate".to_owned()), "550 5.7.10 "),
        ] {
            let (outcome, said) = sent(keywords, shaken).await;
            assert!(outcome.starts_with(status), "{outcome}");
            assert!(!said.iter().any(|command| command.starts_with("MAIL")), "{said:?}");
        }
    }
}
