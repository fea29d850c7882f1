//! The recipient that `on_route`, `on_pre_send` and `on_outcome` are about. No grant needed.

use super::backend;

pub use crate::bindings::mailwright::plugin::delivery::{Error, Info};

/// The recipient, and which attempt this is.
///
/// # Errors
/// `NotHere` in other hooks.
pub fn current() -> Result<Info, Error> {
    backend::delivery::current()
}
