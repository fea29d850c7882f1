//! The real clock, dice, DNS and sockets.

pub mod clock;
pub mod dice;
pub mod net;
pub mod signals;
