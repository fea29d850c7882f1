//! The WebAssembly host: the engine, the instances, and the functions that guests call.

pub(super) mod bindings;
pub(super) mod call;
mod doors;
pub(super) mod engine;
pub(super) mod instance;
pub(super) mod load;
pub(super) mod loaded;
mod message;
pub(super) mod pulse;

pub(super) use doors::to_wire;
