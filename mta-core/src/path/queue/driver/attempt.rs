//! One attempt from the spool to its durable ruling, and one look at an age.

use super::doors::Doors;
use super::outcomes;
use crate::base::event::Event;
use crate::base::fault::SpoolFault;
use crate::base::flow::attempt::{Attempt, NextHop};
use crate::base::flow::entry::{Entry, Fate, Progress};
use crate::base::flow::report::{Outcome, Report};
use crate::base::flow::ruling::{NOTIFICATION_TAG, Ruling};
use crate::base::mail::content::Content;
use crate::base::mail::envelope::RecipientSet;
use crate::base::mail::id::QueueId;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::{Now, UnixMillis};
use crate::config::model::Config;
use crate::path::queue::machine::{After, AttemptHealth, Job};
use crate::path::queue::rules::Ways;
use std::sync::Arc;
use std::time::Duration;

/// The first wait after a ruling that could not be made durable; it doubles.
const RULE_AGAIN_MIN: Duration = Duration::from_millis(100);
/// The longest of these waits.
const RULE_AGAIN_MAX: Duration = Duration::from_secs(30);

/// Said for a recipient that deliver's report forgot: a bug, and no reason to lose mail.
const FORGOTTEN: Reply = Reply::new(451, EnhancedStatus::new(4, 3, 0), "the attempt said nothing of this recipient");

/// What every task has at hand: the same for all that begin under one configuration.
pub(super) struct Work {
    pub(super) doors: Doors,
    pub(super) config: Arc<Config>,
}

impl Work {
    /// Makes the attempts that the job asks for and rules on them. Returns what is left, and what the attempts showed
    /// of the destination. Ends only when every ruling is durable: until then the slot is taken.
    pub(super) async fn attempt(&self, job: &Job, fresh: Option<Arc<Entry>>) -> (After, AttemptHealth) {
        let nothing = |after| (after, AttemptHealth::NOT_ASKED);
        let (mut entry, is_routed) = match fresh {
            Some(entry) => (entry, job.is_whole),
            None => match self.doors.spool.entry(job.id).await {
                Ok(Some(entry)) => (entry, false),
                Ok(None) => return nothing(After::Gone),
                Err(_) => return nothing(After::Unknown),
            },
        };
        let now = self.doors.clock.now().wall;
        let most = self.config.delivery.recipients_per_transaction_max;
        let batches = if is_routed {
            batches(pending(&entry), now, most)
        } else {
            batches(going_to(&entry, &job.hop, &job.ways), now, most)
        };
        if batches.is_empty() {
            return nothing(After::Entry(entry));
        }
        let content = match self.content(job.id).await {
            Ok(content) => content,
            Err(after) => return nothing(after),
        };
        let mut health = AttemptHealth::NOT_ASKED;
        for batch in batches {
            let attempt = Attempt {
                entry: Arc::clone(&entry),
                content: content.clone(),
                recipients: batch.recipients.clone(),
                hop: Arc::clone(&job.hop),
                number: batch.number,
            };
            let door = if *job.hop == NextHop::Feedback { &self.doors.feedback } else { &self.doors.deliver };
            let mut report = door.attempt(attempt).await;
            self.complete(&mut report, &batch.recipients);
            health = health.and(AttemptHealth::of(report.trouble, was_reached(&report)));
            match self.rule_on(&entry, &content, job, batch.number, &report).await {
                After::Entry(left) => entry = left,
                after => return (after, health),
            }
        }
        (After::Entry(entry), health)
    }

