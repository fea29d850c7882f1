//! Cabinets (MS-CAB 2): a header, and a list of files.

use super::{Content, Look};
use crate::facts::octets::numbers::{long, short};
use crate::facts::octets::{Octets, Window};
use mailwright_plugin::Fault;

/// The header without what may follow it, in octets (MS-CAB 2.1).
const HEAD_BYTES: usize = 36;
/// A file without its name, in octets (MS-CAB 2.3).
const FILE_BYTES: usize = 16;
/// The longest name with its NUL, in octets (MS-CAB 2.3).
const NAME_BYTES_MAX: usize = 257;

/// Reads the names.
pub(super) fn read(octets: &Octets, look: &mut Look<'_>) -> Result<(), Fault> {
    let mut window = Window::new(octets);
    let head = window.get(0, HEAD_BYTES)?;
    let (Some(first), Some(files)) = (long(head, 16), short(head, 28)) else { return look.cut() };
    let mut at = u64::from(first);
    for _ in 0..files {
        let file = window.get(at, FILE_BYTES + NAME_BYTES_MAX)?.get(FILE_BYTES..).unwrap_or_default();
        let Some(end) = file.iter().position(|octet| *octet == 0) else { return look.cut() };
        let name = String::from_utf8_lossy(&file[..end]).into_owned();
        // Files share the folders that they are packed in.
        if !look.entry(name, || Content::Closed) {
            return Ok(());
        }
        at += (FILE_BYTES + end + 1) as u64;
    }
    Ok(())
}
