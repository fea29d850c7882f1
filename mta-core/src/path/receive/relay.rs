//! Who may send where (RFC 5321 7.1, 7.9): never an open relay unless the operator wrote it so.

use super::replies;
use crate::base::mail::address::{Address, carries_another};
use crate::base::mail::domain::Domain;
use crate::base::mail::tie::Key;
use crate::base::smtp::reply::Reply;
use crate::base::time::UnixMillis;
use crate::config::model::Config;
use crate::config::model::feedback::Place;
use std::net::IpAddr;

/// Whether the client at `peer` may send anywhere.
pub(super) fn is_inside(config: &Config, peer: IpAddr) -> bool {
    config.relay.networks.iter().any(|network| network.contains(peer))
}

/// Why the client may not send to a recipient.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It may not send there at all.
    Relay,
    /// The address looks like one that leads back to a message of ours, and is none that we made, or an old one.
    NotOurs,
    /// Nobody has that address in a domain where only ours are.
    Nobody,
}

impl Refused {
    /// What the client is told (RFC 5321 3.3, RFC 3463 3.2).
    pub(super) fn reply(&self) -> Reply {
        match self {
            Self::Relay => replies::RELAY_DENIED,
            Self::NotOurs | Self::Nobody => replies::NO_SUCH_ADDRESS,
        }
    }
}

/// Where mail to an address leads back to that a forwarder's reverse path is: to the one who sent what we forwarded. None:
/// the address is nothing of the kind.
pub(super) fn way_back(config: &Config, key: &Key, to: &Address, now: UnixMillis) -> Result<Option<Address>, Refused> {
    match config.srs.as_ref().filter(|srs| srs.is_here(to) && carries_another(to.local())) {
        Some(srs) => key.way_back(to, now, srs.age_max).map(Some).map_err(|_| Refused::NotOurs),
        None => Ok(None),
    }
}

/// Whether the client may send to that recipient.
pub(super) fn allows(
    config: &Config,
    key: &Key,
    may_relay: bool,
    to: &Address,
    now: UnixMillis,
) -> Result<(), Refused> {
    let is_scheme = config.srs.as_ref().is_some_and(|srs| srs.is_here(to));
    if is_scheme && config.feedback.as_ref().is_none_or(|feedback| feedback.place(to) == Place::Elsewhere) {
        // As below: nobody has another address there, unless the domain has mailboxes too.
        return if is_accepted_from_anyone(config, to) { Ok(()) } else { Err(Refused::Nobody) };
    }
    let Some(feedback) = &config.feedback else { return relays(config, may_relay, to) };
    match feedback.place(to) {
        Place::Elsewhere => relays(config, may_relay, to),
        Place::Reports => Ok(()),
        Place::Marked => {
            let mark = key.read_mark(to.local()).ok_or(Refused::NotOurs)?;
            if now.since(mark.id.at()) <= feedback.age_max { Ok(()) } else { Err(Refused::NotOurs) }
        }
        // Whoever may relay may not relay there: the domain's exchanger is this server.
        Place::Other if is_accepted_from_anyone(config, to) => Ok(()),
        Place::Other => Err(Refused::Nobody),
    }
}

fn relays(config: &Config, may_relay: bool, to: &Address) -> Result<(), Refused> {
    let allowed = may_relay || is_accepted_from_anyone(config, to);
    if allowed { Ok(()) } else { Err(Refused::Relay) }
}