    /// Looks at the age of the job's recipients; whether that changed something.
    pub(super) async fn look_at_age(&self, job: &Job) -> (After, bool) {
        let entry = match self.doors.spool.entry(job.id).await {
            Ok(Some(entry)) => entry,
            Ok(None) => return (After::Gone, false),
            Err(_) => return (After::Unknown, false),
        };
        let recipients: Vec<u32> = going_to(&entry, &job.hop, &job.ways).map(|(index, ..)| index).collect();
        // A message whose content is lost must end like any other: its notification then returns nothing of it.
        let content = self.doors.spool.content(job.id).await.ok();
        let settle = &self.doors.settle;
        let decide = |now| settle.age(&entry, &recipients, content.as_ref(), now);
        let now = self.doors.clock.now();
        let Some(first) = decide(now) else { return (After::Entry(entry), false) };
        let (left, ruled) = match self.rule(first, || decide(now)).await {
            Ok(done) => done,
            Err(after) => return (after, false),
        };
        for (index, progress) in &ruled.changes {
            if matches!(progress, Progress::Done(Fate::Expired)) {
                self.tell_expired(&entry, *index, now);
            }
        }
        outcomes::tell_ended(&*self.doors.policy, &entry, content.as_ref(), &ruled.changes);
        self.tell_notifications(&entry, &ruled);
        (self.left(job.id, left), true)
    }

    /// The message's content, or what to make of its absence.
    pub(super) async fn content(&self, id: QueueId) -> Result<Content, After> {
        let why = match self.doors.spool.content(id).await {
            Ok(content) => return Ok(content),
            Err(SpoolFault::Damaged(why)) => why,
            Err(_) => return Err(After::Unknown),
        };
        // A message that ended meanwhile has no content either.
        if !matches!(self.doors.spool.entry(id).await, Ok(None)) {
            self.doors.observe.event(Event::MessageUnreadable { id, why: &why });
        }
        Err(After::Gone)
    }

    /// Every recipient of an attempt has an outcome, whatever deliver says: one without would be tried again at once,
    /// and again.
    fn complete(&self, report: &mut Report, recipients: &[u32]) {
        for &index in recipients {
            if !report.outcomes.iter().any(|(reported, _)| *reported == index) {
                self.doors.observe.event(Event::Bug { place: "deliver", why: "a report lacks a recipient" });
                report.outcomes.push((index, Outcome::Deferred(FORGOTTEN)));
            }
        }
    }

    async fn rule_on(&self, entry: &Arc<Entry>, content: &Content, job: &Job, number: u32, report: &Report) -> After {
        let now = self.doors.clock.now();
        let decide = || self.doors.settle.settle(entry, content, &job.hop, report, now);
        let (left, ruled) = match self.rule(decide(), || Some(decide())).await {
            Ok(done) => done,
            Err(after) => return after,
        };
        let site = job.hop.to_string();
        self.tell_outcomes(entry, &site, number, report, &ruled, now);
        // What came back is no mail that went anywhere: it has a hook of its own.
        if *job.hop != NextHop::Feedback {
            let told = outcomes::Ruled { content, site: &site, attempt: number, report, changes: &ruled.changes };
            outcomes::tell_attempt(&*self.doors.policy, entry, &told);
        }
        self.tell_notifications(entry, &ruled);
        self.left(job.id, left)
    }

    /// Makes the ruling durable, however long the spool fails. Only when the server goes down first is it given up:
    /// then the message is as it was before the attempt.
    pub(super) async fn rule(
        &self,
        first: Ruling,
        again: impl Fn() -> Option<Ruling>,
    ) -> Result<(Option<Arc<Entry>>, Ruled), After> {
        let (mut ruling, mut wait) = (first, RULE_AGAIN_MIN);
        loop {
            let ruled = Ruled::of(&ruling);
            match self.doors.spool.rule(ruling).await {
                Ok(left) => return Ok((left, ruled)),
                Err(SpoolFault::Closing) => return Err(After::Unknown),
                Err(_) => {}
            }
            self.doors.clock.sleep_until(self.doors.clock.now().mono + wait).await;
            wait = (wait * 2).min(RULE_AGAIN_MAX);
            ruling = again().ok_or(After::Unknown)?;
        }
    }

    /// What a ruling left of the message, told if it was nothing.
    pub(super) fn left(&self, id: QueueId, left: Option<Arc<Entry>>) -> After {
        match left {
            Some(entry) => After::Entry(entry),
            None => {
                self.doors.observe.event(Event::Finished { id });
                After::Gone
            }
        }
    }

