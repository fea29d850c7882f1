//! Messages that fault the same plugin again and again.
//!
//! Before an attempt a fault is told in the attempt's reply, which is kept with the message: how often in a row it
//! happened is read from there, so a restart forgets nothing and no record has another shape. While a message is
//! received its client keeps it, so the last such messages are remembered here.

use super::{Fault, Kind};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use std::collections::VecDeque;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, PoisonError};

/// Messages of clients that are remembered.
const REMEMBERED_MAX: usize = 256;
/// The longest reason that a message is held for, in octets.
const REASON_BYTES_MAX: usize = 512;

const BEGIN: &str = "Policy can't decide now (";
const BEFORE: &str = ", ";
const END: &str = " in a row), try again later";

/// Whether a message can be what is wrong. A full pool is not its doing, and a plugin that says itself that it can't
/// decide, as while a service is away, wants to be asked again.
pub(crate) fn counts(kind: Kind) -> bool {
    match kind {
        Kind::Trap | Kind::Cpu | Kind::Wall | Kind::Memory | Kind::Answer => true,
        Kind::Pool | Kind::Fault | Kind::Breaker => false,
    }
}

/// 451 4.3.0 (RFC 5321 4.2.3, RFC 3463 3.4), with what the next attempt has to know.
pub(crate) fn reply(plugin: &str, kind: Kind, faults: u32) -> Reply {
    let text = format!("{BEGIN}{plugin}: {}{BEFORE}{faults}{END}", kind.name());
    Reply { text: text.into(), ..Reply::new(451, EnhancedStatus::new(4, 3, 0), "") }
}

/// How often in a row the plugin faulted at attempts of a message, by the last one's reply. A next hop that says the
/// same words makes a message wait for its operator one fault earlier, and no more.
pub(crate) fn faults_before(plugin: &str, last_reply: Option<&str>) -> u32 {
    let text = last_reply.and_then(|reply| reply.split_once(BEGIN)).map(|(_, text)| text);
    let text = text.and_then(|text| text.strip_prefix(plugin)?.strip_prefix(": ")?.strip_suffix(END));
    text.and_then(|text| text.rsplit_once(BEFORE)?.1.parse().ok()).unwrap_or(0)
}

/// Why a message is held.
pub(crate) fn reason(plugin: &str, hook: &str, fault: &Fault, faults: u32) -> String {
    let at = fault.frames.first().map(|frame| format!(" at {frame}")).unwrap_or_default();
    let (kind, why) = (fault.kind.name(), fault.why.replace(char::is_control, " "));
    let mut reason = format!("plugin {plugin} failed at {hook} {faults} times in a row ({kind}: {why}{at})");
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}

/// The last messages that faulted a plugin while they were received.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<VecDeque<(u64, u32)>>);

impl Remembered {
    /// The plugin faulted at this message: how often it did, as far as that is remembered.
    pub(crate) fn again(&self, plugin: &str, message: impl Hash) -> u32 {
        let mut hasher = DefaultHasher::new();
        (plugin, message).hash(&mut hasher);
        let key = hasher.finish();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|(other, _)| *other == key);
        let faults = at.and_then(|at| known.remove(at)).map_or(0, |(_, faults)| faults).saturating_add(1);
        if known.len() >= REMEMBERED_MAX {
            known.pop_front();
        }
        known.push_back((key, faults));
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_carries_the_count_to_the_next_attempt() {
        let said = reply("grey", Kind::Trap, 2).to_string();
        assert_eq!(said, "451 4.3.0 Policy can't decide now (grey: trap, 2 in a row), try again later");
        assert_eq!(faults_before("grey", Some(&said)), 2);
        assert_eq!(faults_before("gre", Some(&said)), 0, "another plugin's");
        assert_eq!(faults_before("grey", Some("451 4.3.0 Policy can't decide now, try again later")), 0);
        assert_eq!(faults_before("grey", Some("450 4.2.0 mailbox is busy")), 0);
        assert_eq!(faults_before("grey", None), 0);
    }

    #[test]
    fn the_reason_names_plugin_hook_and_fault_and_is_one_short_line() {
        let mut fault = Fault::new(Kind::Trap, "wasm trap:\nunreachable");
        fault.frames = vec!["grey::check".to_owned()];
        let told = "plugin grey failed at pre-send 3 times in a row (trap: wasm trap: unreachable at grey::check)";
        assert_eq!(reason("grey", "pre-send", &fault, 3), told);
        fault.why = "x".repeat(999);
        assert_eq!(reason("grey", "pre-send", &fault, 3).len(), REASON_BYTES_MAX);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_told_apart() {
        let remembered = Remembered::default();
        let counts: Vec<u32> = (0..3).map(|_| remembered.again("grey", ("a@b", "id"))).collect();
        assert_eq!(counts, [1, 2, 3]);
        assert_eq!((remembered.again("other", ("a@b", "id")), remembered.again("grey", ("a@b", "di"))), (1, 1));
        assert!((0..REMEMBERED_MAX).all(|n| remembered.again("grey", n) == 1));
        assert_eq!(remembered.again("grey", ("a@b", "id")), 1, "forgotten");
    }
}
