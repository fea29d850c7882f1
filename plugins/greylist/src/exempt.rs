//! Who never waits.

use crate::config::Exempt;
use mailwright_plugin::config::Misfit;
use mailwright_plugin::tables::Table;
use mailwright_plugin::{Address, Fault, session};
use std::net::IpAddr;

impl Exempt {
    /// Whether the client need not wait, whatever it brings.
    pub(crate) fn has_client(&self, session: &session::Info, peer: Option<IpAddr>) -> Result<bool, Fault> {
        let among = |names: &[String], name: &str| names.iter().any(|known| known.eq_ignore_ascii_case(name));
        Ok(peer.is_some_and(|ip| self.networks.iter().any(|network| network.contains(ip)))
            || among(&self.listeners, &session.listener)
            || session.tenant.as_ref().is_some_and(|tenant| among(&self.tenants, tenant))
            || self.listed(&[&session.peer_ip])?)
    }

    /// Whether mail from that sender to that recipient need not wait.
    pub(crate) fn has_mail(&self, sender: Option<&Address>, to: &Address) -> Result<bool, Fault> {
        let from = sender.is_some_and(|sender| self.sender_domains.iter().any(|one| one.matches(&sender.domain)));
        if from || self.recipient_domains.iter().any(|one| one.matches(&to.domain)) {
            return Ok(true);
        }
        if self.tables.is_empty() {
            return Ok(false);
        }
        match sender {
            Some(sender) => self.listed(&[&sender.to_string(), &sender.domain, &to.to_string()]),
            None => self.listed(&[&to.to_string()]),
        }
    }

    fn listed(&self, keys: &[&str]) -> Result<bool, Fault> {
        for table in &self.tables {
            for key in keys {
                if Table(table).has(key)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Its tables are granted.
    pub(crate) fn check(&self) -> Result<(), Misfit> {
        match self.tables.iter().find(|table| Table(table).has("").is_err()) {
            None => Ok(()),
            Some(table) => Err(Misfit::new(["add \"tables:", table, "\" to `allow`"].concat()).under("tables")),
        }
    }
}