/// Our own domains, and postmaster here (RFC 5321 4.5.1: it must never be refused for policy's sake).
pub(super) fn is_accepted_from_anyone(config: &Config, to: &Address) -> bool {
    let Some(domain) = to.domain() else { return true };
    let ours = matches!(domain, Domain::Name(name) if name.eq_ignore_ascii_case(&config.hostname));
    (ours && to.local().eq_ignore_ascii_case("postmaster"))
        || config.relay.domains.iter().any(|pattern| pattern.matches(domain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::id::QueueId;
    use crate::base::mail::tie::{KEY_BYTES, Purpose, Sent};
    use crate::config::parse::parse;
    use std::time::Duration;

    const CONFIG: &str = "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n\
        [[listener]]\nname = \"mx\"\nbind = \"[::1]:25\"\n\
        [relay]\nnetworks = [\"192.0.2.0/24\"]\ndomains = [\"example.org\"]\n\
        [feedback]\ndomain = \"bounces.example.org\"\nreports = [\"fbl\"]\nage_max = \"10d\"\n";

    fn allowed(config: &str, peer: &str, to: &str, now: UnixMillis) -> Result<(), Refused> {
        let config = parse("test", config, &[]).expect("it is sound");
        let (peer, to) = (peer.parse().expect("a literal"), Address::parse(to).expect("a mailbox"));
        allows(&config, &Key::new([7; KEY_BYTES]), is_inside(&config, peer), &to, now)
    }

    #[test]
    fn of_the_feedback_domain_our_own_addresses_are_taken_from_anyone_rfc5321_7_1() {
        let at = UnixMillis(1_700_000_000_000);
        let recipient = Address::parse("ann@example.net").expect("a mailbox");
        let sent = Sent { id: QueueId::new(at, 1), recipient, tenant: None, campaign: None };
        let domain = Domain::parse("bounces.example.org").expect("a domain");
        let made = |key: u8| {
            Key::new([key; KEY_BYTES]).address(Purpose::Reports, &sent, &domain).expect("there is room").to_string()
        };
        let (ours, forged, now) = (made(7), made(8), at.plus(Duration::from_secs(86_400)));
        for (peer, to, wanted) in [
            ("203.0.113.1", &*ours, Ok(())),
            ("203.0.113.1", "FBL@bounces.example.org", Ok(())),
            ("203.0.113.1", &*forged, Err(Refused::NotOurs)),
            ("192.0.2.1", &*forged, Err(Refused::NotOurs)),
            ("192.0.2.1", "ann@bounces.example.org", Err(Refused::Nobody)),
            ("203.0.113.1", "ann@example.org", Ok(())),
            ("203.0.113.1", "ann@example.net", Err(Refused::Relay)),
            ("192.0.2.1", "ann@example.net", Ok(())),
        ] {
            assert_eq!(allowed(CONFIG, peer, to, now), wanted, "{peer} {to}");
        }
        let late = at.plus(Duration::from_secs(11 * 86_400));
        assert_eq!(allowed(CONFIG, "203.0.113.1", &ours, late), Err(Refused::NotOurs), "too old");
        // Where the domain has mailboxes too, the others are ordinary mail; what looks like ours is still not.
        let shared = CONFIG.replace("[\"example.org\"]", "[\"*.example.org\"]");
        assert_eq!(allowed(&shared, "203.0.113.1", "postmaster@bounces.example.org", now), Ok(()));
        assert_eq!(allowed(&shared, "203.0.113.1", &forged, now), Err(Refused::NotOurs));
        let without = CONFIG.split("[feedback]").next().unwrap_or_default();
        assert_eq!(allowed(without, "203.0.113.1", &ours, now), Err(Refused::Relay));
    }

    #[test]
    fn bounces_of_what_was_forwarded_find_their_way_back_rfc5321_7_1() {
        let text = format!("{CONFIG}[srs]\ndomain = \"srs.example.org\"\n");
        let config = parse("test", &text, &[]).expect("it is sound");
        let (now, domain) = (UnixMillis(1_700_000_000_000), Domain::parse("srs.example.org").expect("a domain"));
        let sender = Address::parse("ann@example.net").expect("a mailbox");
        let made = |octet: u8| Key::new([octet; KEY_BYTES]).forwarded(&sender, &domain, now).expect("there is room");
        let back = |to: &Address, now| way_back(&config, &Key::new([7; KEY_BYTES]), to, now);
        assert_eq!(back(&made(7), now), Ok(Some(sender.clone())));
        assert_eq!(back(&made(8), now), Err(Refused::NotOurs), "forged");
        assert_eq!(back(&made(7), now.plus(Duration::from_secs(22 * 86_400))), Err(Refused::NotOurs), "too old");
        assert_eq!(back(&sender, now), Ok(None));
        let elsewhere = Address::new(made(7).local(), sender.domain().cloned()).expect("a mailbox");
        assert_eq!(back(&elsewhere, now), Ok(None), "another forwarder's");
        for peer in ["203.0.113.1", "192.0.2.1"] {
            assert_eq!(allowed(&text, peer, "ann@srs.example.org", now), Err(Refused::Nobody));
        }
    }

    #[test]
    fn what_is_refused_is_told_apart_rfc3463_3_2() {
        assert_eq!(Refused::Relay.reply().to_string(), "550 5.7.1 relaying denied");
        assert_eq!(Refused::NotOurs.reply().to_string(), "550 5.1.1 no such address here");
    }
}
