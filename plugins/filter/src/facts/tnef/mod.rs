//! `winmail.dat`: what Outlook wraps attachments in (MS-OXTNEF), taken apart as it takes it apart.

mod properties;

use super::octets::numbers::{long, short};
use super::octets::{Octets, Window, text};
use mailwright_plugin::Fault;

/// The signature and a key, in octets (MS-OXTNEF 2.1.3.2).
const START_BYTES: u64 = 6;
/// An attribute up to its content: level, name and type, size (MS-OXTNEF 2.1.3.3).
const HEAD_BYTES: usize = 9;
/// A checksum behind the content.
const CHECKSUM_BYTES: u64 = 2;
/// Attributes that are looked at: a dozen are of the message, six of each attachment.
const ATTRIBUTES_MAX: usize = 2_000;
/// A name's octets.
const NAME_BYTES_MAX: u32 = 1024;

/// attAttachRenddata, which begins an attachment (MS-OXTNEF 2.1.3.4.1.1).
const BEGIN: u32 = 0x0006_9002;
/// attAttachTitle.
const TITLE: u32 = 0x0001_8010;
/// attAttachData.
const CONTENT: u32 = 0x0006_800f;
/// attAttachment: properties, among them a longer name.
const PROPERTIES: u32 = 0x0006_9005;

/// What is wrapped.
#[derive(Debug, Default)]
pub(super) struct Wrapped {
    pub(super) files: Vec<File>,
    /// It can't be read to its end.
    pub(super) is_cut: bool,
}

/// An attachment within.
#[derive(Debug)]
pub(super) struct File {
    /// All that it goes by.
    pub(super) names: Vec<String>,
    pub(super) content: Octets,
}

/// Takes apart what may be such a file; none if it is not.
///
/// # Errors
/// The server did not give its octets.
pub(super) fn read(octets: &Octets) -> Result<Option<Wrapped>, Fault> {
    let mut window = Window::new(octets);
    if long(window.get(0, 4)?, 0) != Some(0x223e_9f78) {
        return Ok(None);
    }
    let mut wrapped = Wrapped::default();
    let mut at = START_BYTES;
    for _ in 0..ATTRIBUTES_MAX {
        if at >= octets.size() {
            return Ok(Some(wrapped));
        }
        let head = window.get(at, HEAD_BYTES)?;
        let (Some(1 | 2), Some(kind), Some(bytes)) = (head.first(), long(head, 1), long(head, 5)) else {
            // What is of no level is none of it: some programs leave something behind the last.
            return Ok(Some(wrapped));
        };
        let begin = at + HEAD_BYTES as u64;
        let content = octets.slice(begin, u64::from(bytes));
        if content.size() < u64::from(bytes) {
            break;
        }
        wrapped.take(kind, content)?;
        at = begin + u64::from(bytes) + CHECKSUM_BYTES;
    }
    wrapped.is_cut = true;
    Ok(Some(wrapped))
}

impl Wrapped {
    fn take(&mut self, kind: u32, content: Octets) -> Result<(), Fault> {
        if kind == BEGIN {
            self.files.push(File { names: Vec::new(), content: content.slice(0, 0) });
        }
        // What stands before the first is of the message.
        let Some(file) = self.files.last_mut() else { return Ok(()) };
        match kind {
            TITLE => file.name(text(&content.read(0, NAME_BYTES_MAX)?)),
            CONTENT => file.content = content,
            PROPERTIES => match properties::read(&content)? {
                Some(told) => {
                    told.names.into_iter().for_each(|name| file.name(name));
                    file.content = told.content.unwrap_or_else(|| file.content.clone());
                }
                None => self.is_cut = true,
            },
            _ => {}
        }
        Ok(())
    }
}

impl File {
    fn name(&mut self, name: String) {
        if !name.is_empty() && !self.names.contains(&name) {
            self.names.push(name);
        }
    }
}

/// Text in UTF-16 up to its NUL.
fn wide_text(octets: &[u8]) -> String {
    let units = (0..octets.len()).step_by(2).map_while(|at| short(octets, at)).take_while(|unit| *unit != 0);
    String::from_utf16_lossy(&units.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests;
