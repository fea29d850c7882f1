//! Recipients that exist: a table of mailboxes, with `+tags` and a catch-all for each domain.
//!
//! `allow = ["tables:mailboxes"]`, and a `[[table]]` of that name: `ann@example.org`, or `@example.net` for all of it.

use mailwright_plugin::tables::Table;
use mailwright_plugin::{Address, Config, Fault, Gate, Rcpt, Reply};

/// How addresses are looked up.
#[derive(Debug, Config)]
pub struct Config {
    /// What separates a mailbox from a tag behind it; nothing if empty.
    #[config(default = "+", length = 0..=1)]
    pub tag: String,
}

/// Looks recipients up.
#[derive(Debug)]
pub struct Mailboxes {
    tag: String,
}

#[mailwright_plugin::plugin]
impl Mailboxes {
    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self { tag: config.tag })
    }

    fn on_rcpt(&mut self, rcpt: &Rcpt) -> Result<Gate, Fault> {
        let Address { local, domain } = &rcpt.to;
        let plain = match &*self.tag {
            "" => local,
            tag => local.split(tag).next().unwrap_or(local),
        };
        let table = Table("mailboxes");
        for key in [rcpt.to.to_string(), format!("{plain}@{domain}"), format!("@{domain}")] {
            if table.has(&key)? {
                return Ok(Gate::Next);
            }
        }
        Ok(Gate::Reject(Reply::new(550, "there is no such mailbox").status(5, 1, 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::scene;

    #[test]
    fn mailboxes_with_tags_and_whole_domains_are_known() {
        let keys = ["ann@example.org", "@example.net"].map(|key| (key.to_owned(), String::new()));
        scene(|scene| scene.tables.insert("mailboxes".to_owned(), keys.into()));
        let asked = |config: &str, local: &str, domain: &str| {
            let mut plugin = Mailboxes::configure(from_json(config).expect("it fits")).expect("it is sound");
            let rcpt = Rcpt { sender: None, to: Address::new(local, domain), params: Vec::new() };
            plugin.on_rcpt(&rcpt).expect("the table is there") == Gate::Next
        };
        assert!(asked("{}", "Ann", "example.org") && asked("{}", "ann+lists", "example.org"));
        assert!(!asked("{}", "bob", "example.org") && asked("{}", "bob", "example.net"));
        assert!(!asked(r#"{ "tag": "" }"#, "ann+lists", "example.org"));
    }
}
