//! The properties of an attachment (MS-OXTNEF 2.1.3.4.1, "MsgPropertyList"), each with its type; the names are among them.

use super::{NAME_BYTES_MAX, wide_text};
use crate::facts::octets::numbers::long;
use crate::facts::octets::{self, Octets, Window};
use mailwright_plugin::Fault;

/// Properties that are looked at.
const PROPERTIES_MAX: u32 = 1_000;
/// Values of one property that are looked at.
const VALUES_MAX: u32 = 1_000;

/// Names: PidTagDisplayName, PidTagAttachFilename, PidTagAttachLongFilename, PidTagAttachTransportName (MS-OXPROPS).
const NAMES: [u16; 4] = [0x3001, 0x3704, 0x3707, 0x370c];
/// PidTagAttachDataBinary, or PidTagAttachDataObject.
const CONTENT: u16 = 0x3701;
/// From there on a property has a name of its own behind its type.
const NAMED: u16 = 0x8000;
/// There are several values.
const MANY: u16 = 0x1000;
const TEXT: u16 = 0x001e;
const WIDE_TEXT: u16 = 0x001f;
const OBJECT: u16 = 0x000d;
const BINARY: u16 = 0x0102;

/// What they say of the attachment.
#[derive(Debug, Default)]
pub(super) struct Properties {
    pub(super) names: Vec<String>,
    /// Where the content is here and not in an attribute of its own.
    pub(super) content: Option<Octets>,
}

/// Reads them; none if they can't be read to their end.
pub(super) fn read(octets: &Octets) -> Result<Option<Properties>, Fault> {
    let mut walk = Walk { window: Window::new(octets), at: 0 };
    let mut properties = Properties::default();
    let Some(count) = walk.long()?.filter(|count| *count <= PROPERTIES_MAX) else { return Ok(None) };
    for _ in 0..count {
        let Some(head) = walk.long()? else { return Ok(None) };
        let (kind, id) = (head as u16, (head >> 16) as u16);
        if id >= NAMED && walk.skip_name()?.is_none() {
            return Ok(None);
        }
        let told = walk.values(kind, |value| match value {
            Value::Text(text) if NAMES.contains(&id) => properties.names.push(text),
            Value::Octets(begin, bytes) if id == CONTENT => properties.content = Some(octets.slice(begin, bytes)),
            _ => {}
        })?;
        if told.is_none() {
            return Ok(None);
        }
    }
    Ok(Some(properties))
}

/// A value that has a length of its own.
enum Value {
    Text(String),
    /// Where they lie, and how many.
    Octets(u64, u64),
}

struct Walk {
    window: Window,
    at: u64,
}

impl Walk {
    fn long(&mut self) -> Result<Option<u32>, Fault> {
        let number = long(self.window.get(self.at, 4)?, 0);
        self.at += 4;
        Ok(number)
    }

    /// Everything is a multiple of four octets.
    fn skip(&mut self, bytes: u32) {
        self.at += u64::from(bytes).next_multiple_of(4);
    }

    /// A set's identifier, and a number or a name.
    fn skip_name(&mut self) -> Result<Option<()>, Fault> {
        self.skip(16);
        let Some(kind) = self.long()? else { return Ok(None) };
        let Some(bytes) = self.long()? else { return Ok(None) };
        if kind != 0 {
            self.skip(bytes);
        }
        Ok(Some(()))
    }

    /// The values of a property, of which those with a length are told.
    fn values(&mut self, kind: u16, mut tell: impl FnMut(Value)) -> Result<Option<()>, Fault> {
        let one = kind & !MANY;
        let is_long = matches!(one, TEXT | WIDE_TEXT | OBJECT | BINARY);
        // Whatever has a length of its own has a count too.
        let count = if is_long || kind & MANY != 0 { self.long()? } else { Some(1) };
        let Some(count) = count.filter(|count| *count <= VALUES_MAX) else { return Ok(None) };
        for _ in 0..count {
            let bytes = if is_long { self.long()? } else { fixed(one) };
            let Some(bytes) = bytes else { return Ok(None) };
            if matches!(one, TEXT | WIDE_TEXT) {
                let text = self.window.get(self.at, bytes.min(NAME_BYTES_MAX) as usize)?;
                tell(Value::Text(if one == TEXT { octets::text(text) } else { wide_text(text) }));
            } else if is_long {
                tell(Value::Octets(self.at, u64::from(bytes)));
            }
            self.skip(bytes);
        }
        Ok(Some(()))
    }
}

/// How long a value of that type is, in octets; none if there is no such type (MS-OXCDATA 2.11.1).
fn fixed(kind: u16) -> Option<u32> {
    match kind {
        0x0001 => Some(0),
        0x0002 | 0x0003 | 0x0004 | 0x000a | 0x000b => Some(4),
        0x0005 | 0x0006 | 0x0007 | 0x0014 | 0x0040 => Some(8),
        0x0048 => Some(16),
        _ => None,
    }
}
