//! TOML as written, checked, then typed: what comes out of here needs no further checks.

mod defaults;
pub mod matching;
pub mod model;
pub mod parse;
pub mod places;
pub mod schema;
pub(crate) mod tenants;

/// For tests: a configuration in which nothing is set but our name, `mx.example.test`.
#[cfg(test)]
pub fn example() -> model::Config {
    model::Config { hostname: "mx.example.test".into(), data_dir: "var".into(), ..parse::unset() }
}
