//! A message's octets where they lie, read and searched without taking them all into memory; and the host functions on
//! patterns, regular expressions that run in linear time.

use crate::base::mail::content::{Body, Content, ReadAt};
use crate::sandbox::capability::expressions::Expressions;
use crate::sandbox::host::bindings::mailwright::plugin::message::Error;
use crate::sandbox::host::bindings::mailwright::plugin::patterns;
use crate::sandbox::host::call::Call;
use memchr::memmem::Finder;
use std::sync::Arc;

/// How much of a stored body is looked at in one go, in octets.
const WINDOW_BYTES: usize = 256 * 1024;

/// Octets of header section and body from `offset`, fewer at the end.
pub(crate) async fn read(content: &Content, offset: u64, most: usize) -> Result<Vec<u8>, Error> {
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
pub(super) async fn read_stored(source: &Arc<dyn ReadAt>, offset: u64, most: usize) -> Result<Vec<u8>, Error> {
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
pub(super) async fn find(content: &Content, needle: &[u8], offset: u64) -> Result<Option<u64>, Error> {
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

impl patterns::Host for Call {
    fn compile(&mut self, expressions: Vec<String>) -> Result<u32, String> {
        if !self.configuring {
            return Err("patterns are compiled in configure".to_owned());
        }
        let set = self.plugin.compile(expressions)?;
        self.sets.push(set);
        u32::try_from(self.sets.len() - 1).map_err(|error| error.to_string())
    }

    fn matches(&mut self, set: u32, text: String) -> Vec<u32> {
        let Some(set) = self.set(set) else { return Vec::new() };
        self.searched(set.cost(text.len() as u64));
        set.found(&[text.as_bytes()])
    }
}

impl Call {
    pub(super) fn set(&self, number: u32) -> Option<Arc<Expressions>> {
        self.sets.get(usize::try_from(number).ok()?).cloned()
    }
}
