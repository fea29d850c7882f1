//! A copy of all mail of a domain to an archive, which the other recipients don't see.
//!
//! `edit = ["recipients"]`

use mailwright_plugin::{Address, Config, Disposition, Fault, message};

/// What is archived, and where.
#[derive(Debug, Config)]
pub struct Config {
    /// Mail from or to these domains; all mail if there are none.
    #[config(default)]
    pub domains: Vec<String>,
    /// The archive's mailbox.
    #[config(length = 3..=254)]
    pub to: String,
}

/// Adds the archive to the recipients.
#[derive(Debug)]
pub struct Archive {
    domains: Vec<String>,
    to: Address,
}

#[mailwright_plugin::plugin]
impl Archive {
    fn configure(config: Config) -> Result<Self, Fault> {
        let Some((local, domain)) = config.to.rsplit_once('@') else {
            return Err(Fault::InvalidConfig("to: expected an address, as \"archive@example.org\"".to_owned()));
        };
        Ok(Self { to: Address::new(local, domain), domains: config.domains })
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        let info = message::current()?;
        let ours = |one: &Address| self.domains.iter().any(|domain| domain.eq_ignore_ascii_case(&one.domain));
        let wanted = self.domains.is_empty() || info.sender.iter().chain(&info.recipients).any(ours);
        if wanted && !info.recipients.contains(&self.to) {
            message::add_recipient(&self.to)?;
        }
        Ok(Disposition::Next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::{Message, scene};

    fn recipients(config: &str, to: &[&str]) -> Vec<String> {
        let recipients = to.iter().map(|domain| Address::new("a", domain)).collect();
        scene(|scene| scene.message = Some(Message { recipients, ..Message::default() }));
        let mut plugin = Archive::configure(from_json(config).expect("it fits")).expect("it is sound");
        for _ in 0..2 {
            assert_eq!(plugin.on_data(), Ok(Disposition::Next));
        }
        let info = message::current().expect("there is a message");
        info.recipients.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_archive_gets_what_concerns_its_domains_once() {
        let all = r#"{ "to": "all@archive.test" }"#;
        assert_eq!(recipients(all, &["x.test"]), ["a@x.test", "all@archive.test"]);
        let some = r#"{ "to": "all@archive.test", "domains": ["Y.test"] }"#;
        assert_eq!(recipients(some, &["x.test"]), ["a@x.test"]);
        assert_eq!(recipients(some, &["x.test", "y.test"]), ["a@x.test", "a@y.test", "all@archive.test"]);
        let refused = Archive::configure(from_json(r#"{ "to": "archive" }"#).expect("it is text"));
        assert!(matches!(refused, Err(Fault::InvalidConfig(_))), "{refused:?}");
    }
}
