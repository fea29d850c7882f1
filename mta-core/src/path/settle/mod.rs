//! Settle: what a report means for the message.
