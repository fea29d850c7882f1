//! An event log for tests: keeps every event, and lets a test wait for one.

use crate::base::event::Event;
use crate::base::world::Observe;
use serde_json::Value;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Keeps all events as JSON objects, in their order.
#[derive(Debug, Default)]
pub struct Collected {
    events: Mutex<Vec<Value>>,
    more: Notify,
}

impl Collected {
    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All so far.
    #[must_use]
    pub fn all(&self) -> Vec<Value> {
        self.lock().clone()
    }

    /// Those with this name, so far.
    #[must_use]
    pub fn named(&self, name: &str) -> Vec<Value> {
        self.lock().iter().filter(|event| event["event"] == name).cloned().collect()
    }

    /// Waits until `count` events with this name have happened, and returns them.
    pub async fn wait_for(&self, name: &str, count: usize) -> Vec<Value> {
        loop {
            let more = self.more.notified();
            let mut more = std::pin::pin!(more);
            // Listening begins before looking, or an event between the two would be missed.
            more.as_mut().enable();
            let found = self.named(name);
            if found.len() >= count {
                return found;
            }
            more.await;
        }
    }
}

impl Observe for Collected {
    fn event(&self, event: Event<'_>) {
        let event = serde_json::to_value(&event).unwrap_or_else(|_| Value::from(event.name()));
        self.lock().push(event);
        self.more.notify_waiters();
    }
}
