//! The hooks of one recipient on its way out: where it goes, and each attempt.

use super::generation::key;
use super::shared::{Shared, kept};
use crate::base::event::Event;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::placement::Priority;
use crate::base::flow::policy::{Hook, RouteVerdict, Routing, SendVerdict, Sending, Sendout, Unplaced};
use crate::base::mail::content::Content;
use crate::base::mail::edits::Edits;
use crate::config::model::OnFailure;
use crate::sandbox::exchange::compare::trail::{Ask, Trail};
use crate::sandbox::exchange::compare::words;
use crate::sandbox::exchange::{routing, verdict};
use crate::sandbox::fault::{Fault, poison};
use crate::sandbox::host::stock::{Lease, Loaded};
use crate::sandbox::scene::body::BodyScene;
use crate::sandbox::scene::{DeliveryScene, MessageScene, Scene};
use std::sync::Arc;

/// `on-route`: an instance of its own, as at `on-pre-send`.
pub(super) async fn route(host: &Arc<Shared>, unplaced: Unplaced<'_>) -> RouteVerdict {
    let generation = host.serving.load_full();
    let Unplaced { entry, content, recipient, attempt, routes } = unplaced;
    let scene = || attempt_scene(entry, Some(content), recipient, attempt, "");
    let mut ruled = RouteVerdict { routing: Routing::Next, plugin: None };
    let Some(mut scene) = generation.has(Hook::Route).then(scene).flatten() else { return ruled };
    let tenant = host.pool.ledger.tenant(scene.tenant.as_ref());
    let mut trail = host.trail(&generation);
    let delivery = trail.as_ref().and(scene.delivery.clone());
    let asked = || delivery.clone().map_or(Ask::Data, Ask::Route);
    let shown_to_all = Trail::shown(trail.as_deref(), None, scene.message.as_deref());
    for (index, loaded) in generation.asked(Hook::Route, None, entry.tenant.as_deref(), key(entry.id)) {
        let name = &loaded.code.plugin.name;
        let shown = Trail::shown(trail.as_deref(), Some(index), scene.message.as_deref());
        let alone = loaded.breaker.is_open();
        let call = host.call(generation.number, loaded, Hook::Route, tenant);
        let answer = async {
            host.admit(loaded)?;
            let mut lease = Lease::begin(&host.pool, loaded, scene.tenant.as_ref()).await?;
            let said = lease.live()?.route(&host.pool, &loaded.code.hooks, &mut scene).await?;
            routing::routing(said, name, routes)
        };
        let answer = call.noted(answer.await, None, Some(entry.id));
        Trail::said(trail.as_mut(), shown, asked, answer.as_ref(), words::routing, scene.message.as_deref());
        let routing = match answer {
            Ok(routing) => routing,
            Err(fault) => {
                let meaning = host.failed(loaded, Hook::Route, &fault, None, Some(entry.id));
                match host.poisoned(loaded, Hook::Route, &fault, meaning, alone, &scene) {
                    Some(Sending::Hold(reason)) => Routing::Hold(reason),
                    Some(Sending::Fail(reply)) => Routing::Fail(reply),
                    _ => routing::failed_routing(meaning),
                }
            }
        };
        if routing != Routing::Next {
            ruled = RouteVerdict { routing, plugin: Some(name.clone()) };
            break;
        }
    }
    Trail::said(trail.as_mut(), shown_to_all, asked, Ok(&ruled.routing), words::routing, scene.message.as_deref());
    if let Some(trail) = trail {
        drop(host.follow(generation, *trail, None, scene.tenant.as_ref(), None));
    }
    ruled
}

/// `on-pre-send`: a fresh instance for each attempt, since attempts of one recipient are hours apart.
pub(super) async fn pre_send(host: &Arc<Shared>, sendout: Sendout<'_>) -> SendVerdict {
    let generation = host.serving.load_full();
    let Sendout { entry, content, recipient, attempt, site, size_bytes_max } = sendout;
    let scene = || attempt_scene(entry, Some(content), recipient, attempt, site);
    let Some(mut scene) = generation.has(Hook::PreSend).then(scene).flatten() else {
        return SendVerdict { sending: Sending::Next, plugin: None, edits: Edits::default(), body: None };
    };
    if let Some(message) = &mut scene.message {
        message.body = BodyScene::new(entry.envelope.body, Some(size_bytes_max));
    }
    let id = entry.id;
    let known = entry.edits.headers.len();
    let mut ruled = (Sending::Next, None);
    let mut trail = host.trail(&generation);
    let delivery = trail.as_ref().and(scene.delivery.clone());
    let asked = || delivery.clone().map_or(Ask::Data, Ask::PreSend);
    let shown_to_all = Trail::shown(trail.as_deref(), None, scene.message.as_deref());
    let tenant = host.pool.ledger.tenant(scene.tenant.as_ref());
    for (index, loaded) in generation.asked(Hook::PreSend, None, entry.tenant.as_deref(), key(id)) {
        let before = scene.mark();
        let shown = Trail::shown(trail.as_deref(), Some(index), scene.message.as_deref());
        let alone = loaded.breaker.is_open();
        let call = host.call(generation.number, loaded, Hook::PreSend, tenant);
        let answer = async {
            host.admit(loaded)?;
            let mut lease = Lease::begin(&host.pool, loaded, scene.tenant.as_ref()).await?;
            let sending = verdict::sending(lease.live()?.pre_send(&host.pool, &loaded.code.hooks, &mut scene).await?)?;
            kept(&mut scene)?;
            Ok(sending)
        };
        let answer = call.noted(answer.await, None, Some(id));
        Trail::said(trail.as_mut(), shown, asked, answer.as_ref(), words::sending, scene.message.as_deref());
        let sending = match answer {
            Ok(sending) => sending,
            Err(fault) => {
                scene.roll_back(before);
                let meaning = host.failed(loaded, Hook::PreSend, &fault, None, Some(id));
                let poisoned = host.poisoned(loaded, Hook::PreSend, &fault, meaning, alone, &scene);
                poisoned.unwrap_or_else(|| verdict::failed_sending(meaning))
            }
        };
        if sending != Sending::Next {
            ruled = (sending, Some(loaded.code.plugin.name.clone()));
            break;
        }
    }
    Trail::said(trail.as_mut(), shown_to_all, asked, Ok(&ruled.0), words::sending, scene.message.as_deref());
    if let Some(trail) = trail {
        // Attempts are hours apart: no order to keep.
        drop(host.follow(generation, *trail, None, scene.tenant.as_ref(), None));
    }
    let (edits, body) = scene.message.map_or_else(Default::default, |message| message.into_edits(known));
    SendVerdict { sending: ruled.0, plugin: ruled.1, edits, body }
}

