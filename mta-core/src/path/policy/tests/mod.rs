//! Policy as a whole, with real components: hello, and small guests written for one fault each.

mod hello;
mod stage;
