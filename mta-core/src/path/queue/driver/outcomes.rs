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
    let Ruled { content, site, attempt, report, changes } = ruled;
    tell(policy, entry, Some(content), *attempt, site, changes, |index, progress| {
        let outcome = report.outcomes.iter().find(|(other, _)| *other == index).map(|(_, outcome)| outcome);
        match (outcome, progress) {
            (_, Progress::Done(Fate::Expired)) => Some(Told::Expired),
            (Some(Outcome::Delivered { reply, .. }), _) => Some(Told::Delivered(reply.clone())),
            (Some(Outcome::Failed(reply)), _) => Some(Told::Bounced(reply.clone())),
            (Some(Outcome::Deferred(reply)), _) => Some(Told::Deferred(reply.clone())),
            (Some(Outcome::Postponed(_) | Outcome::Held(..) | Outcome::Discarded(..)) | None, _) => None,
        }
    });
}

/// `on-outcome` for recipients that ended without an attempt.
pub(super) fn tell_ended(
    policy: &dyn Policy,
    entry: &Arc<Entry>,
    content: Option<&Content>,
    changes: &[(u32, Progress)],
) {
    tell(policy, entry, content, 0, "", changes, |_, progress| match progress {
        Progress::Done(Fate::Expired) => Some(Told::Expired),
        Progress::Done(Fate::Cancelled) => Some(Told::Cancelled),
        _ => None,
    });
}

fn tell(
    policy: &dyn Policy,
    entry: &Arc<Entry>,
    content: Option<&Content>,
    attempt: u32,
    site: &str,
    changes: &[(u32, Progress)],
    became: impl Fn(u32, &Progress) -> Option<Told>,
) {
    if !policy.has(Hook::Outcome) {
        return;
    }
    for (recipient, progress) in changes {
        let Some(outcome) = became(*recipient, progress) else { continue };
        let (entry, content) = (entry.clone(), content.cloned());
        policy.outcome(&Attempted { entry, content, recipient: *recipient, attempt, site: site.into(), outcome });
    }
}
