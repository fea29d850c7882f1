//! The sign stage: DKIM signatures on what goes out (RFC 6376, RFC 8463).
//!
//! [`key`] is one key, [`keyring`] says whose mail it signs, [`fields`] which header fields are covered and
//! [`signature`] puts the field together. The [`driver`] hashes bodies, which may lie on the disk.

pub mod driver;
pub mod fields;
pub mod key;
pub mod keyring;
pub mod signature;
#[cfg(test)]
mod tests;
