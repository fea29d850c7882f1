//! A message as a report that came back: whatever it is made of, it is a report or none, within the limits of its parts for
//! machines (RFC 3464 2.1, RFC 5965 3); and any text as a mark or a ticket, which nobody made.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mta_core::base::mail::header;
use mta_core::base::mail::tie::{KEY_BYTES, Key};
use mta_core::path::feedback::read_anything;

/// As many groups of fields as are read.
const GROUPS_MAX: usize = 128;

fuzz_target!(|octets: &[u8]| {
    let head = header::section_bytes(octets).unwrap_or(octets.len());
    let (head, body) = octets.split_at(head);
    assert!(read_anything(head, body) <= GROUPS_MAX);
    let key = Key::new([7; KEY_BYTES]);
    let text = String::from_utf8_lossy(octets);
    assert!(key.read_mark(&text).is_none() && key.read_ticket(&text).is_none());
});
