//! The WebAssembly host: the engine, the instances, and the functions that guests call.

pub(super) mod bindings;
pub(super) mod call;
pub(super) mod code;
mod doors;
pub(super) mod engine;
pub(super) mod instance;
mod message;
pub(super) mod pulse;
pub(super) mod stock;

pub(super) use doors::to_wire;
