//! What plugins may do beside answering: their grants, and what stands behind each capability.

pub(crate) mod expressions;
pub(crate) mod grants;
pub(crate) mod http;
pub(crate) mod kv;
pub(crate) mod standing;
pub(crate) mod submit;
pub(crate) mod supplies;
pub(crate) mod tables;
pub(crate) mod zones;
