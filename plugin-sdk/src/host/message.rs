//! The message that a hook is about. Reading needs no grant; changing needs the operator's `edit` list.

use super::backend;
use super::patterns::Patterns;
use crate::bindings::mailwright::plugin::types::Address;

pub use crate::bindings::mailwright::plugin::message::{Error, Info};

/// Envelope and size.
///
/// # Errors
/// `NotHere` where the hook has no message, as in `on_rcpt`. All functions here answer so.
pub fn current() -> Result<Info, Error> {
    backend::message::current()
}

/// The first header field of that name, unfolded.
///
/// # Errors
/// As [`current`].
pub fn header(name: &str) -> Result<Option<String>, Error> {
    backend::message::header(name)
}

/// Header fields from the top, with the name or all.
///
/// # Errors
/// As [`current`].
pub fn headers(name: Option<&str>) -> Result<Vec<(String, String)>, Error> {
    backend::message::headers(name)
}

/// Octets of the message as it arrived, at most 64 KiB a call.
///
/// # Errors
/// As [`current`].
pub fn read(offset: u64, len: u32) -> Result<Vec<u8>, Error> {
    backend::message::read(offset, len)
}

/// Where the octets are found first, at or behind `offset`.
///
/// # Errors
/// As [`current`].
pub fn find(needle: &[u8], offset: u64) -> Result<Option<u64>, Error> {
    backend::message::find(needle, offset)
}

/// Which expressions of the set match the header section or the body.
///
/// # Errors
/// As [`current`]; `NoSuchItem` for an unknown set, `TooLarge` for a message on disk above 8 MiB.
pub fn matches(patterns: Patterns) -> Result<Vec<u32>, Error> {
    backend::message::matches(patterns.0)
}

/// A tag.
///
/// # Errors
/// As [`current`].
pub fn tag(name: &str) -> Result<Option<String>, Error> {
    backend::message::tag(name)
}

/// Adds a field on top; needs `edit = ["headers"]`.
///
/// # Errors
/// `NotPermitted` without the grant, `Invalid` for a name that is none, `TooLarge` beyond the limits.
pub fn add_header(name: &str, value: &str) -> Result<(), Error> {
    backend::message::add_header(name, value)
}

/// Replaces the `nth` field of that name (from 0), or removes it; needs `edit = ["headers"]`.
///
/// # Errors
/// As [`add_header`]; `NoSuchItem` where there is no such field.
pub fn set_header(name: &str, nth: u32, value: Option<&str>) -> Result<(), Error> {
    backend::message::set_header(name, nth, value)
}

/// Another reverse path; needs `edit = ["sender"]`.
///
/// # Errors
/// As [`add_header`].
pub fn set_sender(to: Option<&Address>) -> Result<(), Error> {
    backend::message::set_sender(to)
}

/// One recipient more; needs `edit = ["recipients"]`.
///
/// # Errors
/// As [`add_header`].
pub fn add_recipient(to: &Address) -> Result<(), Error> {
    backend::message::add_recipient(to)
}

/// One recipient less; needs `edit = ["recipients"]`.
///
/// # Errors
/// As [`add_header`]; `NoSuchItem` where it is none.
pub fn remove_recipient(to: &Address) -> Result<(), Error> {
    backend::message::remove_recipient(to)
}

/// Sets a tag that later plugins and hooks see.
///
/// # Errors
/// `NotHere` outside `on_data`; `TooLarge` beyond the limits.
pub fn set_tag(name: &str, value: &str) -> Result<(), Error> {
    backend::message::set_tag(name, value)
}
