//! What a running hook call is about: the session with its notes, the message with its recorded edits, the attempt.
//!
//! Edits are only ever appended, so that a call which fails is undone by cutting the lists back to where it began.

pub(crate) mod body;
pub(crate) mod recorded;
mod refused;

use super::exchange::compare::words;
use crate::base::flow::entry::OWN_TAGS;
use crate::base::flow::placement::Priority;
use crate::base::flow::policy::verify::AuthResult;
use crate::base::mail::address::Address;
use crate::base::mail::content::{Composed, Content};
use crate::base::mail::edits::{Edits, EnvelopeEdit, HeaderEdit};
use crate::base::mail::header;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::base::world::tls::TlsInfo;
use body::{BodyScene, Ends};
pub(crate) use refused::Refused;
use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;

/// Longest value of an added or changed header field, in octets.
const FIELD_BYTES_MAX: usize = 8 * 1024;
/// Longest name and value of a tag, in octets.
const TAG_BYTES_MAX: usize = 1024;
/// Longest key and value of a note, in octets.
const NOTE_BYTES_MAX: usize = 4 * 1024;
/// Notes in a session, of all plugins.
const NOTES_MAX: usize = 128;
/// Notes in a session, of one plugin and in common.
const NOTES_PER_PLUGIN_MAX: usize = 64;
/// How often plugins sent mail up to this message, on its way and when it comes back. In the queue a tag says so. Guests can
/// write neither.
pub(crate) const DEPTH_FIELD: &str = "Mailwright-Submitted";
/// Keys that begin so are common to all plugins of a session.
const SHARED: &str = "shared/";

/// What a call is about. An absent part answers `not-here`. It is lent to each call and comes back, so what is large in it
/// is boxed.
#[derive(Debug, Default)]
pub(crate) struct Scene {
    /// Whose mail it is.
    pub(crate) tenant: Option<Arc<str>>,
    pub(crate) session: Option<Arc<SessionScene>>,
    pub(crate) message: Option<Box<MessageScene>>,
    pub(crate) delivery: Option<Box<DeliveryScene>>,
}

/// An SMTP session, shared by the calls of its plugins.
#[derive(Debug)]
pub(crate) struct SessionScene {
    pub(crate) id: Box<str>,
    pub(crate) listener: Arc<str>,
    pub(crate) peer: IpAddr,
    /// Recipients that the client was refused for good.
    pub(crate) rejected: AtomicU32,
    said: Mutex<Said>,
}

#[derive(Debug, Default)]
struct Said {
    helo: Option<Box<str>>,
    tls: Option<Arc<TlsInfo>>,
    user: Option<Box<str>>,
    notes: Notes,
    /// Those of shadows, whom nobody else hears.
    shadows: Notes,
}

/// Notes with their owners and keys; common ones have no owner.
type Notes = Vec<(Option<Arc<str>>, Box<str>, Note)>;

/// A note's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Note {
    Text(String),
    Number(i64),
    Bytes(Vec<u8>),
}

/// One recipient's attempt.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryScene {
    pub(crate) id: QueueId,
    pub(crate) recipient: Address,
    pub(crate) attempt: u32,
    pub(crate) accepted: UnixMillis,
    pub(crate) last_reply: Option<String>,
    /// Where it is to go; none where that is not known, or nowhere.
    pub(crate) site: Option<Box<str>>,
    pub(crate) campaign: Option<Box<str>>,
    pub(crate) priority: Priority,
}

/// A message, as it stands after the edits so far.
#[derive(Debug)]
pub(crate) struct MessageScene {
    pub(crate) id: QueueId,
    pub(crate) content: Content,
    pub(crate) sender: Option<Address>,
    pub(crate) recipients: Vec<Address>,
    /// Envelope and tags may be changed too: at `on-data`, not before an attempt.
    pub(crate) whole: bool,
    /// What its verification came to, at `on-data`.
    pub(crate) results: Arc<[AuthResult]>,
    /// The server answers for it.
    pub(crate) is_ours: bool,
    pub(crate) headers: Vec<HeaderEdit>,
    pub(crate) envelope: Vec<EnvelopeEdit>,
    pub(crate) tags: Vec<(Box<str>, Box<str>)>,
    pub(crate) body: BodyScene,
}

