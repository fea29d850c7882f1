//! An event as a line: text for people, JSON for programs. Whatever a value holds, it can't end the line or forge
//! another field.

use super::json::Masked;
use super::mask::Mask;
use super::text::Text;
use crate::base::event::{Event, Level};
use crate::base::time::UnixMillis;
use serde::Serialize;
use serde_json::Serializer;
use std::io::Write;

/// `2026-01-01T00:00:00.000Z info accepted id=… sender=…`
pub(super) fn text(line: &mut Vec<u8>, mask: &Mask, at: UnixMillis, level: Level, event: &Event<'_>) {
    // Writing to memory does not fail.
    let _ = write!(line, "{at} {} {}", level.name(), event.name());
    let start = line.len();
    if event.serialize(Text::of(line, mask)).is_err() {
        // Only a field of a shape that text has no words for: the tests show that there is none.
        line.truncate(start);
    }
    line.push(b'\n');
}

/// `{"time":"2026-01-01T00:00:00.000Z","level":"info","event":"accepted","id":"…","sender":"…"}`
pub(super) fn json(line: &mut Vec<u8>, mask: &Mask, at: UnixMillis, level: Level, event: &Event<'_>) {
    let _ = write!(line, "{{\"time\":\"{at}\",\"level\":\"{}\",", level.name());
    let start = line.len();
    // The event is an object of its own; its opening brace is one too many.
    let written = match mask {
        Mask::Plain => serde_json::to_writer(&mut *line, event),
        mask => event.serialize(&mut Serializer::with_formatter(&mut *line, Masked::new(mask))),
    };
    if written.is_ok() && line.get(start) == Some(&b'{') {
        line.remove(start);
    } else {
        line.truncate(start);
        let _ = write!(line, "\"event\":\"{}\"}}", event.name());
    }
    line.push(b'\n');
}
