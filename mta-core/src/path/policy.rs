//! Policy: plugins are asked, within their budgets and grants.
//!
//! `driver` asks the plugins of a hook in the order of the configuration; the first answer other than `next` wins,
//! and earlier edits are seen by later plugins. `host` runs them, and `doors` has the functions that they call; what
//! interpreters need besides is in `wide`.
//! The rest is pure: what a call is about and what it recorded (`scene`), what plugins may do and what stands behind it
//! (`capability`), what they are asked, what their answers mean and what they say of themselves (`exchange`).

mod capability;
mod doors;
mod driver;
mod exchange;
mod fault;
mod host;
mod loading;
mod scene;
mod wide;

pub use capability::supplies::{NoSecret, SECRET_BYTES_MAX, Secret, Supplies};
pub use capability::tables::{BadLine, TABLE_BYTES_MAX, TABLE_ENTRIES_MAX, Table, TableSlot};
pub use driver::operate::Rehearsal;
pub use driver::{Host, HostSettings};
pub use exchange::manifest::Manifest;
pub use exchange::words;
pub use fault::LoadError;
pub use host::call::Reach;
pub use host::pulse::{Pulse, TICK};
pub use loading::compile::{Compile, InProcess, NotCompiled};
pub use loading::inspect::{Inspection, inspect};
pub use wide::engine::compiling_engine;
pub use wide::needs::{Profile, WIDE_COMPONENT_BYTES_MAX};

#[cfg(test)]
mod tests;
