//! The host functions on the message: reading from where it lies, recording edits.

mod mime;
pub(crate) mod octets;
mod text;

use super::super::exchange::address::{from_wire, to_wire};
use super::super::host::bindings::mailwright::plugin::message::{
    AuthResult, Error, Host, Info, Mailbox, OutgoingTls, Part, Signer,
};
use super::super::host::bindings::mailwright::plugin::types::Address;
use super::super::host::call::Call;
use super::super::scene::{MessageScene, Refused};
use crate::base::flow::policy::verify::AuthResult as Found;
use crate::base::mail::content::Body;
use crate::base::mail::domain::Domain;
use crate::base::mail::edits::EnvelopeEdit;
use crate::base::world::tls::Outgoing;
use octets::{find, read, read_stored};
use text::MATCHES_BYTES_MAX;

/// What one `read` gives at most, in octets.
const READ_BYTES_MAX: usize = 64 * 1024;
/// Longest needle, in octets.
const NEEDLE_BYTES_MAX: usize = 4 * 1024;

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Invalid => Self::Invalid,
            Refused::TooLarge => Self::TooLarge,
            Refused::NoSuchItem => Self::NoSuchItem,
            Refused::NotHere => Self::NotHere,
        }
    }
}

impl Call {
    pub(super) fn message(&self) -> Result<&MessageScene, Error> {
        self.scene.message.as_deref().ok_or(Error::NotHere)
    }

    /// The message, where something can become of a change.
    fn changeable(&mut self) -> Result<&mut MessageScene, Error> {
        self.scene.message.as_deref_mut().filter(|_| !self.reading).ok_or(Error::NotHere)
    }

    /// The message, where the plugin may change that part of it and has edits left in this call.
    fn edit(&mut self, granted: bool) -> Result<&mut MessageScene, Error> {
        let mark = self.mark;
        let most = self.plugin.budget.edits_max;
        let message = self.changeable()?;
        match granted {
            true if message.edits_since(mark) < most => Ok(message),
            true => Err(Error::TooLarge),
            false => Err(Error::NotPermitted),
        }
    }

    /// The message, where the plugin may give it another body. Its pieces are no edits to be counted: they have limits
    /// of their own.
    fn body(&mut self) -> Result<&mut MessageScene, Error> {
        let granted = self.plugin.grants.edit_body;
        let message = self.changeable()?;
        granted.then_some(message).ok_or(Error::NotPermitted)
    }
}

impl Host for Call {
    fn current(&mut self) -> Result<Info, Error> {
        let message = self.message()?;
        Ok(Info {
            queue_id: Some(message.id.to_string()),
            sender: message.sender().map(to_wire),
            recipients: message.recipients().into_iter().map(to_wire).collect(),
            size: message.content.size_bytes(),
            body_offset: message.content.head.len() as u64,
        })
    }

    fn header(&mut self, name: String) -> Result<Option<String>, Error> {
        Ok(self.message()?.header(&name).map(std::borrow::Cow::into_owned))
    }

