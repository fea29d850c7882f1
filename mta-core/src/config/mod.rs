//! TOML as written, checked, then typed: what comes out of here needs no further checks.

mod defaults;
pub mod matching;
pub mod model;
pub mod parse;
pub mod places;
pub mod schema;
mod tenants;
