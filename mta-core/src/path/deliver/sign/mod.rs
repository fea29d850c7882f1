//! The sign stage: DKIM signatures on what goes out (RFC 6376, RFC 8463), and ARC seals on what is forwarded (RFC 8617).
//!
//! [`key`] is one key, [`keyring`] says whose mail it signs, [`fields`] which header fields are covered, [`signature`] puts
//! the field together; [`seal`] makes a set of a [`chain`]. The [`driver`] hashes bodies, which may lie on the disk.

pub mod chain;
pub mod driver;
pub mod fields;
pub mod key;
pub mod keyring;
pub mod seal;
pub mod signature;
mod tagged;
#[cfg(test)]
mod tests;
