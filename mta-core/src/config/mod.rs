//! TOML as written, checked, then typed: what comes out of here needs no further checks.

pub mod auth;
mod defaults;
pub mod listener;
mod matching;
pub mod model;
mod network;
pub mod parse;
pub mod places;
pub mod schema;
mod tenants;
