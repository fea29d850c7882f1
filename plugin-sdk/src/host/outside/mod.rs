//! What lies outside of the mail: what the operator and the system supply.

pub mod dns;
pub mod http;
pub mod random;
pub mod secrets;
pub mod submit;
pub mod suppression;
pub mod tables;
