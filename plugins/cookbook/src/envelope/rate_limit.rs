//! A rate limit for each client and each sender: so many messages in a time, then 451 with when to come back.
//!
//! `allow = ["kv:rates"]`

use mailwright_plugin::kv::{Bucket, Taken};
use mailwright_plugin::{Config, Fault, Gate, Mail, session};
use std::time::Duration;

/// Limits of messages.
#[derive(Debug, Config)]
pub struct Config {
    /// Messages of one address in the window.
    #[config(default = 100, range = 1..=1_000_000)]
    pub per_client_max: u32,
    /// Messages of one sender in the window, whatever address it uses.
    #[config(default = 30, range = 1..=1_000_000)]
    pub per_sender_max: u32,
    /// The window.
    #[config(default = "1h", range = "1s"..="1d")]
    pub window: Duration,
}

/// Counts.
#[derive(Debug)]
pub struct RateLimit(Config);

#[mailwright_plugin::plugin]
impl RateLimit {
    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self(config))
    }

    fn on_mail(&mut self, mail: &Mail) -> Result<Gate, Fault> {
        let client = session::peer_ip()?;
        let sender = mail.sender.as_ref().map(|sender| sender.to_string().to_lowercase());
        let limits = [
            (format!("client {client}"), self.0.per_client_max),
            // Bounces have no sender, and must not share one limit.
            (sender.map_or_else(|| format!("bounces of {client}"), |sender| format!("sender {sender}")), self.0.per_sender_max),
        ];
        let window = u64::try_from(self.0.window.as_millis()).unwrap_or(u64::MAX);
        for (key, limit) in limits {
            if let Taken::RetryAfterMs(wait) = Bucket("rates").take(&key, 1, limit, window)? {
                return Ok(Gate::tempfail(&format!("too many messages: come back in {} s", wait.div_ceil(1000))));
            }
        }
        Ok(Gate::Next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::Address;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::{self, scene};

    #[test]
    fn what_is_too_much_is_told_when_to_come_back() {
        scene(|scene| scene.session = Some(testing::session("192.0.2.1")));
        let config = from_json(r#"{ "per_client_max": 3, "per_sender_max": 2, "window": "1m" }"#).expect("it fits");
        let mut plugin = RateLimit::configure(config).expect("it is sound");
        let mut asked = |local: Option<&str>| {
            let sender = local.map(|local| Address::new(local, "example.org"));
            plugin.on_mail(&Mail { sender, params: Vec::new() }).expect("the scene grants it")
        };
        assert_eq!((asked(Some("a")), asked(Some("A"))), (Gate::Next, Gate::Next));
        assert_eq!(asked(Some("a")), Gate::tempfail("too many messages: come back in 30 s"), "two of one sender");
        assert_eq!(asked(None), Gate::tempfail("too many messages: come back in 20 s"), "three of one client");
        scene(|scene| scene.now_ms = 20_000);
        assert_eq!(asked(None), Gate::Next);
    }
}
