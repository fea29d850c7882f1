//! Tries a plugin on a case that its author wrote: a session and a message, and what is expected of the plugin.
//!
//! `replay` asks one what another was asked in production, and `bench` measures it.
//! It is loaded as a server would load it, compiled, checked against its grants, configured and tested, and asked through
//! the same door. Each case has a host of its own, so that no case finds what another left in a bucket.

pub mod bench;
mod case;
mod later;
mod mail;
pub mod replay;

pub use case::{Case, FeedbackCase, LoginCase, OutcomeCase, RequestCase, Session, Told};

use super::stages::standing;
use super::{World, host, threads};
use crate::base::event::Event;
use crate::base::flow::entry::Entry;
use crate::base::flow::operator::suppression::Suppress;
use crate::base::flow::policy::verify::Verified;
use crate::base::flow::policy::{
    Asked, Disposition, Gate, Hook, Policy, Routing, SendVerdict, Sendout, SessionInfo, SessionPolicy, Submission,
    Unplaced,
};
use crate::base::mail::content::Content;
use crate::base::mail::envelope::{BodyType, Envelope};
use crate::base::mail::id::QueueId;
use crate::base::world::Observe;
use crate::config::model::Config;
use crate::edge::plugins;
use crate::edge::plugins::compiler::Compiler;
use crate::edge::supplies::Shelf;
use crate::path::suppress::driver::Suppressor;
use crate::sandbox::words;
use mail::{address, content, queued, recipient};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// What went wrong meanwhile, and what was written to the log.
#[derive(Default)]
struct Heard(Mutex<(Vec<String>, Vec<String>)>);

impl Observe for Heard {
    fn event(&self, event: Event<'_>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::PluginFault { hook, kind, why, frames, .. } => {
                let at = if frames.is_empty() { "" } else { " at " };
                heard.0.push(format!("{hook} {kind}: {why}{at}{frames}"));
            }
            Event::PluginLog { level, message, .. } => heard.1.push(format!("{level}: {message}")),
            _ => {}
        }
    }
}

/// Suppression lists of a trial's own: they live as long as it.
async fn empty_lists(world: &World) -> Result<Arc<dyn Suppress>, String> {
    let lists = Suppressor::open(None, Arc::clone(&world.clock), Arc::clone(&world.observe)).await;
    Ok(Arc::new(lists.map_err(|fault| fault.to_string())?))
}

/// Plays a case with the plugins of a configuration.
///
/// # Errors
/// In words for people: a plugin can't be loaded, or the case makes no sense.
pub fn play(config: &Config, case: &Case, message: Option<&[u8]>) -> Result<Told, String> {
    let envelope = Envelope {
        sender: (!case.sender.is_empty()).then(|| address(&case.sender)).transpose()?,
        recipients: case.recipients.iter().map(|text| recipient(text)).collect::<Result<_, _>>()?,
        body: BodyType::default(),
        smtputf8: false,
        ret: None,
        envid: None,
    };
    threads::run(async {
        let heard = Arc::new(Heard::default());
        let world = World::new(config, Arc::<Heard>::clone(&heard))?;
        let lists = empty_lists(&world).await?;
        let suppress = Some(Arc::clone(&lists));
        let host = host(&world, Compiler::uncached(Arc::clone(&world.observe)), None, suppress, None)?;
        let shelf = Shelf::default();
        let reading = shelf.read(config)?;
        host.load(&config.plugins, &reading.supplies, &plugins::read).await.map_err(|error| error.to_string())?;
        shelf.put(reading);
        let known = watch::Sender::new(Arc::new(config.clone()));
        host.stands_by(standing(&world, &shelf, known.subscribe())?);
        let info = SessionInfo {
            id: "trial".into(),
            listener: case.session.listener.as_str().into(),
            peer: case.session.peer,
            helo: None,
            tls: None,
            user: case.session.user.as_deref().map(Into::into),
        };
        let mut session = host.session(info);
        session.rejected(case.session.rejected_recipients);
        let limit = config.limits.message_bytes_max;
        let (mut told, queued) = converse(&mut *session, case, envelope, message, limit).await;
        drop(session);
        if let Some((entry, content)) = &queued {
            deliver(&host, config, entry.clone(), content, &mut told).await;
        }
        if let Some(plugin) = config.plugins.first() {
            later::play(&host, case, &queued, plugin, &mut told).await?;
        }
        // The end of the session is told beside it.
        host.told().await;
        told.suppressed = Some(later::suppressed(&*lists, config));
        let (faults, log) = heard.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (told.faults, told.log) = (Some(faults), Some(log));
        Ok(told)
    })
}

