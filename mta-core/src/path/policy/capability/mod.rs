//! What plugins may do beside answering: their grants, and what stands behind each capability.

pub(super) mod entries;
pub(super) mod grants;
pub(super) mod http;
pub(super) mod kept;
pub(super) mod kv;
#[cfg(test)]
mod kv_tests;
pub(super) mod submit;
pub(super) mod supplies;
pub(super) mod tables;
