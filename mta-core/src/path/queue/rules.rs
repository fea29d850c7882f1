//! What the configuration tells the scheduler.

use crate::base::flow::attempt::{NextHop, Routes};
use crate::base::flow::entry::Entry;
use crate::base::time::UnixMillis;
use crate::config::model::Config;
use std::sync::Arc;
use std::time::Duration;

/// Which way each recipient of a message goes: by what policy said of it, and by the configuration.
#[derive(Clone)]
pub struct Ways {
    /// The configuration's.
    pub routes: Arc<dyn Routes>,
    /// Plugins say where recipients go: whom they were not asked about goes nowhere before.
    pub placing: bool,
}

impl Ways {
    /// The recipient's next hop.
    #[must_use]
    pub fn of(&self, entry: &Entry, recipient: usize) -> NextHop {
        let address = entry.envelope.recipients.get(recipient).map(|recipient| &recipient.address);
        // Nobody is asked where feedback goes: it goes on no further.
        if address.is_some_and(|address| self.routes.is_feedback(address)) {
            return NextHop::Feedback;
        }
        let domain = address.and_then(|address| address.domain());
        match entry.placement(recipient) {
            Some(placement) => self.routes.placed(domain, placement),
            None if self.placing => NextHop::Unplaced,
            None => self.routes.next_hop(domain),
        }
    }

    /// Whether what the next hop hangs on is the same for both, so that it need not be looked for again.
    #[must_use]
    pub fn are_alike(&self, entry: &Entry, one: usize, other: usize) -> bool {
        let chosen = |index| entry.placement(index).map(|placement| (&placement.via, &placement.pool));
        let address = |index: usize| entry.envelope.recipients.get(index).map(|recipient| &recipient.address);
        let domain = |index: usize| address(index).map(|address| address.domain());
        let is_feedback = |index: usize| address(index).is_some_and(|address| self.routes.is_feedback(address));
        domain(one) == domain(other) && chosen(one) == chosen(other) && is_feedback(one) == is_feedback(other)
    }
}

/// The part of the configuration that decides when and how fast.
#[derive(Clone)]
pub struct Rules {
    /// Which way a recipient goes.
    pub ways: Ways,
    /// Accept and queue, deliver nothing. Ages are still looked at.
    pub paused: bool,
    /// Attempts under way, in all.
    pub attempts_max: u32,
    /// Attempts under way to one destination.
    pub attempts_per_destination_max: u32,
    /// Waits between attempts; also how long a failing destination rests.
    pub retry: Vec<Duration>,
    /// After this age what is left bounces.
    pub age_max: Duration,
    /// The same for messages from the null sender.
    pub notification_age_max: Duration,
    /// After this age the sender is told, once.
    pub delay_notice: Option<Duration>,
}

impl Rules {
    /// The rules that `config` states; `placing` when plugins say where recipients go.
    #[must_use]
    pub fn of(config: &Arc<Config>, placing: bool) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            ways: Ways { routes: Arc::clone(config) as Arc<dyn Routes>, placing },
            paused: config.delivery.paused,
            attempts_max: count(config.delivery.attempts_max),
            attempts_per_destination_max: count(config.delivery.attempts_per_destination_max),
            retry: config.queue.retry.clone(),
            age_max: config.queue.age_max,
            notification_age_max: config.queue.notification_age_max,
            delay_notice: config.queue.delay_notice,
        }
    }

    /// When the message is too old.
    pub(super) fn expires_at(&self, entry: &Entry) -> UnixMillis {
        let age_max = if entry.is_notification() { self.notification_age_max } else { self.age_max };
        entry.accepted.plus(age_max)
    }

    /// When its sender is to be told of the delay; nobody is told of a notification's (RFC 3461 6.1).
    pub(super) fn notice_at(&self, entry: &Entry) -> Option<UnixMillis> {
        let after = self.delay_notice.filter(|_| !entry.is_notification())?;
        Some(entry.accepted.plus(after))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fixtures::entry;
    use crate::config::parse::parse;

    #[test]
    fn feedback_goes_nowhere_else_whatever_policy_would_say() {
        let text = "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"[::1]:25\"\n\
            [[route]]\nto = \"*\"\nsmarthost = \"192.0.2.1:25\"\n\
            [feedback]\ndomain = \"bounces.example.org\"\nreports = [\"fbl\"]\n";
        let config = Arc::new(parse("test", text, &[]).expect("it is sound"));
        let mark = format!("b-{}@bounces.example.org", "a".repeat(56));
        let entry =
            entry(1, "a@from.example", &[&mark, "fbl@bounces.example.org", "ann@bounces.example.org", "b@to.example"]);
        for placing in [false, true] {
            let ways = Rules::of(&config, placing).ways;
            let feedback = [true, true, false, false];
            for (index, feedback) in feedback.into_iter().enumerate() {
                assert_eq!(ways.of(&entry, index) == NextHop::Feedback, feedback, "{index}");
                assert_eq!(ways.of(&entry, index) == NextHop::Unplaced, placing && !feedback, "{index}");
            }
            assert!(ways.are_alike(&entry, 0, 1) && !ways.are_alike(&entry, 1, 2), "of one domain, and not of one way");
        }
    }
}
