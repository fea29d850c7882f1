//! The words of the house, pure: no await, no socket, no clock.

pub mod event;
pub mod fault;
pub mod flow;
pub mod mail;
pub mod mime;
pub mod sasl;
pub mod smtp;
pub mod time;
pub mod world;

#[cfg(test)]
pub(crate) use world::fixtures;
