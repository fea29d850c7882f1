//! What can be asked for on a whole message while it is in the schedule, and the desk where such wishes lie.

use crate::base::flow::entry::Progress;
use crate::base::mail::domain::Domain;
use std::collections::VecDeque;
use std::sync::Arc;

/// What to do with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What.
    pub action: Action,
    /// To recipients in this domain alone, in lower case.
    pub domain: Option<Arc<str>>,
    /// To held recipients alone.
    pub held: bool,
    /// Who waits for the result; none the second time, or when nobody does.
    pub ticket: Option<u64>,
}

/// Kinds of operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Due now; held recipients are released.
    Retry,
    /// Out of the queue.
    Cancel,
    /// Forget what policy said of its recipients' ways, and ask anew; held recipients are released.
    Rebind,
    /// Read the message again and divide its recipients by the present routes.
    Divide,
}

impl Operation {
    /// Divide the message anew.
    #[must_use]
    pub fn divide() -> Self {
        Self { action: Action::Divide, domain: None, held: false, ticket: None }
    }

    /// Whether the recipient's state and domain are what the operation is about.
    #[must_use]
    pub fn concerns(&self, progress: &Progress, domain: Option<&Domain>) -> bool {
        let state = match progress {
            Progress::Pending { .. } => !self.held,
            Progress::Held(_) => true,
            Progress::Done(_) => false,
        };
        state && self.domain.as_deref().is_none_or(|wanted| domain.is_some_and(|d| d.to_string() == wanted))
    }

    /// What is to be done when the message is still, after this was done beside something under way. A cancel visits what
    /// that left behind pending. A retry may have released recipients of the very item that is under way, and what the
    /// attempt says at its end can be older than that: the message is read again.
    pub(super) fn when_still(&self) -> Option<Self> {
        match self.action {
            Action::Cancel => (!self.held).then(|| Self { ticket: None, ..self.clone() }),
            Action::Retry => Some(Self::divide()),
            // Neither changes a recipient that is pending.
            Action::Rebind | Action::Divide => None,
        }
    }
}

/// The operations on one message.
#[derive(Default)]
pub(super) struct Desk {
    /// The one that is being carried out.
    pub(super) running: Option<Operation>,
    /// To be carried out.
    pub(super) waiting: VecDeque<Operation>,
    /// To be carried out again when the message is still.
    pub(super) again: Vec<Operation>,
}
