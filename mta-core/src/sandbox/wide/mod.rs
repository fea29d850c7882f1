//! The wide profile: plugins in languages that bring their interpreter with them, or a system's interface (WASI).
//!
//! `needs` reads from a component what it takes to run it, and so which of two engines it runs in; `engine` sets the wide
//! one up, and `linkers` joins plugins to either. `stubs` answers for WASI, of which nothing is there, and `said` makes log lines of what a guest prints.

pub(crate) mod engine;
pub(crate) mod linkers;
pub(crate) mod needs;
pub(crate) mod said;
pub(crate) mod stubs;