/// How long the lists of edits were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    headers: usize,
    envelope: usize,
    tags: usize,
    bodies: u32,
}

impl Scene {
    /// Where the message's edits end now.
    pub(crate) fn mark(&self) -> Mark {
        self.message.as_deref().map_or_else(Mark::default, MessageScene::mark)
    }

    /// Forgets the message's edits behind the mark.
    pub(crate) fn roll_back(&mut self, mark: Mark) {
        if let Some(message) = &mut self.message {
            message.roll_back(mark);
        }
    }

    /// A call is over, and its edits stay: a new body that it recorded is what the next plugin sees.
    ///
    /// # Errors
    /// The new body ends within a line end.
    pub(crate) fn keep(&mut self) -> Result<(), Refused> {
        let Some(MessageScene { body, content, .. }) = self.message.as_deref_mut() else { return Ok(()) };
        body.keep(content)
    }
}

impl SessionScene {
    pub(crate) fn new(id: Box<str>, listener: Arc<str>, peer: IpAddr, helo: Option<Box<str>>) -> Self {
        let said = Mutex::new(Said { helo, ..Said::default() });
        Self { id, listener, peer, rejected: AtomicU32::new(0), said }
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn said(&self) -> MutexGuard<'_, Said> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_helo(&self, name: &str) {
        self.said().helo = Some(name.into());
    }

    /// The connection is protected; what was said before is forgotten (RFC 3207 4.2), but not what was noted.
    pub(crate) fn set_tls(&self, tls: &Arc<TlsInfo>) {
        let mut said = self.said();
        said.helo = None;
        said.user = None;
        said.tls = Some(Arc::clone(tls));
    }

    pub(crate) fn tls(&self) -> Option<Arc<TlsInfo>> {
        self.said().tls.clone()
    }

    pub(crate) fn helo(&self) -> Option<String> {
        self.said().helo.as_deref().map(str::to_owned)
    }

    pub(crate) fn set_user(&self, name: &str) {
        self.said().user = Some(name.into());
    }

    pub(crate) fn user(&self) -> Option<String> {
        self.said().user.as_deref().map(str::to_owned)
    }

    /// A note of the plugin, or a common one. A shadow hears what others said in common, but where it spoke itself.
    pub(crate) fn note(&self, plugin: &Arc<str>, is_shadow: bool, key: &str) -> Option<Note> {
        let said = self.said();
        let own = said.shadows.iter().filter(|_| is_shadow).find(|(owner, name, _)| is_note(owner, name, plugin, key));
        let found = own.or_else(|| said.notes.iter().find(|(owner, name, _)| is_note(owner, name, plugin, key)));
        found.map(|(_, _, note)| note.clone())
    }

    pub(crate) fn set_note(&self, plugin: &Arc<str>, is_shadow: bool, key: &str, note: Note) -> Result<(), Refused> {
        let bytes = match &note {
            Note::Text(text) => text.len(),
            Note::Number(_) => 0,
            Note::Bytes(bytes) => bytes.len(),
        };
        if key.len() + bytes > NOTE_BYTES_MAX {
            return Err(Refused::TooLarge);
        }
        let mut said = self.said();
        let notes = if is_shadow { &mut said.shadows } else { &mut said.notes };
        if let Some((_, _, old)) = notes.iter_mut().find(|(owner, name, _)| is_note(owner, name, plugin, key)) {
            *old = note;
            return Ok(());
        }
        let owner = (is_shadow || !key.starts_with(SHARED)).then(|| plugin.clone());
        let of_owner = notes.iter().filter(|(other, _, _)| *other == owner).count();
        if of_owner >= NOTES_PER_PLUGIN_MAX || notes.len() >= NOTES_MAX {
            return Err(Refused::TooLarge);
        }
        notes.push((owner, key.into(), note));
        Ok(())
    }
}

fn is_note(owner: &Option<Arc<str>>, name: &str, plugin: &Arc<str>, key: &str) -> bool {
    name == key && owner.as_ref().is_none_or(|owner| owner == plugin)
}

impl MessageScene {
    pub(crate) fn mark(&self) -> Mark {
        let (headers, envelope, tags) = (self.headers.len(), self.envelope.len(), self.tags.len());
        Mark { headers, envelope, tags, bodies: self.body.kept }
    }

