//! What mail is made of: addresses, envelopes, content, edits and ids (RFC 5321, RFC 5322).

pub mod address;
pub mod canonical;
pub mod content;
pub mod domain;
pub mod edits;
pub mod envelope;
pub mod header;
pub mod id;
pub mod render;
pub mod tie;
