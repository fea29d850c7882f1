//! Passes on to policy what became of recipients.

use crate::base::flow::entry::{Entry, Fate, Progress};
use crate::base::flow::policy::{Attempted, Hook, Outcome as Told, Policy};
use crate::base::flow::report::{Outcome, Report};
use crate::base::mail::content::Content;
use std::sync::Arc;

/// A ruled attempt.
pub(super) struct Ruled<'a> {
    pub(super) content: &'a Content,
    pub(super) site: &'a str,
    pub(super) attempt: u32,
    pub(super) report: &'a Report,
    pub(super) changes: &'a [(u32, Progress)],
}

/// `on-outcome` for each recipient of an attempt. What policy itself decided is no news to it.
pub(super) fn tell_attempt(policy: &dyn Policy, entry: &Arc<Entry>, ruled: &Ruled<'_>) {
    if !policy.has(Hook::Outcome) {
        return;
    }
    for (index, progress) in ruled.changes {
        let outcome = ruled.report.outcomes.iter().find(|(other, _)| other == index).map(|(_, outcome)| outcome);
        let outcome = match (outcome, progress) {
            (_, Progress::Done(Fate::Expired)) => Told::Expired,
            (Some(Outcome::Delivered { reply, .. }), _) => Told::Delivered(reply.clone()),
            (Some(Outcome::Failed(reply)), _) => Told::Bounced(reply.clone()),
            (Some(Outcome::Deferred(reply)), _) => Told::Deferred(reply.clone()),
            (Some(Outcome::Postponed(_) | Outcome::Held(..) | Outcome::Discarded(..)) | None, _) => continue,
        };
        policy.outcome(&Attempted {
            entry: entry.clone(),
            content: Some(ruled.content.clone()),
            recipient: *index,
            attempt: ruled.attempt,
            site: ruled.site.into(),
            outcome,
        });
    }
}

/// `on-outcome` for recipients that ended without an attempt.
pub(super) fn tell_ended(
    policy: &dyn Policy,
    entry: &Arc<Entry>,
    content: Option<&Content>,
    changes: &[(u32, Progress)],
) {
    if !policy.has(Hook::Outcome) {
        return;
    }
    for (index, progress) in changes {
        let outcome = match progress {
            Progress::Done(Fate::Expired) => Told::Expired,
            Progress::Done(Fate::Cancelled) => Told::Cancelled,
            _ => continue,
        };
        policy.outcome(&Attempted {
            entry: entry.clone(),
            content: content.cloned(),
            recipient: *index,
            attempt: 0,
            site: Box::default(),
            outcome,
        });
    }
}