    fn roll_back(&mut self, mark: Mark) {
        if self.headers.len() > mark.headers {
            // The fields that describe the body may be as they were again.
            self.body.parts = None;
        }
        self.headers.truncate(mark.headers);
        self.envelope.truncate(mark.envelope);
        self.tags.truncate(mark.tags);
        self.body.roll_back();
    }

    /// The message as it stands, for others who are asked about it: what they record is no part of this one.
    pub(crate) fn twin(&self) -> Self {
        Self {
            id: self.id,
            content: self.content.clone(),
            sender: self.sender.clone(),
            recipients: self.recipients.clone(),
            whole: self.whole,
            results: Arc::clone(&self.results),
            is_ours: self.is_ours,
            headers: self.headers.clone(),
            envelope: self.envelope.clone(),
            tags: self.tags.clone(),
            body: self.body.twin(),
        }
    }

    /// The edits behind the mark in words; a new body once its call is over.
    pub(crate) fn words_since(&self, mark: Mark) -> Vec<String> {
        let body = (self.body.kept > mark.bodies).then(|| self.content.body.size_bytes());
        words::edits(
            self.headers.get(mark.headers..).unwrap_or_default(),
            self.envelope.get(mark.envelope..).unwrap_or_default(),
            self.tags.get(mark.tags..).unwrap_or_default(),
            body,
        )
    }

    /// How many edits there are behind the mark.
    pub(crate) fn edits_since(&self, mark: Mark) -> usize {
        let now = self.mark();
        now.headers - mark.headers + now.envelope - mark.envelope + now.tags - mark.tags
    }

