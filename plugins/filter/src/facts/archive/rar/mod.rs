//! RAR archives of both formats: blocks one behind the other, whose headers have nothing in common but what they say.

mod new;
mod old;

use super::{Content, Look};
use crate::facts::octets::{Octets, Window};
use mailwright_plugin::Fault;

/// Which format an archive is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Up to version 4.
    Old,
    /// Of version 5.
    New,
}

/// A header with the content behind it.
struct Block {
    /// The header, in octets.
    bytes: u64,
    content_bytes: u64,
    told: Told,
}

/// What a header tells.
enum Told {
    File(File),
    /// All headers behind it are encrypted.
    Locked,
    /// The archive ends.
    End,
    /// Nothing of files.
    Other,
}

struct File {
    name: String,
    is_stored: bool,
    is_locked: bool,
}

/// Reads the names.
pub(super) fn read(format: Format, octets: &Octets, look: &mut Look<'_>) -> Result<(), Fault> {
    let mut window = Window::new(octets);
    let mut at = match format {
        Format::Old => old::MARK_BYTES,
        Format::New => new::MARK_BYTES,
    };
    while at < octets.size() {
        let block = match format {
            Format::Old => old::block(&mut window, at)?,
            Format::New => new::block(&mut window, at)?,
        };
        let Some(block) = block else { return look.cut() };
        match block.told {
            Told::End => return Ok(()),
            Told::Locked => {
                look.found.is_locked = true;
                return Ok(());
            }
            Told::File(file) => {
                let content = || octets.slice(at + block.bytes, block.content_bytes);
                if !file.tell(content, look) {
                    return Ok(());
                }
            }
            Told::Other => {}
        }
        let Some(next) = block.content_bytes.checked_add(at + block.bytes) else { break };
        at = next;
    }
    Ok(())
}

impl File {
    /// Tells of it; false if no more are taken.
    fn tell(self, content: impl FnOnce() -> Octets, look: &mut Look<'_>) -> bool {
        look.found.is_locked |= self.is_locked;
        look.entry(self.name, || match self.is_stored && !self.is_locked {
            true => Content::Stored(content()),
            false => Content::Closed,
        })
    }
}
