//! Asking policy where the recipients of a message go, and making its answers durable.

use super::attempt::{Work, going_to, millis};
use super::outcomes;
use crate::base::event::Event;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::placement::Placement;
use crate::base::flow::policy::{RouteVerdict, Routing, Unplaced};
use crate::base::flow::report::{Outcome, Report};
use crate::base::flow::ruling::Ruling;
use crate::base::mail::content::Content;
use crate::base::time::{Now, UnixMillis};
use crate::path::queue::machine::{After, Job};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Policy's answers about some recipients of a message.
struct Answers {
    /// Recipients that it has placed, and not before when; the default where it has no opinion.
    placed: Vec<(u32, Placement, Option<UnixMillis>)>,
    /// Recipients that it holds or fails, as settle takes them.
    report: Report,
}

impl Work {
    /// Asks about the recipients that the job is about and that are due, and makes the answers durable. Each of them is
    /// placed, held, gone or due later then: nobody is asked about again at once.
    pub(super) async fn place(&self, job: &Job, fresh: Option<Arc<Entry>>) -> After {
        let entry = match fresh {
            Some(entry) => entry,
            None => match self.doors.spool.entry(job.id).await {
                Ok(Some(entry)) => entry,
                Ok(None) => return After::Gone,
                Err(_) => return After::Unknown,
            },
        };
        let now = self.doors.clock.now().wall;
        let due: Vec<(u32, u16)> = going_to(&entry, &job.hop, &job.ways)
            .filter(|(_, due, _)| *due <= now)
            .map(|(index, _, attempts)| (index, attempts))
            .collect();
        if due.is_empty() {
            return After::Entry(entry);
        }
        let content = match self.content(job.id).await {
            Ok(content) => content,
            Err(after) => return after,
        };
        let answers = self.answers(&entry, &content, job, due).await;
        let now = self.doors.clock.now();
        let decide = || self.decide(&entry, &content, job, &answers, now);
        let (left, ruled) = match self.rule(decide(), || Some(decide())).await {
            Ok(done) => done,
            Err(after) => return after,
        };
        self.tell_placed(&entry, &answers, now);
        let site = job.hop.to_string();
        self.tell_outcomes(&entry, &site, 0, &answers.report, &ruled, now);
        let report = &answers.report;
        let told = outcomes::Ruled { content: &content, site: "", attempt: 0, report, changes: &ruled.changes };
        outcomes::tell_attempt(&*self.doors.policy, &entry, &told);
        self.tell_notifications(&entry, &ruled);
        self.left(job.id, left)
    }

    async fn answers(&self, entry: &Arc<Entry>, content: &Content, job: &Job, due: Vec<(u32, u16)>) -> Answers {
        let report = Report {
            id: entry.id,
            outcomes: Vec::new(),
            remote: None,
            said_by: BTreeMap::new(),
            tls: None,
            took: Duration::ZERO,
            trouble: None,
        };
        let mut answers = Answers { placed: Vec::new(), report };
        for (recipient, attempts) in due {
            let (attempt, routes) = (u32::from(attempts) + 1, &*job.ways.routes);
            let unplaced = Unplaced { entry, content, recipient, attempt, routes };
            let RouteVerdict { routing, plugin } = self.doors.policy.route(unplaced).await;
            let outcome = match routing {
                Routing::Next => {
                    answers.placed.push((recipient, Placement::default(), None));
                    continue;
                }
                Routing::Place(placement, not_before) => {
                    answers.placed.push((recipient, placement, not_before));
                    continue;
                }
                Routing::Hold(reason) => {
                    // Released without being asked about anew, it goes by the configuration.
                    let by = Placement { plugin: plugin.as_deref().map(Into::into), ..Placement::default() };
                    answers.placed.push((recipient, by, None));
                    Outcome::Held(plugin, reason)
                }
                Routing::Fail(reply) if reply.is_permanent() => Outcome::Failed(reply),
                Routing::Fail(reply) => Outcome::Deferred(reply),
            };
            answers.report.outcomes.push((recipient, outcome));
        }
        answers
    }

    fn decide(&self, entry: &Entry, content: &Content, job: &Job, answers: &Answers, now: Now) -> Ruling {
        let mut ruling = self.doors.settle.settle(entry, content, &job.hop, &answers.report, now);
        for (recipient, placement, not_before) in &answers.placed {
            let progress = usize::try_from(*recipient).ok().and_then(|place| entry.progress.get(place));
            if let (Some(not_before), Some(Progress::Pending { attempts, due, last, delay_told })) =
                (not_before, progress)
            {
                let (due, last) = ((*due).max(*not_before), last.clone());
                let later = Progress::Pending { attempts: *attempts, due, last, delay_told: *delay_told };
                ruling.changes.push((*recipient, later));
            }
            ruling.placements.push((*recipient, Some(placement.clone())));
        }
        ruling
    }

    fn tell_placed(&self, entry: &Entry, answers: &Answers, now: Now) {
        for (index, placement, not_before) in &answers.placed {
            let held = answers.report.outcomes.iter().any(|(other, _)| other == index);
            let recipient = usize::try_from(*index).ok().and_then(|place| entry.envelope.recipients.get(place));
            let (Some(plugin), Some(recipient), false) = (placement.plugin.as_deref(), recipient, held) else {
                continue;
            };
            self.doors.observe.event(Event::Routed {
                id: entry.id,
                recipient: &recipient.address.to_string(),
                plugin,
                via: placement.via.as_deref(),
                pool: placement.pool.as_deref(),
                campaign: placement.campaign.as_deref(),
                priority: placement.priority.name(),
                begins_in_ms: not_before.map_or(0, |at| millis(at.since(now.wall))),
                expires_in_ms: placement.expires.map(|at| millis(at.since(now.wall))),
            });
        }
    }
}