    pub(super) fn tell_outcomes(
        &self,
        entry: &Entry,
        hop: &str,
        number: u32,
        report: &Report,
        ruled: &Ruled,
        now: Now,
    ) {
        let remote = report.remote.as_deref().unwrap_or("");
        for (index, outcome) in &report.outcomes {
            let Some(recipient) = entry.envelope.recipients.get(*index as usize) else { continue };
            let recipient = &*recipient.address.to_string();
            let (id, hop, attempt) = (entry.id, hop, number);
            let change = ruled.changes.iter().find(|(changed, _)| changed == index).map(|(_, progress)| progress);
            let reply = match outcome {
                Outcome::Delivered { reply, .. } | Outcome::Deferred(reply) | Outcome::Failed(reply) => {
                    reply.to_string()
                }
                Outcome::Postponed(_) => "postponed by policy".to_owned(),
                Outcome::Held(..) | Outcome::Discarded(..) => String::new(),
            };
            let reply = &*reply;
            match (outcome, change) {
                (Outcome::Held(plugin, reason), _) => {
                    let plugin = plugin.as_deref().unwrap_or("");
                    self.doors.observe.event(Event::Held { id, recipient, plugin, reason });
                }
                (Outcome::Discarded(plugin, reason), _) => {
                    let plugin = plugin.as_deref().unwrap_or("");
                    self.doors.observe.event(Event::Discarded { id, recipient, plugin, reason });
                }
                (_, Some(Progress::Done(Fate::Delivered))) => {
                    let took_ms = millis(report.took);
                    let age_ms = millis(now.wall.since(entry.accepted));
                    let tls = report.tls.as_deref();
                    let event = Event::Delivered { id, recipient, hop, remote, tls, reply, attempt, took_ms, age_ms };
                    self.doors.observe.event(event);
                }
                (_, Some(Progress::Done(Fate::Expired))) => self.tell_expired(entry, *index, now),
                (_, Some(Progress::Done(_))) => {
                    self.doors.observe.event(Event::Bounced { id, recipient, hop, remote, reply, attempt });
                }
                (_, Some(Progress::Pending { due, .. })) => {
                    let again_in_ms = millis(due.since(now.wall));
                    let event = Event::Deferred { id, recipient, hop, remote, reply, attempt, again_in_ms };
                    self.doors.observe.event(event);
                }
                (_, Some(Progress::Held(_)) | None) => {}
            }
        }
    }

    fn tell_expired(&self, entry: &Entry, index: u32, now: Now) {
        let Some(recipient) = entry.envelope.recipients.get(index as usize) else { return };
        let attempts = match entry.progress.get(index as usize) {
            Some(Progress::Pending { attempts, .. }) => u32::from(*attempts),
            _ => 0,
        };
        self.doors.observe.event(Event::Expired {
            id: entry.id,
            recipient: &recipient.address.to_string(),
            attempts,
            age_ms: millis(now.wall.since(entry.accepted)),
        });
    }

    pub(super) fn tell_notifications(&self, entry: &Entry, ruled: &Ruled) {
        for (id, kind) in &ruled.notifications {
            let to = entry.envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default();
            self.doors.observe.event(Event::NotificationQueued { id: *id, about: entry.id, kind, to: &to });
        }
    }
}

/// What is told of a ruling once it is durable.
pub(super) struct Ruled {
    pub(super) changes: Vec<(u32, Progress)>,
    notifications: Vec<(QueueId, Box<str>)>,
}

impl Ruled {
    fn of(ruling: &Ruling) -> Self {
        let kind = |tags: &[(Box<str>, Box<str>)]| {
            tags.iter().find(|(name, _)| &**name == NOTIFICATION_TAG).map(|(_, kind)| kind.clone()).unwrap_or_default()
        };
        let notifications = ruling.notifications.iter().map(|offer| (offer.entry.id, kind(&offer.entry.tags)));
        Self { changes: ruling.changes.clone(), notifications: notifications.collect() }
    }
}

/// Recipients that may share a transaction, as far as the queue knows.
struct Batch {
    recipients: RecipientSet,
    number: u32,
}

