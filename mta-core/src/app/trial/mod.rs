//! Tries a plugin on a case that its author wrote: a session and a message, and what is expected of the plugin.
//!
//! `replay` asks one what another was asked in production, and `bench` measures it.
//! It is loaded as a server would load it, compiled, checked against its grants, configured and tested, and asked through
//! the same door. Each case has a host of its own, so that no case finds what another left in a bucket.

pub mod bench;
pub mod replay;

use super::{World, host, runtime};
use crate::base::event::Event;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::operator::suppression::Suppress;
use crate::base::flow::policy::verify::{AuthResult, Verified};
use crate::base::flow::policy::{
    Asked, DataVerdict, Disposition, Gate, Hook, Policy, Routing, SendVerdict, Sendout, SessionInfo, SessionPolicy,
    Submission, Unplaced,
};
use crate::base::mail::address::Address;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::envelope::{BodyType, Envelope, Recipient};
use crate::base::mail::header;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::base::world::Observe;
use crate::config::model::Config;
use crate::edge::plugins;
use crate::edge::plugins::compiler::Compiler;
use crate::edge::supplies::Shelf;
use crate::path::suppress::driver::Suppressor;
use crate::sandbox::words;
use bytes::Bytes;
use serde::Deserialize;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// One case, as its file says it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Who connects.
    #[serde(default)]
    pub session: Session,
    /// The reverse path; empty is the null sender.
    #[serde(default)]
    pub sender: String,
    /// The forward paths, in their order.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// The message's file, beside the case.
    pub message: Option<String>,
    /// What its verification came to, as `[[results]]` with method, outcome, domain and detail.
    #[serde(default)]
    pub results: Vec<AuthResult>,
    /// What the plugin is to say; what is not named here is not looked at.
    #[serde(default)]
    pub expect: Told,
}

/// Who connects.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// The client's address and port.
    pub peer: SocketAddr,
    /// The name that it gives.
    pub helo: String,
    /// The listener's name.
    pub listener: String,
}

impl Default for Session {
    fn default() -> Self {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        Self { peer, helo: "client.example".to_owned(), listener: "mx".to_owned() }
    }
}

/// What the plugin said, hook by hook, in words; nothing for what it was not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Told {
    /// `next`, `accept`, or `tempfail`, `reject` or `disconnect` with the reply, as `reject 550 5.7.1 no`.
    pub connect: Option<String>,
    /// The same.
    pub helo: Option<String>,
    /// The same.
    pub mail: Option<String>,
    /// The same, for each recipient.
    pub rcpt: Option<Vec<String>>,
    /// Also `quarantine REASON` and `discard REASON`.
    pub data: Option<String>,
    /// What it changed, as `add X-A: 1`, `set X-A (0): 1`, `remove X-A (0)`, `sender a@b`, `add recipient a@b`,
    /// `remove recipient a@b`, `tag name: value`, `body of N octets`.
    pub edits: Option<Vec<String>>,
    /// For each recipient of a message that was accepted: `next`, `hold REASON`, `fail` with the reply, or `place` and what
    /// was chosen, as `place via bulk, campaign spring, priority bulk, not before 1000, expires 2000`.
    pub route: Option<Vec<String>>,
    /// The same before its first attempt: `next`, `hold REASON`, `not before 1000`, `fail` with the reply, `discard REASON`,
    /// and what it changed for this recipient, as `next, add X-A: 1`.
    pub pre_send: Option<Vec<String>>,
    /// Its faults, as `rcpt cpu: it used up its time`.
    pub faults: Option<Vec<String>>,
}

/// What went wrong meanwhile.
#[derive(Default)]
struct Faults(Mutex<Vec<String>>);

impl Observe for Faults {
    fn event(&self, event: Event<'_>) {
        if let Event::PluginFault { hook, kind, why, frames, .. } = event {
            let at = if frames.is_empty() { "" } else { " at " };
            let words = format!("{hook} {kind}: {why}{at}{frames}");
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(words);
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
    runtime()?.block_on(async {
        let faults = Arc::new(Faults::default());
        let world = World::new(config, Arc::<Faults>::clone(&faults))?;
        let lists = empty_lists(&world).await?;
        let host = host(&world, Compiler::uncached(Arc::clone(&world.observe)), None, Some(lists))?;
        let supplies = Shelf::default().read(config)?.supplies;
        host.load(&config.plugins, &supplies, &plugins::read).await.map_err(|error| error.to_string())?;
        let info = SessionInfo {
            id: "trial".into(),
            listener: case.session.listener.as_str().into(),
            peer: case.session.peer,
            helo: None,
            tls: None,
            user: None,
        };
        let mut session = host.session(info);
        let limit = config.limits.message_bytes_max;
        let (mut told, queued) = converse(&mut *session, case, envelope, message, limit).await;
        drop(session);
        if let Some((entry, content)) = queued {
            deliver(&host, config, entry, &content, &mut told).await;
        }
        told.faults = Some(faults.0.lock().unwrap_or_else(PoisonError::into_inner).clone());
        Ok(told)
    })
}

fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).map_err(|error| format!("{text}: {error}"))
}

fn recipient(text: &str) -> Result<Recipient, String> {
    Ok(Recipient { address: address(text)?, notify: None, orcpt: None })
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
        let submission =
            Submission { id: QueueId(1), envelope: &envelope, content: &content, size_bytes_max, verified };
        let verdict = session.data(submission).await;
        told.edits = Some(words::verdict_edits(&verdict));
        told.data = Some(words::disposition(&verdict.disposition));
        if matches!(verdict.disposition, Disposition::Next | Disposition::Accept) {
            return (told, Some(queued(envelope, content, verdict)));
        }
    }
    (told, None)
}

/// The message as it would be queued: accepted in 1970, so that times in answers are those of the plugin alone.
fn queued(envelope: Envelope, content: Content, verdict: DataVerdict) -> (Entry, Content) {
    let content = match verdict.body {
        Some(new) => Content { head: header::with_empty_line(&content.head), body: new.body() },
        None => content,
    };
    let accepted = UnixMillis(0);
    let entry = Entry {
        id: QueueId(1),
        accepted,
        progress: vec![Progress::fresh(accepted); envelope.recipients.len()],
        placements: Vec::new(),
        envelope,
        trace: Box::default(),
        edits: verdict.edits,
        size_bytes: content.size_bytes(),
        head_bytes: u32::try_from(content.head.len()).unwrap_or(u32::MAX),
        tenant: None,
        tags: verdict.tags,
    };
    (entry, content)
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

/// The message as it comes by SMTP: a file's own line ends become CRLF (RFC 5321 2.3.8).
fn content(message: &[u8]) -> Content {
    let mut octets = Vec::with_capacity(message.len() + message.len() / 32);
    for line in message.split_inclusive(|octet| *octet == b'\n') {
        let ended = line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        octets.extend_from_slice(ended.unwrap_or(line));
        if ended.is_some() {
            octets.extend_from_slice(b"\r\n");
        }
    }
    let octets = Bytes::from(octets);
    let head = octets.windows(4).position(|four| four == b"\r\n\r\n").map_or(octets.len(), |at| at + 4);
    Content { head: octets.slice(..head), body: Body::Memory(octets.slice(head..)) }
}
