//! The plugin's own metrics, which the operator reads with those of the server; needs the grant `metrics`.
//!
//! The server puts `mailwright_plugin_NAME_` before each name. What it can't count (a name that is none, a counter that
//! goes down, more than 1,000 sets of labels) it drops and counts; its log says so once.

use super::backend;

/// Adds to a counter: `metrics::add("greylisted", &[("network", "ipv6")], 1)`. It only grows.
pub fn add(name: &str, labels: &[(&str, &str)], delta: i64) {
    backend::metrics::add(name, &owned(labels), delta);
}

/// Adds a value to a histogram, which counts how many values were at most 0.001, 0.005, 0.01 and so on to 10,000.
pub fn observe(name: &str, labels: &[(&str, &str)], value: f64) {
    backend::metrics::observe(name, &owned(labels), value);
}

fn owned(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}
