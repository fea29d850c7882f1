//! Greylisting: who is new waits a while, and senders that are real come back.
//!
//! `allow = ["clock", "kv:greylist"]`

use mailwright_plugin::kv::Bucket;
use mailwright_plugin::{Config, Fault, Gate, Rcpt, clock, session};
use std::net::IpAddr;
use std::time::Duration;

/// Greylisting.
#[derive(Debug, Config)]
pub struct Config {
    /// How long a new sender waits.
    #[config(default = "5m", range = "1s"..="1h")]
    pub wait: Duration,
    /// How long one that came back is known, counted from its last message.
    #[config(default = "35d", range = "1d"..="365d")]
    pub known: Duration,
}

/// Remembers who came when.
#[derive(Debug)]
pub struct Greylist(Config);

#[mailwright_plugin::plugin]
impl Greylist {
    fn configure(config: Config) -> Result<Self, Fault> {
        Ok(Self(config))
    }

    fn on_rcpt(&mut self, rcpt: &Rcpt) -> Result<Gate, Fault> {
        let peer = network(&session::peer_ip()?);
        let sender = rcpt.sender.as_ref().map(ToString::to_string).unwrap_or_default();
        let triple = format!("{peer} {sender} {}", rcpt.to).to_lowercase();
        let (bucket, now) = (Bucket("greylist"), clock::now_ms());
        let first = match bucket.get(&triple)? {
            Some(entry) => entry.value.try_into().map_or(0, u64::from_le_bytes),
            None => now,
        };
        // Who waits is forgotten after a day, who came back much later.
        let passed = now.saturating_sub(first) >= millis(self.0.wait);
        let kept = if passed { millis(self.0.known) } else { millis(Duration::from_secs(86_400)) };
        bucket.set(&triple, &first.to_le_bytes(), Some(kept))?;
        Ok(if passed { Gate::Next } else { Gate::tempfail("you are new here: please come back in some minutes") })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Large senders come back from a neighbour: /24 and /64 count as one.
fn network(ip: &str) -> String {
    match ip.parse() {
        Ok(IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}")
        }
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}")
        }
        Err(_) => ip.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::Address;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::{self, scene};

    fn asked(peer: &str, at: Duration) -> bool {
        scene(|scene| {
            scene.session = Some(testing::session(peer));
            scene.now_ms = millis(at);
        });
        let mut plugin = Greylist::configure(from_json("{}").expect("it has defaults")).expect("it is sound");
        let rcpt = Rcpt { sender: None, to: Address::new("a", "example.org"), params: Vec::new() };
        plugin.on_rcpt(&rcpt).expect("the scene grants it") == Gate::Next
    }

    #[test]
    fn who_comes_back_in_time_is_let_in_from_its_neighbour_too() {
        let at = Duration::from_secs;
        assert!(!asked("192.0.2.1", at(1000)));
        assert!(!asked("192.0.2.1", at(1299)));
        assert!(asked("192.0.2.77", at(1300)));
        assert!(asked("192.0.2.1", at(86_400 * 30)), "known for 35 days");
        assert!(!asked("192.0.3.1", at(86_400 * 30)), "another network");
        assert!(!asked("2001:db8::1", at(10)) && !asked("2001:db8:0:1::1", at(400)));
        assert!(asked("2001:db8::2", at(400)));
        assert!(!asked("192.0.2.1", at(86_400 * 66)), "forgotten");
    }
}
