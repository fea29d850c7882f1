//! The WebAssembly host: the engine and the instances.

pub(super) mod bindings;
pub(super) mod call;
pub(super) mod code;
pub(super) mod engine;
pub(super) mod figures;
pub(super) mod instance;
pub(super) mod permits;
pub(super) mod pulse;
pub(super) mod reports;
pub(super) mod stock;
