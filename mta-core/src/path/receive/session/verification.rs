//! Whether a message comes from outside, and what its verification means for it (RFC 8601 5).

use super::state::{Answer, State};
use super::{Effect, Session};
use crate::base::flow::policy::verify::{Consequence, Incoming, Verified};
use crate::base::time::Now;
use std::sync::Arc;

/// Who holds a message that its author's domain does not stand behind, in logs.
const HOLDER: &str = "verify";

impl Session {
    /// What was verified once is not verified again.
    pub(super) fn is_to_be_verified(&self) -> bool {
        let is_new = self.transaction.as_ref().is_some_and(|transaction| transaction.verified.is_none());
        // Who has shown who it is comes from inside.
        is_new && self.user.is_none() && self.config.verifies(&self.listener.name, self.peer.ip().to_canonical())
    }

    pub(super) fn verify(&mut self) {
        self.effects.push_back(Effect::Verify);
        self.state = State::Waiting(Answer::Verified);
    }

    pub(super) fn held_by_verification(&self) -> Option<(Arc<str>, Box<str>)> {
        match &self.transaction.as_ref()?.verified.as_ref()?.consequence {
            Consequence::Hold(reason) => Some((HOLDER.into(), reason.clone())),
            Consequence::Go | Consequence::Refuse(_) => None,
        }
    }

    /// The message that is to be verified.
    #[must_use]
    pub fn incoming(&self) -> Option<Incoming<'_>> {
        let transaction = self.transaction.as_ref()?;
        let arrived = transaction.arrived.as_ref()?;
        Some(Incoming {
            session: &self.id,
            id: transaction.id,
            peer: self.peer.ip().to_canonical(),
            helo: self.helo()?,
            envelope: &transaction.envelope,
            content: &arrived.content,
            body_hash: arrived.body_hash,
        })
    }

    /// What was found out about it.
    pub fn handle_verified(&mut self, verified: Verified, now: Now) {
        self.now = now;
        if !self.state_is_waiting_for(Answer::Verified) {
            return;
        }
        self.state = State::Command;
        match (&verified.consequence, &mut self.transaction) {
            (Consequence::Refuse(reply), _) => self.refuse_message(reply, None),
            (_, Some(transaction)) => {
                transaction.verified = Some(Box::new(verified));
                self.decide();
            }
            (_, None) => {}
        }
        self.go_on();
    }
}
