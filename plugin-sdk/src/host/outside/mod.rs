//! What lies outside of the mail: what the operator and the system supply.

pub mod dns;
mod form;
pub mod http;
pub mod random;
pub mod secrets;
pub mod submit;
pub mod suppression;
pub mod tables;
pub mod tenants;
pub mod web;
