//! The real clock, dice, DNS and sockets.

pub mod dns;
pub mod maildir;
