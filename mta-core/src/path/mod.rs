//! The life of a message: ten stages, none of which imports another.

pub mod auth;
pub mod deliver;
pub mod feedback;
pub mod policy;
pub mod queue;
pub mod receive;
pub mod settle;
pub mod spool;
pub mod suppress;
pub mod verify;
