//! Settle: what a report, or age alone, means for a message: done, again, bounced, held; and who is told.
//!
//! Pure: it decides, the queue makes it durable. `schedule` says when to try again, `wishes` who wants to be told
//! (RFC 3461 4.1), `notice` what there is to tell, `dsn` writes it (RFC 3464).

mod dsn;
mod notice;
mod schedule;
#[cfg(test)]
mod tests;
mod wishes;

use crate::base::flow::attempt::NextHop;
use crate::base::flow::entry::{Entry, Fate, LastFailure, Progress};
use crate::base::flow::offer::Offer;
use crate::base::flow::report::{Outcome, Report};
use crate::base::flow::ruling::{Ruling, Settle};
use crate::base::mail::content::Content;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::{Now, UnixMillis};
use crate::base::world::Dice;
use crate::config::model::Config;
use crate::config::model::feedback::Place;
use notice::{Action, EXPIRED, Notice, Notification};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Delivered or relayed (RFC 3463 2), where the remote gave no status of its own.
const SUCCESS: EnhancedStatus = EnhancedStatus::new(2, 0, 0);
/// Failed (RFC 3463 2), where the remote gave no status that fits.
const FAILURE: EnhancedStatus = EnhancedStatus::new(5, 0, 0);
/// Still being tried (RFC 3463 2), where the remote gave no status that fits.
const DELAY: EnhancedStatus = EnhancedStatus::new(4, 0, 0);
/// The shortest time that a plugin can postpone a recipient by: a time that is past would be asked again at once.
const POSTPONED_MIN: Duration = Duration::from_secs(1);

/// The stage.
pub struct Settler {
    config: watch::Receiver<Arc<Config>>,
    dice: Arc<dyn Dice>,
}

impl Settler {
    /// Settles by the present configuration. The dice give jitter and the ids of notifications.
    #[must_use]
    pub fn new(config: watch::Receiver<Arc<Config>>, dice: Arc<dyn Dice>) -> Self {
        Self { config, dice }
    }

    fn case<'a>(&self, entry: &'a Entry, now: Now) -> Case<'a> {
        let config = Arc::clone(&self.config.borrow());
        let queue = &config.queue;
        let age_max = if entry.is_notification() { queue.notification_age_max } else { queue.age_max };
        Case { entry, now, age_max_at: entry.accepted.plus(age_max), changes: Vec::new(), notices: Vec::new(), config }
    }

    fn finish(&self, case: Case<'_>, content: Option<&Content>) -> Ruling {
        let mut notifications = Vec::new();
        // Failures, delays and successes are told in messages of their own, so that one never names the others'
        // recipients.
        for kind in [Action::Failed, Action::Delayed, Action::Relayed, Action::Delivered] {
            let notices: Vec<_> = case.notices.iter().filter(|notice| notice.action == kind).collect();
            if !notices.is_empty() {
                notifications.extend(self.notification(&case, kind, &notices, content));
            }
        }
        Ruling { id: case.entry.id, changes: case.changes, placements: Vec::new(), notifications }
    }

    /// None for the null sender: there is never a bounce of a bounce (RFC 5321 4.5.5, RFC 3461 6.1).
    fn notification(
        &self,
        case: &Case<'_>,
        kind: Action,
        notices: &[&Notice<'_>],
        content: Option<&Content>,
    ) -> Option<Offer> {
        let sender = case.entry.envelope.sender.as_ref()?;
        // It would come back here, and say what plugins are told at once.
        if case.config.feedback.as_ref().is_some_and(|feedback| feedback.place(sender) != Place::Elsewhere) {
            return None;
        }
        let random = u128::from(self.dice.roll()) << 64 | u128::from(self.dice.roll());
        let notification =
            Notification { hostname: &case.config.hostname, entry: case.entry, sender, kind, notices, content };
        Some(dsn::write(&notification, case.now.wall, random))
    }
}

impl Settle for Settler {
    fn settle(&self, entry: &Entry, content: &Content, hop: &NextHop, report: &Report, now: Now) -> Ruling {
        let mut case = self.case(entry, now);
        // One roll for the report, so that recipients who failed together stay together.
        let roll = self.dice.roll();
        for (index, outcome) in &report.outcomes {
            case.settle_one(*index, outcome, hop, report, roll);
        }
        self.finish(case, Some(content))
    }

    fn age(&self, entry: &Entry, recipients: &[u32], content: Option<&Content>, now: Now) -> Option<Ruling> {
        let mut case = self.case(entry, now);
        for &index in recipients {
            case.age_one(index);
        }
        (!case.changes.is_empty()).then(|| self.finish(case, content))
    }
}

/// A ruling in the making.
struct Case<'a> {
    entry: &'a Entry,
    now: Now,
    /// When every recipient is too old, at the latest.
    age_max_at: UnixMillis,
    changes: Vec<(u32, Progress)>,
    notices: Vec<Notice<'a>>,
    config: Arc<Config>,
}

/// A recipient that is still pending, as it stands.
struct Pending<'a> {
    index: u32,
    attempts: u16,
    due: UnixMillis,
    last: Option<&'a LastFailure>,
    delay_told: bool,
}

