//! The real clock, dice, DNS and sockets.
