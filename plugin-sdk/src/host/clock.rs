//! Time; needs the grant `clock`.

use super::backend;

/// Milliseconds since 1970-01-01T00:00:00Z.
#[must_use]
pub fn now_ms() -> u64 {
    backend::clock::now_ms()
}

/// Nanoseconds since some moment; never goes back.
#[must_use]
pub fn monotonic_ns() -> u64 {
    backend::clock::monotonic_ns()
}
