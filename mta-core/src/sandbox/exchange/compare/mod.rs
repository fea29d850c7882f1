//! What was asked and said, kept so that it can be compared: for shadows, canaries and records.

pub(crate) mod differences;
pub(crate) mod trail;
pub mod words;
