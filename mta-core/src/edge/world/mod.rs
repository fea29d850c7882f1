//! The real clock, dice, DNS and sockets.

pub mod clock;
pub mod dice;
pub mod dns;
pub mod http;
#[cfg(test)]
mod http_tests;
pub mod maildir;
pub mod net;
pub mod signals;
pub mod ticker;
