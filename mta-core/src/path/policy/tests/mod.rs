//! Policy as a whole, with real components: hello, and small guests that do one thing each.

mod capability;
mod chain;
mod faults;
mod guests;
mod hooks;
mod loading;
mod restore;
mod scene;
mod stage;
