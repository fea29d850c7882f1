//! The hooks of a session and of its transactions.

use super::super::exchange::{question::question, verdict};
use super::super::fault::Fault;
use super::super::host::figures::Tenant;
use super::super::host::instance::{Live, Pool, Question};
use super::super::host::stock::{Lease, Loaded};
use super::super::scene::body::BodyScene;
use super::super::scene::{MessageScene, Scene, SessionScene};
use super::generation::Generation;
use super::shared::{Shared, kept};
use crate::base::flow::Answer;
use crate::base::flow::policy::{Asked, DataVerdict, Disposition, Gate, Hook, SessionInfo, SessionPolicy, Submission};
use crate::base::mail::edits::Edits;
use std::sync::Arc;

/// One session: its notes, and what the running transaction is asked by.
pub(super) struct Session {
    host: Arc<Shared>,
    scene: Arc<SessionScene>,
    tenant: Option<Arc<str>>,
    /// The tenant's number among the figures.
    counted: Tenant,
    asked: Option<Transaction>,
}

/// A transaction's generation and its instances, by the index of their plugins.
struct Transaction {
    generation: Arc<Generation>,
    live: Vec<Option<Lease>>,
}

impl Transaction {
    fn new(generation: Arc<Generation>) -> Self {
        let live = generation.plugins.iter().map(|_| None).collect();
        Self { generation, live }
    }
}

impl SessionPolicy for Session {
    fn named(&mut self, name: &str) {
        self.scene.set_helo(name);
    }

    fn belongs_to(&mut self, tenant: Option<&Arc<str>>) {
        if self.tenant.as_ref() != tenant {
            self.tenant = tenant.cloned();
            self.counted = self.host.pool.ledger.tenant(tenant);
        }
    }

    fn gate<'a>(&'a mut self, asked: Asked<'a>) -> Answer<'a, Gate> {
        let question = question(asked);
        match asked {
            Asked::Mail { .. } | Asked::Rcpt { .. } => Box::pin(async move { self.ask_gate(&question).await }),
            // These are of no transaction, though one may be open when a client names itself again. It may stay idle
            // for long, so nothing is kept but the notes.
            Asked::Connect | Asked::Helo(_) | Asked::Auth { .. } => Box::pin(async move {
                let open = self.asked.take();
                let gate = self.ask_gate(&question).await;
                self.asked = open;
                gate
            }),
        }
    }

    fn data<'a>(&'a mut self, submission: Submission<'a>) -> Answer<'a, DataVerdict> {
        Box::pin(self.ask_data(submission))
    }

    fn transaction_ended(&mut self) {
        self.asked = None;
    }

    fn disconnected(&mut self) {
        self.asked = None;
        self.host.tell_disconnect(&self.scene, self.tenant.as_ref());
    }
}

impl Session {
    pub(super) fn new(host: Arc<Shared>, info: SessionInfo) -> Self {
        let scene = SessionScene::new(info.id, info.listener, info.peer.ip().to_canonical(), info.helo);
        Self { host, scene: Arc::new(scene), tenant: None, counted: Tenant::default(), asked: None }
    }

    async fn ask_gate(&mut self, question: &Question) -> Gate {
        let hook = question.hook();
        let Self { host, scene, tenant, counted, asked } = self;
        let Transaction { generation, live } = asked.get_or_insert_with(|| Transaction::new(host.serving.load_full()));
        for (index, loaded) in generation.asked(hook, Some(&scene.listener), tenant.as_deref()) {
            let Some(live) = live.get_mut(index) else { continue };
            let call = host.call(generation.number, loaded, hook, *counted);
            let answer = async {
                host.admit(loaded)?;
                let scene = Scene { session: Some(scene.clone()), tenant: tenant.clone(), ..Scene::default() };
                let said = instance(&host.pool, loaded, tenant.as_ref(), live)
                    .await?
                    .gate(&host.pool, &loaded.code.hooks, scene, question)
                    .await?;
                verdict::gate(said)
            };
            let answer = answer.await;
            if loaded.ends_with_call() {
                *live = None;
            }
            let gate = match call.noted(answer, Some(scene), None) {
                Ok(gate) => gate,
                Err(fault) => {
                    *live = None;
                    let meaning = host.failed(loaded, hook, &fault, Some(scene), None);
                    verdict::failed_gate(meaning)
                }
            };
            if gate != Gate::Next {
                return gate;
            }
        }
        Gate::Next
    }

    async fn ask_data(&mut self, submission: Submission<'_>) -> DataVerdict {
        let Self { host, scene: session, tenant, counted, asked } = self;
        let Transaction { generation, live } = asked.get_or_insert_with(|| Transaction::new(host.serving.load_full()));
        let envelope = submission.envelope;
        let message = MessageScene {
            id: submission.id,
            content: submission.content.clone(),
            sender: envelope.sender.clone(),
            recipients: envelope.recipients.iter().map(|recipient| recipient.address.clone()).collect(),
            whole: true,
            headers: Vec::new(),
            envelope: Vec::new(),
            tags: Vec::new(),
            body: BodyScene::new(envelope.body, Some(submission.size_bytes_max)),
        };
        let mut scene =
            Scene { session: Some(session.clone()), tenant: tenant.clone(), message: Some(message), delivery: None };
        let mut ruled = (Disposition::Next, None);
        for (index, loaded) in generation.asked(Hook::Data, Some(&session.listener), tenant.as_deref()) {
            let Some(live) = live.get_mut(index) else { continue };
            let before = scene.mark();
            let call = host.call(generation.number, loaded, Hook::Data, *counted);
            let answer = async {
                host.admit(loaded)?;
                let said = instance(&host.pool, loaded, tenant.as_ref(), live)
                    .await?
                    .data(&host.pool, &loaded.code.hooks, &mut scene)
                    .await?;
                let disposition = verdict::disposition(said)?;
                kept(&mut scene)?;
                Ok(disposition)
            };
            let disposition = match call.noted(answer.await, Some(session), Some(submission.id)) {
                Ok(disposition) => disposition,
                Err(fault) => {
                    *live = None;
                    scene.roll_back(before);
                    let meaning = host.failed(loaded, Hook::Data, &fault, Some(session), Some(submission.id));
                    verdict::failed_disposition(meaning)
                }
            };
            if disposition != Disposition::Next {
                ruled = (disposition, Some(loaded.code.plugin.name.clone()));
                break;
            }
        }
        // No hook of this transaction follows: its instances may serve others while this message is made durable.
        self.asked = None;
        let (disposition, plugin) = ruled;
        match scene.message {
            Some(mut message) => {
                let (envelope, tags) = (std::mem::take(&mut message.envelope), std::mem::take(&mut message.tags));
                let (edits, body) = message.into_edits(0);
                DataVerdict { disposition, plugin, edits, body, envelope, tags }
            }
            None => {
                let (edits, envelope, tags) = (Edits::default(), Vec::new(), Vec::new());
                DataVerdict { disposition, plugin, edits, body: None, envelope, tags }
            }
        }
    }
}

/// The transaction's instance of the plugin, begun at its first hook.
async fn instance<'a>(
    pool: &Pool,
    loaded: &Arc<Loaded>,
    tenant: Option<&Arc<str>>,
    lease: &'a mut Option<Lease>,
) -> Result<&'a mut Live, Fault> {
    match lease {
        Some(lease) => lease.live(),
        none => none.insert(Lease::begin(pool, loaded, tenant).await?).live(),
    }
}
