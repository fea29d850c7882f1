//! The message's parts for guests: looked for once, kept for the plugins behind, decoded where they are read.

use super::octets::read;
use crate::base::mail::content::{Body, Content};
use crate::base::mime::tree::Tree;
use crate::base::mime::walk::{TooComplex, WINDOW_BYTES_MIN, Walk};
use crate::sandbox::host::bindings::mailwright::plugin::message::{Error, Part};
use crate::sandbox::host::call::Call;
use std::sync::Arc;

/// How much of a body is looked at in one go, in octets. Then other tasks have their turn.
const WINDOW_BYTES: usize = 256 * 1024;
const _: () = assert!(WINDOW_BYTES > WINDOW_BYTES_MIN, "a walk must get on with each window");

/// Finding and decoding parts costs this many times what a plain search does.
const COST: u64 = 8;

impl From<TooComplex> for Error {
    fn from(_: TooComplex) -> Self {
        Self::TooLarge
    }
}

impl Call {
    /// The message's parts, as the edits of earlier plugins left it.
    pub(super) async fn tree(&mut self) -> Result<Arc<Tree>, Error> {
        let message = self.message()?;
        if let Some(known) = &message.body.parts {
            return Ok(known.clone()?);
        }
        let (section, content) = (message.mime_section(), message.content.clone());
        self.searched(content.body.size_bytes().saturating_mul(COST));
        let found = match Walk::new(&section) {
            Ok(walk) => walk_over(walk, &content).await?,
            Err(too_complex) => Err(too_complex),
        };
        let found = found.map(Arc::new);
        if let Some(message) = &mut self.scene.message {
            message.body.parts = Some(found.clone());
        }
        Ok(found?)
    }

    /// Decoded octets of a part.
    pub(super) async fn decoded(&mut self, id: u32, offset: u64, most: usize) -> Result<Vec<u8>, Error> {
        let tree = self.tree().await?;
        let part = usize::try_from(id).ok().and_then(|id| tree.parts.get(id)).ok_or(Error::NoSuchItem)?;
        let content = self.message()?.content.clone();
        let begin = content.head.len() as u64;
        let mut reading = part.read(offset, most);
        while let Some((at, bytes)) = reading.wanted() {
            self.searched((bytes as u64).saturating_mul(COST));
            match &content.body {
                Body::Memory(body) => {
                    let from = usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
                    reading.push(body.get(from..from + bytes).unwrap_or_default());
                }
                Body::Stored { .. } => reading.push(&read(&content, begin + at, bytes).await?),
            }
        }
        Ok(reading.into_octets())
    }
}

/// The inner error says that there is too much to tell.
async fn walk_over(mut walk: Walk, content: &Content) -> Result<Result<Tree, TooComplex>, Error> {
    let begin = content.head.len() as u64;
    let size = content.body.size_bytes();
    let mut at = 0;
    loop {
        let stored;
        let window = match &content.body {
            Body::Memory(body) => {
                let from = usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
                body.get(from..from.saturating_add(WINDOW_BYTES).min(body.len())).unwrap_or_default()
            }
            Body::Stored { .. } => {
                stored = read(content, begin + at, WINDOW_BYTES).await?;
                &stored
            }
        };
        let is_last = at + window.len() as u64 >= size;
        match walk.push(window, is_last) {
            Ok(_) if is_last => return Ok(Ok(walk.finish())),
            // A body that is shorter than it was can't be told of.
            Ok(0) => return Err(Error::NoSuchItem),
            Ok(more) => at += more as u64,
            Err(too_complex) => return Ok(Err(too_complex)),
        }
        tokio::task::yield_now().await;
    }
}

/// The parts in the contract's words. Offsets count from the message's first octet, as those of `read` and `find` do.
pub(super) fn told(tree: &Tree, begin: u64) -> Vec<Part> {
    let number = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
    let parts = tree.parts.iter().enumerate();
    let told = parts.map(|(id, part)| Part {
        id: number(id),
        parent: part.parent.map(number),
        content_type: part.content_type.to_string(),
        charset: part.charset.as_deref().map(str::to_owned),
        filename: part.filename.as_deref().map(str::to_owned),
        size: part.size_bytes,
        offset: begin + part.begin,
        len: part.end.saturating_sub(part.begin),
    });
    told.collect()
}

/// Every name of every part, the one that is told with the part first.
pub(super) fn names(tree: &Tree) -> Vec<(u32, String)> {
    let named = |(id, part): (usize, &crate::base::mime::tree::Part)| {
        let id = u32::try_from(id).unwrap_or(u32::MAX);
        let all = part.filename.iter().chain(&part.other_names);
        all.map(|name| (id, name.to_string())).collect::<Vec<_>>()
    };
    tree.parts.iter().enumerate().flat_map(named).collect()
}
