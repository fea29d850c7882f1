//! The recipient that `on_route`, `on_pre_send` and `on_outcome` are about. No grant needed.

use super::backend;
use crate::Address;

pub use crate::bindings::mailwright::plugin::delivery::{Error, Info};

/// A mailto URI for the field `List-Unsubscribe` (RFC 2369) of this recipient's copy. Mail to it is told to `on_feedback`.
/// None where the server takes no feedback.
///
/// # Errors
/// `NotHere` in other hooks.
pub fn unsubscribe_uri() -> Result<Option<String>, Error> {
    backend::delivery::unsubscribe_uri()
}

/// The recipient, and which attempt this is.
///
/// # Errors
/// `NotHere` in other hooks.
pub fn current() -> Result<Info, Error> {
    backend::delivery::current()
}

/// The recipient alone, which costs less than all of [`current`].
///
/// # Errors
/// `NotHere` in other hooks.
pub fn recipient() -> Result<Address, Error> {
    backend::delivery::recipient()
}

/// Which attempt this is, from 1 on: a number, which costs a fraction of [`current`].
///
/// # Errors
/// `NotHere` in other hooks.
pub fn attempt() -> Result<u32, Error> {
    backend::delivery::attempt()
}
