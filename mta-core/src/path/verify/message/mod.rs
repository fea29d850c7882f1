//! What the message says itself: judges of its signatures, of its way here and of its author (RFC 6376, RFC 8617,
//! RFC 9989).

pub(super) mod forwarding;
pub(super) mod policy;
pub(super) mod signatures;
mod tags;
