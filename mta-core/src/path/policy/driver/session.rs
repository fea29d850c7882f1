//! The hooks of a session and of its transactions.

use super::generation::{Generation, key};
use super::shared::{Shared, kept};
use crate::base::flow::Answer;
use crate::base::flow::policy::{Asked, DataVerdict, Disposition, Gate, Hook, SessionInfo, SessionPolicy, Submission};
use crate::base::mail::edits::Edits;
use crate::base::world::tls::TlsInfo;
use crate::sandbox::exchange::compare::trail::{Ask, Trail};
use crate::sandbox::exchange::compare::words;
use crate::sandbox::exchange::{question::question, verdict};
use crate::sandbox::fault::Fault;
use crate::sandbox::host::figures::Tenant;
use crate::sandbox::host::instance::{Live, Pool};
use crate::sandbox::host::questions::Question;
use crate::sandbox::host::stock::{Lease, Loaded};
use crate::sandbox::scene::body::BodyScene;
use crate::sandbox::scene::{MessageScene, Scene, SessionScene};
use std::future::ready;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::task::JoinHandle;

/// One session: its notes, and what the running transaction is asked by.
pub(super) struct Session {
    host: Arc<Shared>,
    scene: Arc<SessionScene>,
    tenant: Option<Arc<str>>,
    /// The tenant's number among the figures.
    counted: Tenant,
    asked: Option<Transaction>,
    /// What its sides are drawn by.
    key: u64,
    /// Those who follow the transaction before, while they are asked.
    following: Option<JoinHandle<()>>,
}

/// A transaction's generation and its instances, by the index of their plugins.
struct Transaction {
    generation: Arc<Generation>,
    live: Vec<Option<Lease>>,
    /// Its calls, for those who follow.
    trail: Option<Box<Trail>>,
}

impl Transaction {
    fn new(host: &Shared) -> Self {
        let generation = host.serving.load_full();
        let live = generation.plugins.iter().map(|_| None).collect();
        let trail = host.trail(&generation);
        Self { generation, live, trail }
    }
}

impl SessionPolicy for Session {
    fn secured(&mut self, tls: &Arc<TlsInfo>) {
        self.scene.set_tls(tls);
    }

    fn named(&mut self, name: &str) {
        self.scene.set_helo(name);
    }

    fn authenticated(&mut self, user: &str) {
        self.scene.set_user(user);
    }

    fn belongs_to(&mut self, tenant: Option<&Arc<str>>) {
        if self.tenant.as_ref() != tenant {
            self.tenant = tenant.cloned();
            self.counted = self.host.pool.ledger.tenant(tenant);
        }
    }

    fn rejected(&mut self, recipients: u32) {
        self.scene.rejected.store(recipients, Ordering::Relaxed);
    }

    fn gate<'a>(&'a mut self, asked: Asked<'a>) -> Answer<'a, Gate> {
        if !self.has(asked.hook()) {
            return Box::pin(ready(Gate::Next));
        }
        let question = question(asked);
        match asked {
            Asked::Mail { .. } | Asked::Rcpt { .. } => Box::pin(async move { self.ask_gate(&question).await }),
            // These are of no transaction, though one may be open when a client names itself again. It may stay idle
            // for long, so nothing is kept but the notes.
            Asked::Connect | Asked::Helo(_) | Asked::Auth { .. } => Box::pin(async move {
                let open = self.asked.take();
                let gate = self.ask_gate(&question).await;
                self.end();
                self.asked = open;
                gate
            }),
        }
    }

    fn data<'a>(&'a mut self, submission: Submission<'a>) -> Answer<'a, DataVerdict> {
        Box::pin(self.ask_data(submission))
    }

    fn transaction_ended(&mut self) {
        self.end();
    }

    fn disconnected(&mut self) {
        self.end();
        self.host.tell_disconnect(&self.scene, self.tenant.as_ref());
    }
}

impl Session {
    pub(super) fn new(host: Arc<Shared>, info: SessionInfo) -> Self {
        let scene = SessionScene::new(info.id, info.listener, info.peer.ip().to_canonical(), info.helo);
        if let Some(tls) = &info.tls {
            scene.set_tls(tls);
        }
        info.user.iter().for_each(|user| scene.set_user(user));
        let key = key(&scene.id);
        let counted = Tenant::default();
        Self { host, scene: Arc::new(scene), tenant: None, counted, asked: None, key, following: None }
    }

