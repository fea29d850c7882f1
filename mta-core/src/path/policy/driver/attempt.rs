//! The hooks of one recipient on its way out: where it goes, and each attempt.

use super::super::exchange::{routing, verdict};
use super::super::host::stock::Lease;
use super::super::scene::body::BodyScene;
use super::super::scene::{DeliveryScene, MessageScene, Scene};
use super::shared::{Shared, kept};
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::placement::Priority;
use crate::base::flow::policy::{Hook, RouteVerdict, Routing, SendVerdict, Sending, Sendout, Unplaced};
use crate::base::mail::content::Content;
use crate::base::mail::edits::Edits;

/// `on-route`: an instance of its own, as at `on-pre-send`.
pub(super) async fn route(host: &Shared, unplaced: Unplaced<'_>) -> RouteVerdict {
    let generation = host.serving.load_full();
    let Unplaced { entry, content, recipient, attempt, routes } = unplaced;
    let scene = || attempt_scene(entry, Some(content), recipient, attempt, "");
    let mut ruled = RouteVerdict { routing: Routing::Next, plugin: None };
    let Some(mut scene) = generation.has(Hook::Route).then(scene).flatten() else { return ruled };
    let tenant = host.pool.ledger.tenant(scene.tenant.as_ref());
    for (_, loaded) in generation.asked(Hook::Route, None, entry.tenant.as_deref()) {
        let name = &loaded.code.plugin.name;
        let call = host.call(generation.number, loaded, Hook::Route, tenant);
        let answer = async {
            host.admit(loaded)?;
            let mut lease = Lease::begin(&host.pool, loaded, scene.tenant.as_ref()).await?;
            let said = lease.live()?.route(&host.pool, &loaded.code.hooks, &mut scene).await?;
            routing::routing(said, name, routes)
        };
        let routing = match call.noted(answer.await, None, Some(entry.id)) {
            Ok(routing) => routing,
            Err(fault) => routing::failed_routing(host.failed(loaded, Hook::Route, &fault, None, Some(entry.id))),
        };
        if routing != Routing::Next {
            ruled = RouteVerdict { routing, plugin: Some(name.clone()) };
            break;
        }
    }
    ruled
}

/// `on-pre-send`: a fresh instance for each attempt, since attempts of one recipient are hours apart.
pub(super) async fn pre_send(host: &Shared, sendout: Sendout<'_>) -> SendVerdict {
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
    let tenant = host.pool.ledger.tenant(scene.tenant.as_ref());
    for (_, loaded) in generation.asked(Hook::PreSend, None, entry.tenant.as_deref()) {
        let before = scene.mark();
        let call = host.call(generation.number, loaded, Hook::PreSend, tenant);
        let answer = async {
            host.admit(loaded)?;
            let mut lease = Lease::begin(&host.pool, loaded, scene.tenant.as_ref()).await?;
            let sending = verdict::sending(lease.live()?.pre_send(&host.pool, &loaded.code.hooks, &mut scene).await?)?;
            kept(&mut scene)?;
            Ok(sending)
        };
        let sending = match call.noted(answer.await, None, Some(id)) {
            Ok(sending) => sending,
            Err(fault) => {
                scene.roll_back(before);
                verdict::failed_sending(host.failed(loaded, Hook::PreSend, &fault, None, Some(id)))
            }
        };
        if sending != Sending::Next {
            ruled = (sending, Some(loaded.code.plugin.name.clone()));
            break;
        }
    }
    let (edits, body) = scene.message.map_or_else(Default::default, |message| message.into_edits(known));
    SendVerdict { sending: ruled.0, plugin: ruled.1, edits, body }
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
    let message = content.map(|content| MessageScene {
        id: entry.id,
        content: content.clone(),
        sender: entry.envelope.sender.clone(),
        recipients: vec![recipient.clone()],
        whole: false,
        headers: entry.edits.headers.clone(),
        envelope: Vec::new(),
        tags: entry.tags.clone(),
        body: BodyScene::new(entry.envelope.body, None),
    });
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
    Some(Scene { tenant: entry.tenant.as_deref().map(Into::into), session: None, message, delivery: Some(delivery) })
}
