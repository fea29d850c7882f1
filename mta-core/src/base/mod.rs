//! The words of the house, pure: no await, no socket, no clock.

pub mod event;
pub mod fault;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod flow;
pub mod mail;
pub mod mime;
pub mod smtp;
pub mod time;
pub mod world;
