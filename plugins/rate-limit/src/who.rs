//! Whether a condition fits.

use crate::config::Who;
use crate::facts::Facts;
use mailwright_plugin::tables::Table;
use mailwright_plugin::{Address, Fault};

impl Who {
    /// Whoever fits all that is said; nobody of whom something else is not known.
    pub(crate) fn all(&self, facts: &Facts, to: Option<&Address>) -> Result<bool, Fault> {
        Ok(self.plain(facts, to).into_iter().flatten().all(|fits| fits)
            && (self.tables.is_empty() || self.listed(facts)?))
    }

    /// Whoever fits one of what is said.
    pub(crate) fn any(&self, facts: &Facts, to: Option<&Address>) -> Result<bool, Fault> {
        Ok(self.plain(facts, to).contains(&Some(true)) || self.listed(facts)?)
    }

    /// What fits, of what needs no look-up; none of what is not said.
    fn plain(&self, facts: &Facts, to: Option<&Address>) -> [Option<bool>; 7] {
        let said = |empty: bool, fits: &dyn Fn() -> bool| (!empty).then(fits);
        let among = |names: &[String], name: Option<&String>| {
            name.is_some_and(|name| names.iter().any(|known| known == "*" || known.eq_ignore_ascii_case(name)))
        };
        let domain = |address: Option<&Address>, known: &[mailwright_plugin::config::DomainPattern]| {
            address.is_some_and(|address| known.iter().any(|pattern| pattern.matches(&address.domain)))
        };
        [
            said(self.networks.is_empty(), &|| {
                facts.peer.is_some_and(|ip| self.networks.iter().any(|network| network.contains(ip)))
            }),
            said(self.listeners.is_empty(), &|| among(&self.listeners, facts.listener.as_ref())),
            said(self.users.is_empty(), &|| among(&self.users, facts.user.as_ref())),
            said(self.tenants.is_empty(), &|| among(&self.tenants, facts.tenant.as_ref())),
            said(self.sender_domains.is_empty(), &|| domain(facts.sender.as_ref(), &self.sender_domains)),
            said(self.recipient_domains.is_empty(), &|| domain(to, &self.recipient_domains)),
            said(self.sites.is_empty(), &|| among(&self.sites, facts.site.as_ref())),
        ]
    }

    /// Whether a table has the client's address, the user, the sender or its domain.
    fn listed(&self, facts: &Facts) -> Result<bool, Fault> {
        for table in &self.tables {
            let keys = [
                facts.peer.map(|ip| ip.to_string()),
                facts.user.clone(),
                facts.sender.as_ref().map(ToString::to_string),
                facts.sender.as_ref().map(|sender| sender.domain.clone()),
            ];
            for key in keys.iter().flatten() {
                if Table(table).has(key)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The first of its tables that is not granted.
    pub(crate) fn missing_table(&self) -> Option<&str> {
        self.tables.iter().map(String::as_str).find(|table| Table(table).has("").is_err())
    }
}
