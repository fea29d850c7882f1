//! What the queue's driver and its tasks stand on.

use crate::base::flow::attempt::Deliver;
use crate::base::flow::policy::Policy;
use crate::base::flow::ruling::Settle;
use crate::base::flow::spool::Spool;
use crate::base::world::{Clock, Observe};
use std::sync::Arc;

/// What the queue stands on.
#[derive(Clone)]
pub struct Doors {
    /// Where messages and their state are.
    pub spool: Arc<dyn Spool>,
    /// Who makes the attempts.
    pub deliver: Arc<dyn Deliver>,
    /// Where feedback about mail that went out ends.
    pub feedback: Arc<dyn Deliver>,
    /// Who says what their reports mean.
    pub settle: Arc<dyn Settle>,
    /// Who is told what becomes of recipients.
    pub policy: Arc<dyn Policy>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub observe: Arc<dyn Observe>,
}
