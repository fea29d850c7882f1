//! SMTP's grammar, both sides of it (RFC 5321 and its extensions).

pub mod command;
pub mod dot;
pub mod ehlo;
pub mod encode;
pub mod line;
pub mod remote;
pub mod reply;
pub mod status;
pub mod xtext;
