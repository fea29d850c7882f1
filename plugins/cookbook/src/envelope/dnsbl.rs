//! Lists of bad addresses in the DNS: who is on enough of them is refused before it says a word.
//!
//! `allow = ["dns", "log"]`

use mailwright_plugin::{Config, Fault, Gate, Reply, dns, log, session};

/// Which lists count.
#[derive(Debug, Config)]
pub struct Config {
    /// The lists' zones.
    #[config(length = 1..=8)]
    pub zones: Vec<String>,
    /// So many lists must have an address.
    #[config(default = 1, range = 1..=8)]
    pub listed_min: u32,
}

/// Asks the lists.
#[derive(Debug)]
pub struct Lists(Config);

#[mailwright_plugin::plugin]
impl Lists {
    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self(config))
    }

    fn on_connect(&mut self) -> Result<Gate, Fault> {
        let peer = session::peer_ip()?;
        let mut listed = 0;
        for zone in &self.0.zones {
            match dns::dnsbl(zone, &peer) {
                // In 127.255.255.0/24 a list complains of the question itself (RFC 5782 does not; lists do).
                Ok(answers) if answers.iter().any(|answer| !answer.starts_with("127.255.255.")) => listed += 1,
                Ok(_) => {}
                // A list that is down must not stop the mail.
                Err(error) => log!(Warn, "{zone} does not answer: {error:?}"),
            }
        }
        if listed < self.0.listed_min {
            return Ok(Gate::Next);
        }
        Ok(Gate::Reject(Reply::new(554, &format!("{peer} is on {listed} lists of bad senders")).status(5, 7, 1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::{self, scene};

    #[test]
    fn two_lists_refuse_one_does_not_and_a_dead_one_is_logged() {
        scene(|scene| {
            scene.session = Some(testing::session("192.0.2.1"));
            let mut list = |zone: &str, answer: &str| {
                scene.dns.lists.insert((zone.to_owned(), "192.0.2.1".to_owned()), vec![answer.to_owned()])
            };
            list("one.test", "127.0.0.2");
            list("two.test", "127.0.0.4");
            list("odd.test", "127.255.255.254");
            scene.dns.failing.insert("dead.test".to_owned(), dns::Error::Timeout);
        });
        let asked = |zones: &str| {
            let config = from_json(&format!(r#"{{ "listed_min": 2, "zones": {zones} }}"#)).expect("it fits");
            Lists::configure(config).expect("it is sound").on_connect().expect("the scene grants it")
        };
        assert_eq!(asked(r#"["one.test", "odd.test", "dead.test"]"#), Gate::Next);
        assert_eq!(scene(|scene| scene.log.len()), 1);
        assert!(matches!(asked(r#"["one.test", "two.test"]"#), Gate::Reject(reply) if reply.code == 554));
    }
}
