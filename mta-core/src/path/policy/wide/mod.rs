//! The wide profile: plugins in languages that bring their interpreter with them, or a system's interface (WASI).
//!
//! `needs` reads from a component what it takes to run it, and so which of two engines it runs in; `engine` sets the wide
//! one up, and `linkers` joins plugins to either. `stubs` answers for WASI, of which nothing is there, and `said` makes log lines of what a guest prints.

pub(super) mod engine;
pub(super) mod linkers;
pub(super) mod needs;
pub(super) mod said;
pub(super) mod stubs;