/// The pending recipients that go to `hop`: index, due time, attempts made.
pub(super) fn going_to<'a>(
    entry: &'a Entry,
    hop: &'a NextHop,
    ways: &'a Ways,
) -> impl Iterator<Item = (u32, UnixMillis, u16)> + 'a {
    let mut last: Option<(usize, bool)> = None;
    pending(entry).filter(move |(index, ..)| {
        let index = usize::try_from(*index).unwrap_or(usize::MAX);
        // Recipients of one domain mostly stand together.
        let goes = match last {
            Some((other, goes)) if ways.are_alike(entry, other, index) => goes,
            _ => ways.of(entry, index) == *hop,
        };
        last = Some((index, goes));
        goes
    })
}

/// The pending recipients: index, due time, attempts made.
fn pending(entry: &Entry) -> impl Iterator<Item = (u32, UnixMillis, u16)> {
    (0u32..).zip(&entry.progress).filter_map(|(index, progress)| {
        let Progress::Pending { attempts, due, .. } = progress else { return None };
        Some((index, *due, *attempts))
    })
}

/// Those recipients that are due, as transactions: with the same number of attempts behind them, because that
/// number is told to plugins, and at most `recipients_max` (RFC 5321 4.5.3.1.10).
fn batches(
    recipients: impl Iterator<Item = (u32, UnixMillis, u16)>,
    now: UnixMillis,
    recipients_max: usize,
) -> Vec<Batch> {
    let mut batches: Vec<Batch> = Vec::new();
    for (index, due, attempts) in recipients {
        if due > now {
            continue;
        }
        let number = u32::from(attempts) + 1;
        let open = |batch: &&mut Batch| batch.number == number && batch.recipients.len() < recipients_max.max(1);
        match batches.iter_mut().find(open) {
            Some(batch) => batch.recipients.push(index),
            None => batches.push(Batch { recipients: std::iter::once(index).collect(), number }),
        }
    }
    batches
}

/// A remote was spoken to, or the mail store here took it.
fn was_reached(report: &Report) -> bool {
    report.remote.is_some() || report.outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Delivered { .. }))
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fixtures::{START, entry};
    use crate::base::flow::attempt::Routes;
    use crate::base::mail::domain::Domain;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Everybody to their own exchangers, and how often it was asked.
    #[derive(Default)]
    struct Asked(AtomicU32);

    impl Routes for Asked {
        fn next_hop(&self, domain: Option<&Domain>) -> NextHop {
            self.0.fetch_add(1, Ordering::Relaxed);
            domain.map_or(NextHop::Nowhere, |domain| NextHop::Mx(domain.clone()))
        }

        fn named(&self, _: &str) -> Option<NextHop> {
            None
        }

        fn has_pool(&self, _: &str) -> bool {
            false
        }
    }

    #[test]
    fn the_routes_are_asked_once_for_neighbours_of_one_domain() {
        let entry = entry(1, "a@from.example", &["b@one.example", "c@one.example", "d@two.example", "e@one.example"]);
        let hop = NextHop::Mx(Domain::parse("one.example").expect("a domain"));
        let routes = Arc::new(Asked::default());
        let ways = Ways { routes: Arc::clone(&routes) as Arc<dyn Routes>, placing: false };
        let found: Vec<_> = going_to(&entry, &hop, &ways).map(|(index, ..)| index).collect();
        assert_eq!((found, routes.0.load(Ordering::Relaxed)), (vec![0, 1, 3], 3));
    }

    #[test]
    fn recipients_travel_in_as_few_transactions_as_may_be_rfc5321_4_5_3_1_10() {
        let sent = |recipients: &[(u32, u16)], most| -> Vec<(Vec<u32>, u32)> {
            let due = recipients.iter().map(|(index, attempts)| (*index, START, *attempts));
            let batches = batches(due, START, most);
            batches.into_iter().map(|batch| (batch.recipients.to_vec(), batch.number)).collect()
        };
        assert_eq!(sent(&[(0, 0), (1, 1), (2, 0)], 9), [(vec![0, 2], 1), (vec![1], 2)]);
        assert_eq!(sent(&[(0, 0), (1, 0), (2, 0)], 2), [(vec![0, 1], 1), (vec![2], 1)]);
    }
}
