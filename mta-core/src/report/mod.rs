//! Reports to other domains: to those whose mail came here, and to those whose servers were connected to (RFC 9990,
//! RFC 8460).
//!
//! Stages tell what they saw through doors and wait for nothing; what is the same is counted (`row`, `tally`, `ledger`)
//! and kept in a journal (`page`), so that a restart loses seconds. When a period has ended (`schedule`), whom its domain
//! wants told is looked up (`destination`), the report is written (`document`) and goes out as ordinary mail, or by HTTPS.
//! No mail waits for any of it, and no stage knows that it is there.

mod destination;
mod document;
pub mod driver;
mod ledger;
mod page;
mod row;
mod schedule;
mod tally;
#[cfg(test)]
mod tests;