impl<'a> Case<'a> {
    /// None for recipients that have ended or are held: nothing can happen to them here.
    fn pending(&self, index: u32) -> Option<Pending<'a>> {
        match self.entry.progress.get(index as usize)? {
            Progress::Pending { attempts, due, last, delay_told } => {
                Some(Pending { index, attempts: *attempts, due: *due, last: last.as_deref(), delay_told: *delay_told })
            }
            Progress::Held(_) | Progress::Done(_) => None,
        }
    }

    fn settle_one(&mut self, index: u32, outcome: &Outcome, hop: &NextHop, report: &Report, roll: u64) {
        let Some(pending) = self.pending(index) else { return };
        let said_by = || report.said_by.get(&index).map(|remote| (**remote).into());
        let failure = |reply: &Reply| LastFailure { at: self.now.wall, reply: reply.clone(), remote: said_by() };
        let change = match outcome {
            Outcome::Delivered { reply, dsn_passed_on } => {
                if !dsn_passed_on {
                    self.tell_success(index, hop, failure(reply));
                }
                Progress::Done(Fate::Delivered)
            }
            Outcome::Failed(reply) => {
                let status = notice::status_of(reply, 5).unwrap_or(FAILURE);
                self.tell(index, Action::Failed, status, Some(failure(reply)));
                Progress::Done(Fate::Bounced)
            }
            Outcome::Deferred(reply) => self.defer(&pending, failure(reply), roll),
            Outcome::Postponed(_) if self.is_too_old(index) => self.expire(index, pending.last.cloned()),
            Outcome::Postponed(until) => Progress::Pending {
                attempts: pending.attempts,
                due: (*until).max(self.now.wall.plus(POSTPONED_MIN)),
                last: pending.last.cloned().map(Box::new),
                delay_told: pending.delay_told,
            },
            Outcome::Held(_, reason) => Progress::Held(reason.clone()),
            Outcome::Discarded(..) => Progress::Done(Fate::Discarded),
        };
        self.changes.push((index, change));
    }

    /// Later by the schedule (RFC 5321 4.5.4.1), but not beyond the maximum age: at that age it expires.
    fn defer(&mut self, pending: &Pending<'_>, failure: LastFailure, roll: u64) -> Progress {
        if self.is_too_old(pending.index) {
            return self.expire(pending.index, Some(failure));
        }
        let attempts = pending.attempts.saturating_add(1);
        let wait = schedule::wait(&self.config.queue, attempts, roll);
        Progress::Pending {
            attempts,
            due: self.now.wall.plus(wait).min(self.expiry(pending.index)),
            last: Some(Box::new(failure)),
            delay_told: pending.delay_told,
        }
    }

    fn age_one(&mut self, index: u32) {
        let Some(pending) = self.pending(index) else { return };
        if self.is_too_old(index) {
            let change = self.expire(index, pending.last.cloned());
            self.changes.push((index, change));
            return;
        }
        let notice = self.config.queue.delay_notice.filter(|_| !self.entry.is_notification());
        let late = notice.is_some_and(|after| self.entry.accepted.plus(after) <= self.now.wall);
        if late && !pending.delay_told {
            let status = pending.last.and_then(|last| notice::status_of(&last.reply, 4)).unwrap_or(DELAY);
            self.tell(index, Action::Delayed, status, pending.last.cloned());
            let Pending { attempts, due, last, .. } = pending;
            let change = Progress::Pending { attempts, due, last: last.cloned().map(Box::new), delay_told: true };
            self.changes.push((index, change));
        }
    }

    /// When the recipient is too old: policy may have made its time shorter.
    fn expiry(&self, index: u32) -> UnixMillis {
        let placement = usize::try_from(index).ok().and_then(|index| self.entry.placement(index));
        placement.and_then(|placement| placement.expires).map_or(self.age_max_at, |at| at.min(self.age_max_at))
    }

    fn is_too_old(&self, index: u32) -> bool {
        self.expiry(index) <= self.now.wall
    }

    fn expire(&mut self, index: u32, last: Option<LastFailure>) -> Progress {
        self.tell(index, Action::Failed, EXPIRED, last);
        Progress::Done(Fate::Expired)
    }

    /// The next hop made no promise to tell of success, so we do: `delivered` if this was the last hop (RFC 3461
    /// 5.2.3), otherwise `relayed` into where nobody will tell (RFC 3461 5.2.2).
    fn tell_success(&mut self, index: u32, hop: &NextHop, failure: LastFailure) {
        let status = notice::status_of(&failure.reply, 2).unwrap_or(SUCCESS);
        let action = match hop.target() {
            NextHop::Lmtp(_) | NextHop::Maildir(_) | NextHop::Feedback => Action::Delivered,
            NextHop::Mx(_) | NextHop::Smarthost(_) | NextHop::Nowhere => Action::Relayed,
            NextHop::From(..) | NextHop::Unplaced | NextHop::Missing(_) => Action::Relayed,
        };
        self.tell(index, action, status, Some(failure));
    }

    fn tell(&mut self, index: u32, action: Action, status: EnhancedStatus, last: Option<LastFailure>) {
        let entry = self.entry;
        let Some(recipient) = entry.envelope.recipients.get(index as usize) else { return };
        if wishes::wants(recipient.notify, action) {
            let retry_until = (action == Action::Delayed).then_some(self.expiry(index));
            self.notices.push(Notice { recipient, action, status, last, retry_until });
        }
    }
}
