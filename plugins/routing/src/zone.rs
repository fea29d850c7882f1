//! Where recipients are: by a table, by their domain, or as most are.

use mailwright_plugin::tables::{self, Table};
use mailwright_plugin::{Address, Config, Fault, clock, log, metrics};
use std::collections::BTreeMap;

/// Where recipients are.
#[derive(Debug, Default, Config)]
pub struct ZonesConfig {
    /// The zone of all of whom nothing else is known, by its name in IANA's database.
    #[config(default = "UTC", length = 1..=64)]
    pub default: String,
    /// A `[[table]]` with addresses or domains and their zones; the plugin must be granted it.
    pub table: Option<String>,
    /// Zones of domains and of what lies below them: of `jp` as of `example.jp`. The longest that fits counts.
    #[config(default, length = 0..=10000)]
    pub domains: BTreeMap<String, String>,
}

/// The same, checked.
#[derive(Debug)]
pub(crate) struct Zones {
    default: String,
    table: Option<String>,
    domains: BTreeMap<String, String>,
}

impl Zones {
    /// # Errors
    /// A zone that does not exist, or a table that is not granted.
    pub(crate) fn new(config: ZonesConfig) -> Result<Self, Fault> {
        let default = if config.default.is_empty() { "UTC".to_owned() } else { config.default };
        check("zones.default", &default)?;
        for (domain, zone) in &config.domains {
            check(&format!("zones.domains.{domain}"), zone)?;
        }
        if let Some(table) = &config.table {
            granted("zones.table", table)?;
        }
        let domains = config.domains.into_iter();
        let domains = domains.map(|(name, zone)| (name.trim_start_matches('.').to_ascii_lowercase(), zone));
        Ok(Self { default, table: config.table, domains: domains.collect() })
    }

    /// The recipient's zone. One that the table names and nobody knows is as if it were not there, so that a line with a slip
    /// holds no mail.
    pub(crate) fn of(&self, recipient: &Address) -> Result<String, Fault> {
        if let Some(table) = &self.table
            && let Some(zone) = look_up(table, recipient)?
        {
            if clock::local(&zone, 0).is_some() {
                return Ok(zone);
            }
            metrics::add("zones_unknown", &[], 1);
            log!(Warn, "the table {table} has the zone \"{zone}\" for {recipient}, which is not in IANA's database");
        }
        let domain = recipient.domain.to_ascii_lowercase();
        let mut name = &*domain;
        loop {
            if let Some(zone) = self.domains.get(name) {
                return Ok(zone.clone());
            }
            match name.split_once('.') {
                Some((_, above)) => name = above,
                None => return Ok(self.default.clone()),
            }
        }
    }
}

/// What a table says of an address, or else of its domain.
pub(crate) fn look_up(table: &str, address: &Address) -> Result<Option<String>, tables::Error> {
    match Table(table).lookup(&address.to_string())? {
        Some(value) => Ok(Some(value)),
        None => Table(table).lookup(&address.domain),
    }
}

/// # Errors
/// There is no such zone.
pub(crate) fn check(key: &str, zone: &str) -> Result<(), Fault> {
    match clock::local(zone, 0) {
        Some(_) => Ok(()),
        None => {
            let words = "is no zone of IANA's database: expected one as `Europe/Berlin` or `UTC`";
            Err(Fault::InvalidConfig(format!("{key}: \"{zone}\" {words}")))
        }
    }
}

/// # Errors
/// The plugin may not look into that table.
pub(crate) fn granted(key: &str, table: &str) -> Result<(), Fault> {
    match Table(table).has("") {
        Err(tables::Error::NoSuchTable) => {
            let words = format!("add \"tables:{table}\" to the plugin's `allow`, and a [[table]] of that name");
            Err(Fault::InvalidConfig(format!("{key}: the table \"{table}\" is not granted; {words}")))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::scene;

    fn zones(json: &str) -> Result<Zones, Fault> {
        scene(|scene| {
            for (zone, hours) in [("Europe/Berlin", 1), ("Asia/Tokyo", 9), ("America/New_York", -5)] {
                scene.zones.insert(zone.to_owned(), hours * 3600);
            }
            let known = [("ann@home.test", "America/New_York"), ("home.test", "Asia/Tokyo"), ("bad.test", "Moon/Base")];
            let known = known.map(|(key, zone)| (key.to_owned(), zone.to_owned()));
            scene.tables.insert("zones".to_owned(), known.into());
        });
        Zones::new(from_json(json).expect("it fits"))
    }

    #[test]
    fn a_table_goes_before_domains_and_these_before_the_default() {
        let json = r#"{ "default": "Europe/Berlin", "table": "zones",
            "domains": { "jp": "Asia/Tokyo", "us.jp": "America/New_York", "bad.test": "Asia/Tokyo" } }"#;
        let zones = zones(json).expect("it is sound");
        for (address, zone) in [
            ("Ann@home.test", "America/New_York"),
            ("bob@Home.test", "Asia/Tokyo"),
            ("a@example.jp", "Asia/Tokyo"),
            ("a@x.us.jp", "America/New_York"),
            ("a@example.org", "Europe/Berlin"),
            ("a@bad.test", "Asia/Tokyo"),
        ] {
            let (local, domain) = address.rsplit_once('@').expect("an address");
            assert_eq!(zones.of(&Address::new(local, domain)), Ok(zone.to_owned()), "{address}");
        }
        let log = scene(|scene| scene.log.clone());
        assert!(log.len() == 1 && log[0].1.contains("Moon/Base"), "{log:?}");
    }

    #[test]
    fn what_is_no_zone_or_is_not_granted_is_told_at_once() {
        for (json, words) in [
            (r#"{ "default": "Berlin" }"#, "zones.default: \"Berlin\" is no zone"),
            (r#"{ "domains": { "de": "Germany" } }"#, "zones.domains.de: \"Germany\" is no zone"),
            (r#"{ "table": "people" }"#, "add \"tables:people\""),
        ] {
            let told = format!("{:?}", zones(json).expect_err("it is not")).replace("\\\"", "\"");
            assert!(told.contains(words), "{told}");
        }
    }
}
