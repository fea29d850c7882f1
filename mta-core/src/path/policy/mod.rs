//! Policy: plugins are asked, within their budgets and grants.
//!
//! `driver` asks the plugins of a hook in the order of the configuration; the first answer other than `next` wins, and
//! earlier edits are seen by later plugins. How a guest runs, and what it can reach, is the sandbox's business
//! ([`crate::sandbox`]).

mod driver;

pub use driver::operate::Rehearsal;
pub use driver::{Host, HostSettings};

#[cfg(test)]
mod tests;
