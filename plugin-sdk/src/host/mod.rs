//! What a plugin may ask of the server while a hook runs.
//!
//! Functions that change the message are recorded and take effect when the hook returns without a fault.

pub mod clock;
pub mod delivery;
pub mod kv;
pub mod log;
pub mod message;
pub mod metrics;
pub(crate) mod outside;
pub mod patterns;
pub mod session;
pub mod setup;

/// The real server behind the component boundary, or the stand-in of a native build.
#[cfg(target_arch = "wasm32")]
use crate::bindings::mailwright::plugin as backend;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::backend;
