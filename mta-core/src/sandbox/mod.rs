//! The sandbox: where guests run, what they see and may use, and what their failure comes to.
//!
//! `loading` makes a component ready, `host` has the engine and the instances (`wide` those of interpreted guests), `doors`
//! are the functions that guests call and `capability` what stands behind them; `scene` is what a call is about and what
//! it recorded, `exchange` what guests are asked and what their answers mean. `bounds` says how much of everything a
//! plugin may use, `fault` what it is when it fails. Who is asked, and when, is policy's business (`path::policy`).

pub(crate) mod bounds;
pub(crate) mod capability;
pub(crate) mod doors;
pub(crate) mod exchange;
pub(crate) mod fault;
pub(crate) mod host;
pub(crate) mod loading;
pub(crate) mod scene;
pub(crate) mod wide;

pub use bounds::pulse::{Pulse, TICK};
pub use capability::standing::Standing;
pub use capability::supplies::{NoSecret, SECRET_BYTES_MAX, Secret, Supplies};
pub use capability::tables::{BadLine, TABLE_BYTES_MAX, TABLE_ENTRIES_MAX, Table, TableSlot};
pub use exchange::compare::words;
pub use exchange::manifest::Manifest;
pub use fault::LoadError;
pub use host::call::Reach;
pub use loading::compile::{Compile, InProcess, NotCompiled};
pub use loading::inspect::{Inspection, inspect};
pub use wide::engine::compiling_engine;
pub use wide::needs::{Profile, WIDE_COMPONENT_BYTES_MAX};
