//! Metrics: what is counted in the stages, and the form in which it is handed to whoever shows it.
//!
//! Counting is a few atomics where something happens. Names, labels and text are made only when somebody looks.

mod durations;
mod family;
mod series;

pub use durations::{Durations, HOOK_MICROS, MAIL_MICROS};
pub use family::{Distribution, Family, Kind, Sample, Value};
pub use series::{Refused, Series};

/// Something that counts.
pub trait Measure: Send + Sync {
    /// Adds what it has counted so far.
    fn measure(&self, into: &mut Vec<Family>);
}
