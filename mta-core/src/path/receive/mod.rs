//! Receive: mail comes in by SMTP (RFC 5321).
//!
//! [`session`] is the server machine: octets and answers in, effects out, no await. [`driver`] runs one task for each
//! session and one accept loop for each listener, and is the only part that waits.

mod collect;
pub mod doors;
pub mod driver;
mod relay;
mod replies;
pub mod session;
pub mod slots;
#[cfg(test)]
pub(crate) mod tests;
mod trace;
