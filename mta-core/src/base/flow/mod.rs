//! What passes between stages: one type for each arrow of the diagram, and the door through which it goes.
//!
//! Stages don't import each other; each holds the doors that it needs as trait objects, and `app` hands them out.

pub mod attempt;
pub mod entry;
pub mod offer;
pub mod operator;
pub mod placement;
pub mod policy;
pub mod report;
pub mod ruling;
pub mod spool;
pub mod tls_result;

use std::future::Future;
use std::pin::Pin;

/// What a door returns: a future behind a pointer, so that doors can be trait objects.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;
