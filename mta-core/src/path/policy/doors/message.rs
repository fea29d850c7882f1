//! The host functions on the message: reading from where it lies, recording edits.

use super::super::exchange::address::{from_wire, to_wire};
use super::super::host::bindings::mailwright::plugin::message::{AuthResult, Error, Host, Info, Part};
use super::super::host::bindings::mailwright::plugin::types::Address;
use super::super::host::call::Call;
use super::super::scene::{MessageScene, Refused};
use super::patterns::indices;
use crate::base::mail::content::{Body, Content, ReadAt};
use crate::base::mail::edits::EnvelopeEdit;
use memchr::memmem::Finder;
use std::sync::Arc;

/// What one `read` gives at most, in octets.
const READ_BYTES_MAX: usize = 64 * 1024;
/// How much of a stored body is looked at in one go, in octets.
const WINDOW_BYTES: usize = 256 * 1024;
/// Longest needle, in octets.
const NEEDLE_BYTES_MAX: usize = 4 * 1024;
/// Largest stored body that patterns are run on, in octets: it is read into memory for them.
const MATCHES_BYTES_MAX: u64 = 8 * 1024 * 1024;

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
    fn message(&self) -> Result<&MessageScene, Error> {
        self.scene.message.as_ref().ok_or(Error::NotHere)
    }

    /// The message, where the plugin may change that part of it and has edits left in this call.
    fn edit(&mut self, granted: bool) -> Result<&mut MessageScene, Error> {
        let mark = self.mark;
        let most = self.plugin.budget.edits_max;
        let message = self.scene.message.as_mut().ok_or(Error::NotHere)?;
        match granted {
            true if message.edits_since(mark) < most => Ok(message),
            true => Err(Error::TooLarge),
            false => Err(Error::NotPermitted),
        }
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
        // An expression set runs at about a tenth of a plain search.
        self.searched(content.size_bytes().saturating_mul(10));
        match &content.body {
            Body::Memory(body) => Ok(indices(&set, &[&content.head, body])),
            Body::Stored { bytes, .. } if *bytes > MATCHES_BYTES_MAX => Err(Error::TooLarge),
            Body::Stored { source, bytes } => {
                let whole = usize::try_from(*bytes).map_err(|_| Error::TooLarge)?;
                let body = read_stored(source, 0, whole).await?;
                Ok(indices(&set, &[&content.head, &body]))
            }
        }
    }

    fn parts(&mut self) -> Result<Vec<Part>, Error> {
        // The MIME tree is not offered yet.
        Err(Error::NotPermitted)
    }

    fn read_part(&mut self, _id: u32, _offset: u64, _len: u32) -> Result<Vec<u8>, Error> {
        Err(Error::NotPermitted)
    }

    fn auth_results(&mut self) -> Result<Vec<AuthResult>, Error> {
        // SPF, DKIM and DMARC are not evaluated by this version: there are no results.
        self.message().map(|_| Vec::new())
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

    fn write_body(&mut self, _chunk: Vec<u8>) -> Result<(), Error> {
        // `edit = "body"` is refused at load, so nobody is permitted.
        Err(Error::NotPermitted)
    }

    fn copy_body(&mut self, _offset: u64, _len: u64) -> Result<(), Error> {
        Err(Error::NotPermitted)
    }
}

/// Octets of header section and body from `offset`, fewer at the end.
async fn read(content: &Content, offset: u64, most: usize) -> Result<Vec<u8>, Error> {
    let mut octets = Vec::new();
    if let Some(head) = usize::try_from(offset).ok().and_then(|from| content.head.get(from..)) {
        octets.extend_from_slice(head.get(..most).unwrap_or(head));
    }
    let behind = offset.saturating_sub(content.head.len() as u64);
    let left = most - octets.len();
    match &content.body {
        Body::Memory(body) => {
            let body = usize::try_from(behind).ok().and_then(|from| body.get(from..)).unwrap_or_default();
            octets.extend_from_slice(body.get(..left).unwrap_or(body));
        }
        Body::Stored { source, bytes } => {
            let left = left.min(usize::try_from(bytes.saturating_sub(behind)).unwrap_or(usize::MAX));
            octets.append(&mut read_stored(source, behind, left).await?);
        }
    }
    Ok(octets)
}

/// Octets of a stored body, read where blocking is allowed.
async fn read_stored(source: &Arc<dyn ReadAt>, offset: u64, most: usize) -> Result<Vec<u8>, Error> {
    if most == 0 {
        return Ok(Vec::new());
    }
    let source = source.clone();
    let read = tokio::task::spawn_blocking(move || {
        let mut octets = vec![0; most];
        let count = source.read_at(offset, &mut octets)?;
        octets.truncate(count);
        std::io::Result::Ok(octets)
    });
    // The contract has no word for a failing disk here; the content can't be had, and the spool reports the disk.
    read.await.ok().and_then(Result::ok).ok_or(Error::NoSuchItem)
}

/// Where the needle is first, at or behind `offset`.
async fn find(content: &Content, needle: &[u8], offset: u64) -> Result<Option<u64>, Error> {
    let finder = Finder::new(needle);
    if let Body::Memory(body) = &content.body {
        return Ok(find_in_two(&finder, &content.head, body, offset));
    }
    // Windows overlap by a needle less one octet, so that none is missed between two.
    let mut from = offset;
    let overlap = needle.len().saturating_sub(1);
    while from < content.size_bytes() {
        let window = read(content, from, WINDOW_BYTES).await?;
        if let Some(at) = finder.find(&window) {
            return Ok(Some(from + at as u64));
        }
        let step = window.len().saturating_sub(overlap);
        if window.len() < WINDOW_BYTES || step == 0 {
            break;
        }
        from += step as u64;
    }
    Ok(None)
}

/// Searches two pieces as if they were one, without joining them.
fn find_in_two(finder: &Finder<'_>, head: &[u8], body: &[u8], offset: u64) -> Option<u64> {
    let from = usize::try_from(offset).ok()?;
    let overlap = finder.needle().len().saturating_sub(1);
    if let Some(rest) = head.get(from..) {
        if let Some(at) = finder.find(rest) {
            return Some((from + at) as u64);
        }
        let start = head.len().saturating_sub(overlap).max(from);
        let seam = [&head[start..], body.get(..overlap).unwrap_or(body)].concat();
        if let Some(at) = finder.find(&seam) {
            return Some((start + at) as u64);
        }
    }
    let start = from.saturating_sub(head.len());
    let found = finder.find(body.get(start..)?)?;
    Some((head.len() + start + found) as u64)
}
