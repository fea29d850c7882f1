//! Spool: accepted mail is made durable and its state is kept.
//!
//! The journal is the truth: `record` says what its records mean, `group` makes them from what stages ask for,
//! `replay` leads back from them to entries. What changed since the index was last written lies in the `ledger`.
//! Nothing here awaits but [`driver`].

pub mod driver;
mod group;
mod hot;
mod ledger;
mod live;
mod record;
mod replay;
mod room;
mod select;
