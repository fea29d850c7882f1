//! How often one recipient is written to: so many messages in any stretch of time of that length, exactly, however many ask at
//! once.
//!
//! What counts is when a message may go. Those times lie in the bucket, many recipients in one value, so that a list of a
//! million does not need a million of them; each change is made against the version that was read.

use crate::hash::hash;
use crate::rule;
use mailwright_plugin::kv::{self, Bucket};
use mailwright_plugin::{Address, Config, Fault, Routing, metrics};
use std::collections::BTreeMap;
use std::time::Duration;

/// The bucket; the plugin must be granted it.
const BUCKET: Bucket<'static> = Bucket("caps");
/// Values that one cap is spread over.
const SHARDS: u64 = 4096;
/// Messages that wait for their turn at one recipient.
const WAITING_MAX: usize = 100;
/// Times that another may be faster.
const TRIES_MAX: u32 = 16;

/// How often one recipient is written to.
#[derive(Clone, Debug, Config)]
pub struct Cap {
    /// Messages in the window.
    #[config(range = 1..=100)]
    pub messages_max: u32,
    /// How long the window is: it is any stretch of that length, and not the day or the week of a calendar.
    #[config(range = "1s"..="366d")]
    pub window: Duration,
    /// What is counted together: all mail to a `recipient` that is under this cap, or that of one `campaign` to it.
    #[config(default = "recipient")]
    pub per: Per,
    /// What becomes of more: `wait` until there is room, `hold` for an operator, `refuse`.
    #[config(default = "wait")]
    pub over: Over,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Per {
    /// All mail under the cap.
    Recipient,
    /// That of one campaign.
    Campaign,
}

/// What becomes of more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Over {
    /// It is sent when there is room.
    Wait,
    /// It is kept until an operator decides.
    Hold,
    /// It bounces.
    Refuse,
}

impl Cap {
    /// What is said of mail that is too much.
    pub(crate) fn answer(&self, name: &str) -> Routing {
        let messages = if self.messages_max == 1 { "message" } else { "messages" };
        let often = format!("{} {messages} in {}", self.messages_max, shown(self.window));
        match self.over {
            Over::Hold => Routing::hold(&format!("the cap \"{name}\" allows {often}")),
            Over::Refuse => Routing::reject(&format!("this recipient is written to often enough: {often}")),
            Over::Wait => Routing::tempfail("too many messages wait for their turn at this recipient"),
        }
    }
}

/// Checks that the bucket is there where it is needed.
///
/// # Errors
/// It is not granted.
pub(crate) fn check(caps: &BTreeMap<String, Cap>) -> Result<(), Fault> {
    match BUCKET.get("") {
        Err(kv::Error::NoSuchBucket) if !caps.is_empty() => {
            Err(Fault::InvalidConfig("caps: add \"kv:caps\" to the plugin's `allow`".to_owned()))
        }
        _ => Ok(()),
    }
}

/// What is to be counted.
pub(crate) struct Granted<'a> {
    pub(crate) name: &'a str,
    pub(crate) cap: &'a Cap,
    pub(crate) campaign: Option<&'a str>,
    pub(crate) recipient: &'a Address,
    /// Its queue id: who is asked about it twice counts once.
    pub(crate) message: &'a str,
}

/// What the cap says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Capped {
    /// It may go at that time, and is counted.
    At(u64),
    /// There is no room, and it is not counted.
    Over,
}

/// One message to one recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    /// Whose count it is of.
    whose: u64,
    message: u32,
    at_ms: u64,
}