    fn headers(&mut self, name: Option<String>) -> Result<Vec<(String, String)>, Error> {
        let fields = self.message()?.fields(name.as_deref());
        Ok(fields.into_iter().map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    async fn read(&mut self, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        let content = self.message()?.content.clone();
        let most = usize::try_from(len).unwrap_or(usize::MAX).min(READ_BYTES_MAX);
        read(&content, offset, most).await
    }

    async fn find(&mut self, needle: Vec<u8>, offset: u64) -> Result<Option<u64>, Error> {
        if needle.len() > NEEDLE_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        let content = self.message()?.content.clone();
        self.searched(content.size_bytes().saturating_sub(offset));
        find(&content, &needle, offset).await
    }

    async fn matches(&mut self, patterns: u32) -> Result<Vec<u32>, Error> {
        let content = self.message()?.content.clone();
        let set = self.set(patterns).ok_or(Error::NoSuchItem)?;
        self.searched(set.cost(content.size_bytes()));
        match &content.body {
            Body::Memory(body) => Ok(set.found(&[&content.head, body])),
            Body::Stored { bytes, .. } if *bytes > MATCHES_BYTES_MAX => Err(Error::TooLarge),
            Body::Stored { source, bytes } => {
                let whole = usize::try_from(*bytes).map_err(|_| Error::TooLarge)?;
                let body = read_stored(source, 0, whole).await?;
                Ok(set.found(&[&content.head, &body]))
            }
        }
    }

    fn matches_header(&mut self, patterns: u32, name: Option<String>) -> Result<Vec<u32>, Error> {
        let set = self.set(patterns).ok_or(Error::NoSuchItem)?;
        let found = text::matches_header(&set, self.message()?, name.as_deref());
        self.searched(set.cost(self.message()?.content.head.len() as u64));
        Ok(found)
    }

    async fn matches_part(&mut self, patterns: u32, id: u32) -> Result<Vec<u32>, Error> {
        let set = self.set(patterns).ok_or(Error::NoSuchItem)?;
        self.matches_text(&set, id).await
    }

    fn mailboxes(&mut self, name: String) -> Result<Vec<Mailbox>, Error> {
        self.searched(self.scene.message.as_ref().map_or(0, |message| message.content.head.len() as u64));
        Ok(text::mailboxes(self.message()?, &name))
    }

    async fn filenames(&mut self) -> Result<Vec<(u32, String)>, Error> {
        Ok(mime::names(&*self.tree().await?))
    }

    async fn parts(&mut self) -> Result<Vec<Part>, Error> {
        let begin = self.message()?.content.head.len() as u64;
        let tree = self.tree().await?;
        Ok(mime::told(&tree, begin))
    }

    async fn read_part(&mut self, id: u32, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        let most = usize::try_from(len).unwrap_or(usize::MAX).min(READ_BYTES_MAX);
        self.decoded(id, offset, most).await
    }

    fn auth_results(&mut self) -> Result<Vec<AuthResult>, Error> {
        let told = |result: &Found| AuthResult {
            method: result.method.name().to_owned(),
            outcome: result.outcome.name().to_owned(),
            domain: result.domain.as_deref().map(str::to_owned),
            detail: result.detail.clone().into(),
        };
        Ok(self.message()?.results.iter().map(told).collect())
    }

    fn signers(&mut self) -> Result<Option<Vec<Signer>>, Error> {
        let message = self.message()?;
        if !message.is_ours {
            return Ok(None);
        }
        let from = message.header("From").unwrap_or_default();
        let tenant = self.scene.tenant.as_deref();
        let known = self.world.standing.get().map(|standing| standing.signers.signers(&from, tenant));
        let told = known.unwrap_or_default().into_iter().map(|signer| Signer {
            domain: signer.domain.into(),
            selector: signer.selector.into(),
            algorithm: signer.algorithm.to_owned(),
        });
        Ok(Some(told.collect()))
    }

    fn tls_to(&mut self, domain: String) -> Result<Option<OutgoingTls>, Error> {
        let _ = self.message()?;
        let domain = Domain::parse(&domain).map_err(|_| Error::Invalid)?;
        let wanted = self.world.standing.get().map_or(Some(Outgoing::default()), |standing| standing.tls_to(&domain));
        Ok(wanted.map(|tls| match tls {
            Outgoing::Off => OutgoingTls::Off,
            Outgoing::Opportunistic => OutgoingTls::Opportunistic,
            Outgoing::Required => OutgoingTls::Required,
            Outgoing::Verify(_) => OutgoingTls::Verify,
        }))
    }

    fn tag(&mut self, name: String) -> Result<Option<String>, Error> {
        Ok(self.message()?.tag(&name).map(str::to_owned))
    }

    fn add_header(&mut self, name: String, value: String) -> Result<(), Error> {
        let granted = self.plugin.grants.edit_headers;
        Ok(self.edit(granted)?.add_header(&name, &value)?)
    }

    fn set_header(&mut self, name: String, nth: u32, value: Option<String>) -> Result<(), Error> {
        let granted = self.plugin.grants.edit_headers;
        Ok(self.edit(granted)?.set_header(&name, nth, value.as_deref())?)
    }

    fn set_sender(&mut self, to: Option<Address>) -> Result<(), Error> {
        let granted = self.plugin.grants.edit_sender;
        let message = self.edit(granted)?;
        let to = to.map(|address| from_wire(address).ok_or(Error::Invalid)).transpose()?;
        Ok(message.edit_envelope(EnvelopeEdit::SetSender(to))?)
    }

    fn add_recipient(&mut self, to: Address) -> Result<(), Error> {
        let granted = self.plugin.grants.edit_recipients;
        let message = self.edit(granted)?;
        let to = from_wire(to).ok_or(Error::Invalid)?;
        Ok(message.edit_envelope(EnvelopeEdit::AddRecipient(to))?)
    }

    fn remove_recipient(&mut self, to: Address) -> Result<(), Error> {
        let granted = self.plugin.grants.edit_recipients;
        let message = self.edit(granted)?;
        let to = from_wire(to).ok_or(Error::Invalid)?;
        Ok(message.edit_envelope(EnvelopeEdit::RemoveRecipient(to))?)
    }

    fn set_tag(&mut self, name: String, value: String) -> Result<(), Error> {
        // Tags are policy's own words on a message: no grant.
        Ok(self.edit(true)?.set_tag(&name, &value)?)
    }

    fn write_body(&mut self, chunk: Vec<u8>) -> Result<(), Error> {
        let memory = self.world.body_memory.clone();
        Ok(self.body()?.write_body(&chunk, &memory)?)
    }

    async fn copy_body(&mut self, offset: u64, len: u64) -> Result<(), Error> {
        let content = self.body()?.content.clone();
        let from = offset.checked_sub(content.head.len() as u64).ok_or(Error::Invalid)?;
        let bytes = len.min(content.body.size_bytes().saturating_sub(from));
        let ends = match bytes.checked_sub(1) {
            Some(last) => {
                let last = read(&content, offset.saturating_add(last), 1).await?;
                let first = read(&content, offset, 1).await?;
                first.first().copied().zip(last.first().copied())
            }
            None => None,
        };
        Ok(self.body()?.copy_body(from, bytes, ends)?)
    }
}
