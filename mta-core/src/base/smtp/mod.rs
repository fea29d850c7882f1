//! SMTP's grammar, both sides of it (RFC 5321 and its extensions).

pub mod reply;
pub mod status;
