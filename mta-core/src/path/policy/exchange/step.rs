//! The hook calls of a transaction, kept so that others can be asked the same.

use super::super::fault::Fault;
use super::super::host::instance::Question;
use super::super::scene::{DeliveryScene, MessageScene};
use crate::base::flow::policy::Hook;
use crate::base::flow::trial::Said;
use crate::base::mail::id::QueueId;

/// A hook and what it was asked.
#[derive(Clone, Debug)]
pub(in crate::path::policy) enum Ask {
    /// An envelope hook.
    Gate(Question),
    /// `on-data`.
    Data,
    /// `on-pre-send`.
    PreSend(DeliveryScene),
}

/// One call.
#[derive(Debug)]
pub(in crate::path::policy) struct Step {
    /// Who was asked, by its index in the generation; none: the whole chain.
    pub(in crate::path::policy) by: Option<usize>,
    pub(in crate::path::policy) asked: Ask,
    /// The message as it stood before.
    pub(in crate::path::policy) message: Option<MessageScene>,
    pub(in crate::path::policy) said: Said,
}

impl Step {
    /// The hook.
    pub(in crate::path::policy) fn hook(&self) -> Hook {
        match &self.asked {
            Ask::Gate(question) => question.hook(),
            Ask::Data => Hook::Data,
            Ask::PreSend(_) => Hook::PreSend,
        }
    }

    /// The message that it is about.
    pub(in crate::path::policy) fn id(&self) -> Option<QueueId> {
        self.message.as_ref().map(|message| message.id)
    }
}

/// A fault as an answer.
pub(in crate::path::policy) fn fault_said(fault: &Fault) -> Said {
    let at = fault.frames.first().map(|frame| format!(" at {frame}")).unwrap_or_default();
    Said { verdict: format!("fault {}: {}{at}", fault.kind.name(), fault.why), edits: Vec::new() }
}
