//! The real clock, dice, DNS and sockets.

pub mod ticker;
