//! The WebAssembly host: the engine and the instances.

pub(crate) mod bindings;
pub(crate) mod call;
pub(crate) mod code;
pub(crate) mod engine;
pub(crate) mod figures;
pub(crate) mod instance;
pub(crate) mod questions;
pub(crate) mod stock;
