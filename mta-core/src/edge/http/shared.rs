//! What the ports need of the rest, and what the connections of a port share.

use crate::base::flow::policy::Policy;
use crate::base::world::{Clock, Observe};
use crate::config::model::HttpListener;
use crate::path::receive::slots::Slots;
use std::sync::Arc;
use tokio::sync::{Semaphore, watch};

/// What the ports need of the rest.
pub struct Doors {
    /// Who is asked.
    pub policy: Arc<dyn Policy>,
    /// Who is told.
    pub observe: Arc<dyn Observe>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

/// A port with all that its connections share.
pub(super) struct Port {
    pub(super) config: HttpListener,
    pub(super) doors: Arc<Doors>,
    pub(super) slots: Arc<Slots>,
    /// One permit for each request that plugins answer.
    pub(super) requests: Semaphore,
    pub(super) draining: watch::Receiver<bool>,
}