    /// The first field of that name, after the edits.
    pub(crate) fn header(&self, name: &str) -> Option<Cow<'_, str>> {
        if !self.headers.iter().any(|edit| edited(edit).eq_ignore_ascii_case(name)) {
            return header::find(&self.content.head, name, 0).map(|field| field.unfolded());
        }
        self.fields(Some(name)).into_iter().next().map(|(_, value)| value)
    }

    /// All fields from the top, or those of that name, after the edits in their order: each edit counts the fields as
    /// those before it left them.
    pub(crate) fn fields(&self, name: Option<&str>) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
        let wanted = |other: &str| name.is_none_or(|name| name.eq_ignore_ascii_case(other));
        let mut fields: Vec<(Cow<'_, str>, Cow<'_, str>)> = header::fields(&self.content.head)
            .filter(|field| wanted(field.name))
            .map(|field| (Cow::Borrowed(field.name), field.unfolded()))
            .collect();
        for edit in self.headers.iter().filter(|edit| wanted(edited(edit))) {
            match edit {
                HeaderEdit::Add { name, value } => {
                    fields.insert(0, (Cow::Borrowed(&**name), Cow::Borrowed(value.trim())));
                }
                HeaderEdit::Set { name, nth, value } => {
                    let Some(at) = position(&fields, name, *nth) else { continue };
                    match value {
                        Some(value) => fields[at].1 = Cow::Borrowed(value.trim()),
                        None => drop(fields.remove(at)),
                    }
                }
            }
        }
        fields
    }

    /// The fields that say what the body is made of, after the edits, as a header section.
    pub(crate) fn mime_section(&self) -> Vec<u8> {
        if !self.headers.iter().any(|edit| is_of_mime(edited(edit))) {
            return self.content.head.to_vec();
        }
        let fields = self.fields(None);
        let described = fields.iter().filter(|(name, _)| is_of_mime(name));
        described.flat_map(|(name, value)| format!("{name}: {value}\r\n").into_bytes()).collect()
    }

    /// The reverse path after the edits.
    pub(crate) fn sender(&self) -> Option<&Address> {
        let set = self.envelope.iter().rev().find_map(|edit| match edit {
            EnvelopeEdit::SetSender(sender) => Some(sender.as_ref()),
            _ => None,
        });
        set.unwrap_or(self.sender.as_ref())
    }

    /// The recipients after the edits.
    pub(crate) fn recipients(&self) -> Vec<&Address> {
        let mut recipients: Vec<&Address> = self.recipients.iter().collect();
        for edit in &self.envelope {
            match edit {
                EnvelopeEdit::AddRecipient(one) => recipients.push(one),
                EnvelopeEdit::RemoveRecipient(one) => recipients.retain(|other| *other != one),
                EnvelopeEdit::SetSender(_) => {}
            }
        }
        recipients
    }

    /// A tag after the edits.
    pub(crate) fn tag(&self, name: &str) -> Option<&str> {
        self.tags.iter().rev().find(|(other, _)| &**other == name).map(|(_, value)| &**value)
    }

    pub(crate) fn add_header(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        check_field(name, value)?;
        self.redescribe(name);
        self.headers.push(HeaderEdit::Add { name: name.into(), value: value.into() });
        Ok(())
    }

    pub(crate) fn set_header(&mut self, name: &str, nth: u32, value: Option<&str>) -> Result<(), Refused> {
        check_field(name, value.unwrap_or_default())?;
        let there = self.fields(Some(name)).len();
        if usize::try_from(nth).map_or(true, |nth| nth >= there) {
            return Err(Refused::NoSuchItem);
        }
        self.redescribe(name);
        self.headers.push(HeaderEdit::Set { name: name.into(), nth, value: value.map(Into::into) });
        Ok(())
    }

    /// A field that says what the body is made of changes: its parts may be others.
    fn redescribe(&mut self, name: &str) {
        if is_of_mime(name) {
            self.body.parts = None;
        }
    }

    /// More octets of a new body.
    pub(crate) fn write_body(&mut self, octets: &[u8], memory: &Arc<Semaphore>) -> Result<(), Refused> {
        self.body.write(octets, self.content.head.len(), memory)
    }

    /// A stretch of the body as it was before the call, with its first and its last octet; none if it is empty.
    pub(crate) fn copy_body(&mut self, offset: u64, bytes: u64, ends: Option<Ends>) -> Result<(), Refused> {
        self.body.copy(&self.content, offset, bytes, ends)
    }

    /// Changes the envelope.
    pub(crate) fn edit_envelope(&mut self, edit: EnvelopeEdit) -> Result<(), Refused> {
        if !self.whole {
            return Err(Refused::NotHere);
        }
        match &edit {
            EnvelopeEdit::RemoveRecipient(one) if !self.recipients().contains(&one) => return Err(Refused::NoSuchItem),
            EnvelopeEdit::AddRecipient(one) if self.recipients().contains(&one) => return Ok(()),
            _ => self.envelope.push(edit),
        }
        Ok(())
    }

    pub(crate) fn set_tag(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        if !self.whole {
            return Err(Refused::NotHere);
        }
        if name.len() + value.len() > TAG_BYTES_MAX {
            return Err(Refused::TooLarge);
        }
        if name.is_empty()
            || name.starts_with(OWN_TAGS)
            || name.contains(char::is_control)
            || value.contains(char::is_control)
        {
            return Err(Refused::Invalid);
        }
        self.tags.push((name.into(), value.into()));
        Ok(())
    }

    /// The header edits behind the first `known` ones, and the new body.
    pub(crate) fn into_edits(mut self, known: usize) -> (Edits, Option<Composed>) {
        let body = self.body.take();
        (Edits { headers: self.headers.split_off(known.min(self.headers.len())) }, body)
    }
}

fn is_of_mime(name: &str) -> bool {
    name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"))
}

fn edited(edit: &HeaderEdit) -> &str {
    match edit {
        HeaderEdit::Add { name, .. } | HeaderEdit::Set { name, .. } => name,
    }
}

fn position(fields: &[(Cow<'_, str>, Cow<'_, str>)], name: &str, nth: u32) -> Option<usize> {
    let named = fields.iter().enumerate().filter(|(_, (other, _))| other.eq_ignore_ascii_case(name));
    named.map(|(at, _)| at).nth(usize::try_from(nth).ok()?)
}

/// A name is printable ASCII without a colon (RFC 5322 2.2); a value has no line ends: those are the writer's.
fn check_field(name: &str, value: &str) -> Result<(), Refused> {
    let is_name = !name.is_empty() && name.bytes().all(|octet| (33..=126).contains(&octet) && octet != b':');
    if !is_name || name.eq_ignore_ascii_case(DEPTH_FIELD) || value.contains(|c: char| c.is_control() && c != '\t') {
        return Err(Refused::Invalid);
    }
    match name.len() <= 128 && value.len() <= FIELD_BYTES_MAX {
        true => Ok(()),
        false => Err(Refused::TooLarge),
    }
}
