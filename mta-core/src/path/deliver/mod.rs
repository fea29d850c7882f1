//! Deliver: one message to one next hop, now.