impl Granted<'_> {
    /// Counts a message that may go at `begins` or later; `open` moves a time into its sending window.
    pub(crate) fn take(
        &self,
        begins: u64,
        now: u64,
        open: &mut impl FnMut(u64) -> Result<u64, Fault>,
    ) -> Result<Capped, Fault> {
        let recipient = self.recipient.to_string().to_ascii_lowercase();
        let campaign = self.campaign.filter(|_| self.cap.per == Per::Campaign).unwrap_or_default();
        let key = format!("{}/{:03x}", self.name, hash(1, &[campaign, &recipient]) % SHARDS);
        let whose = hash(2, &[campaign, &recipient]);
        let message = hash(3, &[self.message, &recipient]) as u32;
        let window = rule::ms(self.cap.window);
        for _ in 0..TRIES_MAX {
            let before = BUCKET.get(&key)?;
            let (version, value) = before.map_or((None, Vec::new()), |entry| (Some(entry.version), entry.value));
            let mut turns: Vec<Turn> = turns(&value).filter(|turn| turn.at_ms.saturating_add(window) > now).collect();
            let own: Vec<Turn> = turns.iter().filter(|turn| turn.whose == whose).copied().collect();
            if let Some(turn) = own.iter().find(|turn| turn.message == message) {
                return Ok(Capped::At(turn.at_ms));
            }
            let Some(at_ms) = self.turn(&own, begins, open)? else { return Ok(Capped::Over) };
            turns.push(Turn { whose, message, at_ms });
            let last = turns.iter().map(|turn| turn.at_ms).max().unwrap_or(at_ms);
            let ttl = last.saturating_add(window).saturating_sub(now);
            match BUCKET.cas(&key, version, &written(&turns), Some(ttl)) {
                Err(kv::Error::Conflict) => {}
                done => {
                    done?;
                    if at_ms > begins {
                        metrics::add("waiting", &[("cause", "cap")], 1);
                    }
                    return Ok(Capped::At(at_ms));
                }
            }
        }
        Err(Fault::Unavailable("the bucket \"caps\" is changed too often at once".to_owned()))
    }

    /// When a message may go, behind those that have their turns; none where there is no room.
    fn turn(
        &self,
        own: &[Turn],
        begins: u64,
        open: &mut impl FnMut(u64) -> Result<u64, Fault>,
    ) -> Result<Option<u64>, Fault> {
        // Each has its turn behind the last, so they lie in order.
        let most = self.cap.messages_max as usize;
        let free = own.len().checked_sub(most).map_or(0, |at| own[at].at_ms.saturating_add(rule::ms(self.cap.window)));
        let waits = free > begins;
        if waits && (self.cap.over != Over::Wait || own.len() >= most + WAITING_MAX) {
            metrics::add("capped", &[("cap", self.name)], 1);
            return Ok(None);
        }
        let behind = own.last().map_or(0, |turn| turn.at_ms);
        open(begins.max(free).max(behind)).map(Some)
    }
}

/// Octets of a turn in the bucket.
const TURN_BYTES: usize = 20;

fn turns(value: &[u8]) -> impl Iterator<Item = Turn> {
    let (whole, _) = value.as_chunks::<TURN_BYTES>();
    whole.iter().map(|octets| {
        let number = |from: usize, to: usize| {
            octets[from..to].iter().rev().fold(0_u64, |number, octet| number << 8 | u64::from(*octet))
        };
        Turn { whose: number(0, 8), message: number(8, 12) as u32, at_ms: number(12, 20) }
    })
}

fn written(turns: &[Turn]) -> Vec<u8> {
    let mut value = Vec::with_capacity(turns.len() * TURN_BYTES);
    for turn in turns {
        value.extend(turn.whose.to_le_bytes());
        value.extend(turn.message.to_le_bytes());
        value.extend(turn.at_ms.to_le_bytes());
    }
    value
}

