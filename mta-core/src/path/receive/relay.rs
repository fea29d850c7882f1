//! Who may send where (RFC 5321 7.1, 7.9): never an open relay unless the operator wrote it so.

use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;
use crate::config::model::Config;
use std::net::IpAddr;

/// Whether the client at `peer` may send to that recipient.
pub(super) fn is_allowed(config: &Config, peer: IpAddr, to: &Address) -> bool {
    is_accepted_from_anyone(config, to) || may_relay(config, peer)
}

/// Whether the client at `peer` may send anywhere: we answer for its mail.
pub(super) fn may_relay(config: &Config, peer: IpAddr) -> bool {
    config.relay.networks.iter().any(|network| network.contains(peer))
}

/// Our own domains, and postmaster here (RFC 5321 4.5.1: it must never be refused for policy's sake).
fn is_accepted_from_anyone(config: &Config, to: &Address) -> bool {
    let Some(domain) = to.domain() else { return true };
    let ours = matches!(domain, Domain::Name(name) if name.eq_ignore_ascii_case(&config.hostname));
    (ours && to.local().eq_ignore_ascii_case("postmaster"))
        || config.relay.domains.iter().any(|pattern| pattern.matches(domain))
}
