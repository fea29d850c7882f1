//! What the configuration tells the scheduler.

use crate::base::flow::attempt::Routes;
use crate::base::flow::entry::Entry;
use crate::base::time::UnixMillis;
use crate::config::model::Config;
use std::sync::Arc;
use std::time::Duration;

/// The part of the configuration that decides when and how fast.
#[derive(Clone)]
pub struct Rules {
    /// Which way a recipient goes.
    pub routes: Arc<dyn Routes>,
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
    /// The rules that `config` states.
    #[must_use]
    pub fn of(config: &Arc<Config>) -> Self {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        Self {
            routes: Arc::clone(config) as Arc<dyn Routes>,
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