/// `7 days`, or in the largest unit that fits.
fn shown(time: Duration) -> String {
    let seconds = time.as_secs();
    let units = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let (unit, name) =
        units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit)).unwrap_or((1, "second"));
    let number = seconds / unit;
    format!("{number} {name}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;

    const DAY: u64 = 86_400_000;

    fn cap(json: &str) -> Cap {
        from_json(json).expect("it fits")
    }

    fn take(cap: &Cap, recipient: &str, campaign: &str, message: &str, now: u64) -> Capped {
        let (local, domain) = recipient.rsplit_once('@').expect("an address");
        let recipient = Address::new(local, domain);
        let granted = Granted { name: "c", cap, campaign: Some(campaign), recipient: &recipient, message };
        granted.take(now, now, &mut Ok).expect("the stand-in answers")
    }

    #[test]
    fn more_than_so_many_wait_until_the_first_is_old_enough() {
        let cap = cap(r#"{ "messages_max": 2, "window": "1d" }"#);
        let at = |message, now| take(&cap, "ann@a.test", "", message, now);
        assert_eq!((at("1", 1000), at("2", 2000)), (Capped::At(1000), Capped::At(2000)));
        assert_eq!((at("3", 3000), at("4", 3000)), (Capped::At(1000 + DAY), Capped::At(2000 + DAY)));
        assert_eq!(at("5", 3000), Capped::At(1000 + 2 * DAY));
        assert_eq!(take(&cap, "bob@a.test", "", "1", 3000), Capped::At(3000), "others are not held by it");
        assert_eq!(at("6", 2500 + 3 * DAY), Capped::At(2500 + 3 * DAY), "old ones are forgotten");
    }

    #[test]
    fn who_is_asked_about_a_message_twice_counts_it_once() {
        let cap = cap(r#"{ "messages_max": 1, "window": "1d" }"#);
        assert_eq!(take(&cap, "ann@a.test", "", "1", 1000), Capped::At(1000));
        assert_eq!(take(&cap, "Ann@A.test", "", "1", 5000), Capped::At(1000));
        assert_eq!(take(&cap, "ann@a.test", "", "2", 5000), Capped::At(1000 + DAY));
        assert_eq!(take(&cap, "ann@a.test", "", "2", 6000), Capped::At(1000 + DAY));
    }

    #[test]
    fn campaigns_are_counted_apart_where_that_is_wanted() {
        let of_campaign = cap(r#"{ "messages_max": 1, "window": "1d", "per": "campaign", "over": "hold" }"#);
        assert_eq!(take(&of_campaign, "ann@a.test", "spring", "1", 0), Capped::At(0));
        assert_eq!(take(&of_campaign, "ann@a.test", "summer", "2", 0), Capped::At(0));
        assert_eq!(take(&of_campaign, "ann@a.test", "spring", "3", 0), Capped::Over);
    }

    #[test]
    fn what_is_over_is_not_counted() {
        let cap = cap(r#"{ "messages_max": 1, "window": "1h", "over": "refuse" }"#);
        assert_eq!(take(&cap, "ann@a.test", "", "1", 0), Capped::At(0));
        for (message, now) in [("2", 1), ("3", 3_599_999)] {
            assert_eq!(take(&cap, "ann@a.test", "", message, now), Capped::Over);
        }
        assert_eq!(take(&cap, "ann@a.test", "", "4", 3_600_000), Capped::At(3_600_000));
    }

    #[test]
    fn only_so_many_wait() {
        let cap = cap(r#"{ "messages_max": 1, "window": "1h" }"#);
        let taken: Vec<Capped> = (0..102).map(|n| take(&cap, "ann@a.test", "", &n.to_string(), 0)).collect();
        assert_eq!((&taken[100], &taken[101]), (&Capped::At(100 * 3_600_000), &Capped::Over));
        assert!(matches!(cap.answer("c"), Routing::Fail(reply) if reply.code == 451));
    }

    #[test]
    fn a_turn_lies_in_the_sending_window() {
        let cap = cap(r#"{ "messages_max": 1, "window": "1d" }"#);
        let recipient = Address::new("ann", "a.test");
        // Open in every second day.
        let mut open = |at: u64| Ok(if (at / DAY).is_multiple_of(2) { at } else { (at / DAY + 1) * DAY });
        let mut take = |message: &str| {
            let granted = Granted { name: "c", cap: &cap, campaign: None, recipient: &recipient, message };
            granted.take(0, 0, &mut open).expect("the stand-in answers")
        };
        assert_eq!((take("1"), take("2"), take("3")), (Capped::At(0), Capped::At(2 * DAY), Capped::At(4 * DAY)));
    }

    #[test]
    fn the_reason_says_how_often() {
        let held = cap(r#"{ "messages_max": 2, "window": "7d", "over": "hold" }"#).answer("weekly");
        assert_eq!(held, Routing::hold("the cap \"weekly\" allows 2 messages in 7 days"));
        let Routing::Fail(reply) = cap(r#"{ "messages_max": 1, "window": "90m", "over": "refuse" }"#).answer("x")
        else {
            panic!("it is refused")
        };
        assert_eq!(reply.text, "this recipient is written to often enough: 1 message in 90 minutes");
    }
}
