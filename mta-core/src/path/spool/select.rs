//! Whether an entry is among those that an operator asks for.

use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::operator::Selection;
use crate::base::mail::domain::Domain;

/// All conditions that are given hold.
pub(super) fn is_selected(entry: &Entry, selection: &Selection) -> bool {
    selection.id.is_none_or(|id| id == entry.id)
        && selection.domain.as_deref().is_none_or(|domain| has_recipient_in(entry, domain))
        && selection.sender.as_deref().is_none_or(|sender| is_from(entry, sender))
        && (!selection.held || entry.progress.iter().any(|p| matches!(p, Progress::Held(_))))
}

/// A recipient that has not ended is in the domain.
fn has_recipient_in(entry: &Entry, domain: &str) -> bool {
    let recipients = entry.envelope.recipients.iter().zip(&entry.progress);
    let mut waiting = recipients.filter(|(_, progress)| !matches!(progress, Progress::Done(_)));
    waiting.any(|(recipient, _)| recipient.address.domain().is_some_and(|own| is_domain(own, domain)))
}

fn is_domain(own: &Domain, asked: &str) -> bool {
    match own {
        Domain::Name(name) => name.to_lowercase() == asked.to_lowercase(),
        literal @ Domain::Literal(_) => literal.to_string().eq_ignore_ascii_case(asked),
    }
}

/// The sender as written between `<` and `>`; compared without case, as people type it.
fn is_from(entry: &Entry, asked: &str) -> bool {
    let sender = entry.envelope.sender.as_ref().map(ToString::to_string).unwrap_or_default();
    sender.to_lowercase() == asked.to_lowercase()
}
