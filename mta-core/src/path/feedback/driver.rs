//! The stage's driver: reads what came back, has it judged, and waits until plugins were told.

use super::judge::{Finding, Judge, Letter};
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::attempt::{Attempt, Deliver};
use crate::base::flow::entry::Entry;
use crate::base::flow::policy::Policy;
use crate::base::flow::policy::feedback::{Heard, Kind, Returned};
use crate::base::flow::report::{Outcome, Report};
use crate::base::mail::address::Address;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::tie::{Key, Sent};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::{Clock, Observe};
use crate::config::model::Config;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::future::ready;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

/// How much of a body is read, in octets. Reports begin with what they say; what they return may be long.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Said of what was told, and of what there is nothing to tell of: it has ended.
const TOLD: Reply = Reply::new(250, EnhancedStatus::new(2, 0, 0), "plugins were told");
const UNHEARD: Reply = Reply::new(250, EnhancedStatus::new(2, 0, 0), "no plugin listens");
const IDLE: Reply = Reply::new(250, EnhancedStatus::new(2, 0, 0), "there is nothing to tell");
const UNTIED: Reply = Reply::new(250, EnhancedStatus::new(2, 0, 0), "it is tied to nothing, and counted");
/// Tried again: the disk is the spool's business.
const UNREAD: Reply = Reply::new(451, EnhancedStatus::new(4, 3, 0), "it can't be read now");
/// The configuration takes no feedback any more: where it goes is looked up anew.
const NO_DOMAIN: Reply = Reply::new(451, EnhancedStatus::new(4, 3, 5), "feedback is not taken any more");

/// The feedback stage, a next hop of its own.
pub struct Teller {
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// What ties reports to what we sent.
    pub key: Arc<Key>,
    /// Who is told.
    pub policy: Arc<dyn Policy>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub observe: Arc<dyn Observe>,
}

impl Teller {
    async fn hear_all(&self, attempt: Attempt) -> Report {
        let began = self.clock.now().mono;
        let config = Arc::clone(&self.config.borrow());
        let body = beginning(&attempt.content).await;
        let mut outcomes = Vec::with_capacity(attempt.recipients.len());
        for index in attempt.recipients.iter().copied() {
            let found = usize::try_from(index).ok().and_then(|at| attempt.entry.envelope.recipients.get(at));
            let Some(recipient) = found else { continue };
            let outcome = match &body {
                Some(body) => self.hear(&config, &attempt, &recipient.address, body).await,
                None => Outcome::Deferred(UNREAD),
            };
            outcomes.push((index, outcome));
        }
        let took = self.clock.now().mono.saturating_duration_since(began);
        Report {
            id: attempt.entry.id,
            outcomes,
            remote: None,
            said_by: BTreeMap::new(),
            tls: None,
            took,
            trouble: None,
        }
    }

    async fn hear(&self, config: &Config, attempt: &Attempt, to: &Address, body: &[u8]) -> Outcome {
        let Some(feedback) = &config.feedback else { return Outcome::Deferred(NO_DOMAIN) };
        let entry = &*attempt.entry;
        let tenants: Vec<Arc<str>> = config.tenants.iter().map(|tenant| Arc::clone(&tenant.name)).collect();
        let judge = Judge { key: &self.key, feedback, tenants: &tenants, now: self.clock.now().wall };
        let sender = entry.envelope.sender.as_ref();
        match judge.judge(Letter { to, sender, head: &attempt.content.head, body }) {
            Finding::Tied(sent, kind) => self.tell(entry, &attempt.content, &sent, &kind).await,
            Finding::Idle(about, why) => {
                self.observe.event(Event::FeedbackIdle { id: entry.id, about, why });
                ended(IDLE)
            }
            Finding::Untied(why) => {
                self.observe.event(Event::FeedbackUntied { session: None, id: Some(entry.id), why });
                ended(UNTIED)
            }
        }
    }

    async fn tell(&self, entry: &Entry, content: &Content, sent: &Sent, kind: &Kind) -> Outcome {
        match self.policy.feedback(Returned { entry, content, sent, kind }).await {
            Heard::By(plugins) => {
                let status = match kind {
                    Kind::Bounce(bounce) => bounce.status.to_string(),
                    Kind::Complaint(what) => what.to_string(),
                    Kind::Unsubscribe => String::new(),
                };
                self.observe.event(Event::Feedback {
                    id: entry.id,
                    about: sent.id,
                    kind: kind.name(),
                    says: &status,
                    recipient: &sent.recipient.to_string(),
                    tenant: sent.tenant.as_deref(),
                    campaign: sent.campaign.as_deref(),
                    plugins,
                });
                ended(if plugins == 0 { UNHEARD } else { TOLD })
            }
            // It is durable, so it need not be dropped: it comes again.
            Heard::Later(plugin) => {
                let text = format!("plugin {plugin} can't be told now");
                Outcome::Deferred(Reply::from_text(451, Some(EnhancedStatus::new(4, 3, 2)), &text))
            }
        }
    }
}

fn ended(reply: Reply) -> Outcome {
    Outcome::Delivered { reply, dsn_passed_on: false }
}

/// The beginning of the body; none where it can't be read.
async fn beginning(content: &Content) -> Option<Bytes> {
    match &content.body {
        Body::Memory(octets) => Some(octets.slice(..octets.len().min(BODY_BYTES_MAX))),
        Body::Stored { source, bytes } => {
            let most = usize::try_from(*bytes).unwrap_or(usize::MAX).min(BODY_BYTES_MAX);
            let source = Arc::clone(source);
            let read = spawn_blocking(move || {
                let mut octets = vec![0; most];
                let count = source.read_at(0, &mut octets).ok()?;
                octets.truncate(count);
                Some(Bytes::from(octets))
            });
            read.await.ok().flatten()
        }
    }
}

impl Deliver for Teller {
    fn attempt(&self, attempt: Attempt) -> Answer<'_, Report> {
        Box::pin(self.hear_all(attempt))
    }

    fn close_idle(&self) -> Answer<'_, ()> {
        Box::pin(ready(()))
    }
}