impl Shared {
    /// What a fault before an attempt means beyond what the operator says it does. Where that is another attempt, there
    /// are so many and no more: a message that faults the plugin each time waits for an operator. A fault of a plugin that
    /// was left alone is not the message's: such a plugin fails for all, and would have the whole queue held.
    fn poisoned(
        &self,
        loaded: &Loaded,
        hook: Hook,
        fault: &Fault,
        meaning: OnFailure,
        alone: bool,
        scene: &Scene,
    ) -> Option<Sending> {
        let delivery = scene.delivery.as_ref().filter(|_| meaning == OnFailure::Tempfail)?;
        let plugin = &loaded.code.plugin.name;
        let counts = poison::counts(fault.kind) && !alone;
        let faults = poison::faults_before(plugin, delivery.last_reply.as_deref()).saturating_add(counts.into());
        if faults == 0 {
            return None;
        }
        if !counts || faults < loaded.code.plugin.budget.faults_per_message_max {
            return Some(Sending::Fail(poison::reply(plugin, fault.kind, faults)));
        }
        let (hook, kind, id) = (hook.name(), fault.kind.name(), Some(delivery.id));
        let event = Event::PluginPoison { plugin, hook, kind, faults, session: None, id, held: true };
        self.pool.world.observe.event(event);
        Some(Sending::Hold(poison::reason(plugin, hook, fault, faults).into()))
    }
}

/// What the attempt is about, if there is such a recipient. The message shows this recipient alone: others of the same
/// message are not its business.
pub(super) fn attempt_scene(
    entry: &Entry,
    content: Option<&Content>,
    recipient: u32,
    attempt: u32,
    site: &str,
) -> Option<Scene> {
    let place = usize::try_from(recipient).ok()?;
    let recipient = &entry.envelope.recipients.get(place)?.address;
    let placement = entry.placement(place);
    let last_reply = match entry.progress.get(place) {
        Some(Progress::Pending { last: Some(last), .. }) => Some(last.reply.to_string()),
        _ => None,
    };
    let message = |content: &Content| MessageScene {
        id: entry.id,
        content: content.clone(),
        sender: entry.envelope.sender.clone(),
        recipients: vec![recipient.clone()],
        whole: false,
        results: Arc::default(),
        is_ours: !entry.is_from_outside(),
        headers: entry.edits.headers.clone(),
        envelope: Vec::new(),
        tags: entry.tags.clone(),
        body: BodyScene::new(entry.envelope.body, None),
    };
    let message = content.map(|content| Box::new(message(content)));
    let delivery = DeliveryScene {
        id: entry.id,
        recipient: recipient.clone(),
        attempt,
        accepted: entry.accepted,
        last_reply,
        site: (!site.is_empty()).then(|| site.into()),
        campaign: placement.and_then(|placement| placement.campaign.clone()),
        priority: placement.map_or_else(Priority::default, |placement| placement.priority),
    };
    Some(Scene {
        tenant: entry.tenant.as_deref().map(Into::into),
        session: None,
        message,
        delivery: Some(Box::new(delivery)),
    })
}

/// A report that came back, as the message that can be read at `on-feedback`.
pub(super) fn report_scene(entry: &Entry, content: &Content) -> Scene {
    let message = MessageScene {
        id: entry.id,
        content: content.clone(),
        sender: entry.envelope.sender.clone(),
        recipients: entry.envelope.recipients.iter().map(|recipient| recipient.address.clone()).collect(),
        whole: false,
        headers: entry.edits.headers.clone(),
        envelope: Vec::new(),
        tags: entry.tags.clone(),
        results: Default::default(),
        is_ours: false,
        body: BodyScene::new(entry.envelope.body, None),
    };
    Scene { message: Some(Box::new(message)), ..Scene::default() }
}
