//! Queue: when, how fast and in which order mail goes out.
//!
//! `machine` decides, `driver` does. The entries that the spool hands over become *items*, one for each message and
//! destination (`items`); `timers` says when each has to be looked at; `destinations` keeps the lines of those that may
//! go now, `congestion` how many may go at once; `operation` is what operators ask for; `rules` what is configured.

mod congestion;
mod destinations;
pub mod driver;
mod items;
pub mod machine;
pub mod operation;
pub mod rules;
mod timers;
