//! Whose mail is whose, whose is verified, and which way it goes: tenants of clients, senders and recipients, and routes of domains.

use super::model::{Config, Srs, Tenant};
use crate::base::flow::attempt::{NextHop, Routes};
use crate::base::flow::entry::Entry;
use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;
use crate::base::world::tls::Outgoing;
use std::net::IpAddr;
use std::sync::Arc;

impl Config {
    /// The tenant of everything that such a client sends, by the listener it came to or the network it is in.
    #[must_use]
    pub fn tenant_of_client(&self, listener: &str, peer: IpAddr) -> Option<&Arc<str>> {
        self.tenant(|tenant| {
            tenant.listeners.iter().any(|name| **name == *listener)
                || tenant.networks.iter().any(|network| network.contains(peer))
        })
    }

    /// The tenant of a user of this name, prepared.
    #[must_use]
    pub fn tenant_of_user(&self, name: &str) -> Option<&Arc<str>> {
        tenant_of_user(&self.tenants, name)
    }

    /// The tenant of a message by its sender. Anybody can write any sender, so it counts only where the client may
    /// relay.
    #[must_use]
    pub fn tenant_of_sender(&self, may_relay: bool, sender: &Address) -> Option<&Arc<str>> {
        self.tenant(|tenant| owns(tenant, sender)).filter(|_| may_relay)
    }

    /// Whether mail of this client on this listener is verified: what may be relayed is our own mail.
    #[must_use]
    pub fn verifies(&self, listener: &str, peer: IpAddr) -> bool {
        let verify = &self.verify;
        verify.enabled
            && (verify.listeners.is_empty() || verify.listeners.iter().any(|name| **name == *listener))
            && !self.relay.networks.iter().any(|network| network.contains(peer))
    }

    /// The tenant of a message by its recipient.
    #[must_use]
    pub fn tenant_of_recipient(&self, recipient: &Address) -> Option<&Arc<str>> {
        self.tenant(|tenant| owns(tenant, recipient))
    }

    /// The tenant whose domain it is.
    #[must_use]
    pub fn tenant_of_domain(&self, domain: &str) -> Option<&Arc<str>> {
        let domain = Domain::Name(domain.into());
        self.tenant(|tenant| tenant.domains.iter().any(|pattern| pattern.matches(&domain)))
    }

    fn tenant(&self, is_it: impl Fn(&Tenant) -> bool) -> Option<&Arc<str>> {
        self.tenants.iter().find(|tenant| is_it(tenant)).map(|tenant| &tenant.name)
    }
}

/// The tenant among these whose user has this name, prepared.
#[must_use]
pub(crate) fn tenant_of_user<'t>(tenants: &'t [Tenant], name: &str) -> Option<&'t Arc<str>> {
    tenants.iter().find(|tenant| tenant.users.iter().any(|pattern| pattern.matches(name))).map(|tenant| &tenant.name)
}

fn owns(tenant: &Tenant, address: &Address) -> bool {
    let Some(domain) = address.domain() else { return false };
    tenant.domains.iter().any(|pattern| pattern.matches(domain))
}

impl Config {
    /// What connections to this hop want of TLS. Routes to the same host agree about it.
    #[must_use]
    pub fn tls_to(&self, hop: &NextHop) -> &Outgoing {
        let route = self.routes.iter().find(|route| route.via == *hop.target());
        route.and_then(|route| route.tls.as_ref()).unwrap_or(&self.delivery.tls)
    }

    /// Whether the message is forwarded by this hop: a stranger sent it, and it goes on to a server that is none of ours.
    #[must_use]
    pub fn forwards(&self, entry: &Entry, hop: &NextHop) -> bool {
        let leaves = match hop.target() {
            NextHop::Mx(_) => true,
            target @ NextHop::Smarthost(_) => !self.routes.iter().any(|route| route.inside && route.via == *target),
            _ => false,
        };
        leaves && entry.is_from_outside()
    }

    /// The scheme by which this sender is rewritten where its mail is forwarded. None for the null sender and for those
    /// whose bounces come here anyway.
    #[must_use]
    pub fn rewrites(&self, sender: Option<&Address>) -> Option<&Srs> {
        let (srs, sender) = (self.srs.as_ref()?, sender?);
        let is_ours = |domain: &Domain| self.relay.domains.iter().any(|pattern| pattern.matches(domain));
        let stays = srs.is_here(sender) || sender.domain().is_none_or(is_ours);
        (!stays).then_some(srs)
    }
}

impl Routes for Config {
    fn next_hop(&self, domain: Option<&Domain>) -> NextHop {
        let own = Domain::Name(self.hostname.to_lowercase().into());
        let domain = domain.unwrap_or(&own);
        match self.routes.iter().find(|route| route.to.as_ref().is_some_and(|to| to.matches(domain))) {
            Some(route) => route.via.clone(),
            None => NextHop::Mx(domain.clone()),
        }
    }

    fn named(&self, route: &str) -> Option<NextHop> {
        let found = self.routes.iter().find(|known| known.name.as_deref() == Some(route));
        found.map(|route| route.via.clone())
    }

    fn is_feedback(&self, to: &Address) -> bool {
        self.feedback.as_ref().is_some_and(|feedback| feedback.takes(to))
    }

    fn has_pool(&self, pool: &str) -> bool {
        self.pools.iter().any(|known| *known.name == *pool)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::parse::parse;
    use std::net::IpAddr;

    const CONFIG: &str = r#"
        hostname = "mx.example.test"
        data_dir = "var"
        [[listener]]
        name = "acme"
        bind = "127.0.0.1:2525"
        [[listener]]
        name = "mx"
        bind = "127.0.0.1:2526"
        [relay]
        networks = ["192.0.2.0/24"]
        [[tenant]]
        name = "acme"
        listeners = ["acme"]
        domains = ["acme.example", "*.acme.example"]
        users = ["Ann", "*@acme.example"]
        [[tenant]]
        name = "globex"
        networks = ["198.51.100.0/24"]
        domains = ["globex.example", "bücher.example"]
    "#;

    #[test]
    fn mail_belongs_to_whom_the_configuration_says() {
        let config = parse("test", CONFIG, &[]).expect("it is sound");
        let ip = |text: &str| text.parse::<IpAddr>().expect("a literal");
        let address = |text: &str| text.parse().expect("an address");
        let client = |listener, peer| config.tenant_of_client(listener, ip(peer)).map(|name| &**name);
        assert_eq!(client("acme", "203.0.113.1"), Some("acme"));
        assert_eq!(client("mx", "198.51.100.7"), Some("globex"));
        assert_eq!(client("acme", "198.51.100.7"), Some("acme"), "the first wins");
        assert_eq!(client("mx", "203.0.113.1"), None);

        let user = |name: &str| config.tenant_of_user(name).map(|name| &**name);
        assert_eq!((user("ann"), user("x@acme.example"), user("bob")), (Some("acme"), Some("acme"), None));

        let sender = |may_relay, from: &str| config.tenant_of_sender(may_relay, &address(from)).map(|name| &**name);
        assert_eq!(sender(true, "a@mail.acme.example"), Some("acme"));
        assert_eq!(sender(false, "a@acme.example"), None, "anybody can write any sender");

        let recipient = |to: &str| config.tenant_of_recipient(&address(to)).map(|name| &**name);
        assert_eq!(recipient("b@globex.example"), Some("globex"));
        assert_eq!(recipient("b@xn--bcher-kva.example"), Some("globex"), "written either way");
        assert_eq!(recipient("b@elsewhere.example"), None);
    }
}
