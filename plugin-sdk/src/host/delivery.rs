//! The attempt that `on_pre_send` is asked about. No grant needed.

use super::backend;

pub use crate::bindings::mailwright::plugin::delivery::{Error, Info};

/// The recipient, and which attempt this is.
///
/// # Errors
/// `NotHere` outside `on_pre_send`.
pub fn current() -> Result<Info, Error> {
    backend::delivery::current()
}