    /// Whether anybody is asked at the hook, now or in the transaction that is open.
    fn has(&self, hook: Hook) -> bool {
        let has = |open: &Transaction| open.generation.has(hook);
        self.asked.as_ref().is_some_and(has) || self.host.serving.load().has(hook)
    }

    /// The transaction is over.
    fn end(&mut self) {
        if let Some(Transaction { trail: Some(trail), generation, .. }) = self.asked.take() {
            let before = self.following.take();
            self.following = self.host.follow(generation, *trail, Some(&self.scene), self.tenant.as_ref(), before);
        }
    }

    async fn ask_gate(&mut self, question: &Question) -> Gate {
        let host = &self.host;
        let asked = self.asked.get_or_insert_with(|| Transaction::new(host));
        let shown = Trail::shown(asked.trail.as_deref(), None, None);
        let gate = self.ask_chain(question).await;
        let trail = self.asked.as_mut().and_then(|asked| asked.trail.as_mut());
        Trail::said(trail, shown, || Ask::Gate(question.clone()), Ok(&gate), words::gate, None);
        gate
    }

    async fn ask_chain(&mut self, question: &Question) -> Gate {
        let hook = question.hook();
        let Self { host, scene, tenant, counted, asked, key, .. } = self;
        let Transaction { generation, live, trail } = asked.get_or_insert_with(|| Transaction::new(host));
        for (index, loaded) in generation.asked(hook, Some(&scene.listener), tenant.as_deref(), *key) {
            let Some(live) = live.get_mut(index) else { continue };
            let shown = Trail::shown(trail.as_deref(), Some(index), None);
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
            let answer = call.noted(answer, Some(scene), None);
            let asked = || Ask::Gate(question.clone());
            Trail::said(trail.as_mut(), shown, asked, answer.as_ref(), words::gate, None);
            let gate = match answer {
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
        let Self { host, scene: session, tenant, counted, asked, key, .. } = self;
        let Transaction { generation, live, trail } = asked.get_or_insert_with(|| Transaction::new(host));
        let message = Box::new(submitted(&submission));
        let mut scene =
            Scene { session: Some(session.clone()), tenant: tenant.clone(), message: Some(message), delivery: None };
        let mut ruled = (Disposition::Next, None);
        let shown_to_all = Trail::shown(trail.as_deref(), None, scene.message.as_deref());
        for (index, loaded) in generation.asked(Hook::Data, Some(&session.listener), tenant.as_deref(), *key) {
            let Some(live) = live.get_mut(index) else { continue };
            let before = scene.mark();
            let shown = Trail::shown(trail.as_deref(), Some(index), scene.message.as_deref());
            let alone = loaded.breaker.is_open();
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
            let answer = call.noted(answer.await, Some(session), Some(submission.id));
            let message = scene.message.as_deref();
            Trail::said(trail.as_mut(), shown, || Ask::Data, answer.as_ref(), words::disposition, message);
            let disposition = match answer {
                Ok(disposition) => disposition,
                Err(fault) => {
                    *live = None;
                    scene.roll_back(before);
                    let meaning = host.failed(loaded, Hook::Data, &fault, Some(session), Some(submission.id));
                    host.poisoned_data(loaded, &fault, meaning, alone, &scene);
                    verdict::failed_disposition(meaning)
                }
            };
            if disposition != Disposition::Next {
                ruled = (disposition, Some(loaded.code.plugin.name.clone()));
                break;
            }
        }
        Trail::said(
            trail.as_mut(),
            shown_to_all,
            || Ask::Data,
            Ok(&ruled.0),
            words::disposition,
            scene.message.as_deref(),
        );
        // No hook of this transaction follows: its instances may serve others while this message is made durable.
        self.end();
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

/// The message as it came.
fn submitted(submission: &Submission<'_>) -> MessageScene {
    let envelope = submission.envelope;
    MessageScene {
        id: submission.id,
        content: submission.content.clone(),
        sender: envelope.sender.clone(),
        recipients: envelope.recipients.iter().map(|recipient| recipient.address.clone()).collect(),
        whole: true,
        results: submission.verified.map(|verified| Arc::clone(&verified.results)).unwrap_or_default(),
        is_ours: submission.is_ours,
        headers: submission.verified.map(|verified| verified.edits.clone()).unwrap_or_default(),
        envelope: Vec::new(),
        tags: Vec::new(),
        body: BodyScene::new(envelope.body, Some(submission.size_bytes_max)),
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