/// A session as SMTP has it: who is refused is asked nothing more. With it what is queued then, if something is.
async fn converse(
    session: &mut dyn SessionPolicy,
    case: &Case,
    mut envelope: Envelope,
    message: Option<&[u8]>,
    size_bytes_max: u64,
) -> (Told, Option<(Entry, Content)>) {
    let helo = &case.session.helo;
    let mut told = Told::default();
    let goes_on = |gate: &Gate| matches!(gate, Gate::Next | Gate::Accept);
    let gate = session.gate(Asked::Connect).await;
    told.connect = Some(words::gate(&gate));
    if !goes_on(&gate) {
        return (told, None);
    }
    let gate = session.gate(Asked::Helo(helo)).await;
    told.helo = Some(words::gate(&gate));
    if !goes_on(&gate) {
        return (told, None);
    }
    session.named(helo);
    let wanted = std::mem::take(&mut envelope.recipients);
    let size_bytes = message.map(|message| message.len() as u64);
    let gate = session.gate(Asked::Mail { envelope: &envelope, size_bytes }).await;
    told.mail = Some(words::gate(&gate));
    if !goes_on(&gate) {
        return (told, None);
    }
    let mut said = Vec::new();
    for to in wanted {
        let gate = session.gate(Asked::Rcpt { sender: envelope.sender.as_ref(), to: &to }).await;
        said.push(words::gate(&gate));
        if goes_on(&gate) {
            envelope.recipients.push(to);
        }
    }
    told.rcpt = Some(said);
    if let Some(message) = message.filter(|_| !envelope.recipients.is_empty()) {
        let content = content(message);
        let verified = Verified { results: case.results.clone().into(), ..Verified::default() };
        let verified = Some(&verified);
        let is_ours = case.ours;
        let submission =
            Submission { id: QueueId(1), envelope: &envelope, content: &content, size_bytes_max, verified, is_ours };
        let verdict = session.data(submission).await;
        told.edits = Some(words::verdict_edits(&verdict));
        told.data = Some(words::disposition(&verdict.disposition));
        if matches!(verdict.disposition, Disposition::Next | Disposition::Accept) {
            return (told, Some(queued(envelope, content, verdict)));
        }
    }
    (told, None)
}

/// Each recipient's way and first attempt. One that is held or failed has no attempt.
async fn deliver(policy: &dyn Policy, config: &Config, mut entry: Entry, content: &Content, told: &mut Told) {
    for recipient in (0u32..).take(entry.progress.len()) {
        let mut goes_on = true;
        if policy.has(Hook::Route) {
            let unplaced = Unplaced { entry: &entry, content, recipient, attempt: 1, routes: config };
            let routing = policy.route(unplaced).await.routing;
            told.route.get_or_insert_default().push(words::routing(&routing));
            goes_on = matches!(routing, Routing::Next | Routing::Place(..));
            if let Routing::Place(placement, _) = routing {
                entry.place(recipient, Some(placement));
            }
        }
        if goes_on && policy.has(Hook::PreSend) {
            let size_bytes_max = config.limits.message_bytes_max;
            let sendout = Sendout { entry: &entry, content, recipient, attempt: 1, site: "trial", size_bytes_max };
            let verdict = policy.pre_send(sendout).await;
            told.pre_send.get_or_insert_default().push(sending_words(&verdict));
        }
    }
}

fn sending_words(verdict: &SendVerdict) -> String {
    std::iter::once(words::sending(&verdict.sending)).chain(words::send_edits(verdict)).collect::<Vec<_>>().join(", ")
}
