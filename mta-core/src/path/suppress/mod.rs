//! Suppression: lists of addresses that are not to be written to, shared by plugins and operators, and kept for good.
//!
//! `lists` has them in memory, where a hook finds an address at once; `page` is what they are on the disk; `driver` writes
//! each change before it is answered, with those of others that wait.

pub mod driver;
mod lists;
mod page;
