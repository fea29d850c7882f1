//! Mail leaves for some domains at a pace: what is too much waits for its turn, and for nobody else's.
//!
//! `allow = ["clock", "kv:pace"]`

use mailwright_plugin::kv::{Bucket, Taken};
use mailwright_plugin::{Config, Fault, Sending, clock, delivery};
use std::collections::BTreeMap;
use std::time::Duration;

/// Paces by recipient domain.
#[derive(Debug, Config)]
pub struct Config {
    /// Domains with their paces; others have none.
    #[config(length = 1..=1000)]
    pub domains: BTreeMap<String, Pace>,
}

/// The pace of one domain.
#[derive(Debug, Config)]
pub struct Pace {
    /// Messages in the window.
    #[config(range = 1..=1_000_000)]
    pub messages_max: u32,
    /// The window.
    #[config(default = "1m", range = "1s"..="1d")]
    pub window: Duration,
}

/// Lets mail go in its turn.
#[derive(Debug)]
pub struct Paces {
    domains: BTreeMap<String, Pace>,
}

#[mailwright_plugin::plugin]
impl Paces {
    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self { domains: config.domains.into_iter().map(|(name, pace)| (name.to_lowercase(), pace)).collect() })
    }

    fn on_pre_send(&mut self) -> Result<Sending, Fault> {
        let domain = delivery::recipient()?.domain.to_lowercase();
        let Some(pace) = self.domains.get(&domain) else { return Ok(Sending::Next) };
        let window = u64::try_from(pace.window.as_millis()).unwrap_or(u64::MAX);
        match Bucket("pace").take(&domain, 1, pace.messages_max, window)? {
            Taken::Remaining(_) => Ok(Sending::Next),
            Taken::RetryAfterMs(wait) => Ok(Sending::NotBefore(clock::now_ms() + wait)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::delivery::Info;
    use mailwright_plugin::testing::scene;
    use mailwright_plugin::{Address, Priority};

    fn asked(domain: &str) -> Sending {
        let attempt = Info {
            queue_id: "1".to_owned(),
            recipient: Address::new("a", domain),
            tenant: None,
            campaign: None,
            priority: Priority::Normal,
            attempt: 1,
            queued_ms: 0,
            last_reply: None,
            site: None,
        };
        scene(|scene| scene.delivery = Some(attempt));
        let config = from_json(r#"{ "domains": { "Slow.test": { "messages_max": 2 } } }"#).expect("it fits");
        Paces::configure(config).expect("it is sound").on_pre_send().expect("the scene grants it")
    }

    #[test]
    fn the_third_of_two_waits_for_its_turn_and_other_domains_do_not() {
        scene(|scene| scene.now_ms = 1_000_000);
        assert_eq!((asked("slow.test"), asked("SLOW.test")), (Sending::Next, Sending::Next));
        assert_eq!(asked("slow.test"), Sending::NotBefore(1_030_000));
        assert_eq!(asked("fast.test"), Sending::Next);
    }
}
