//! The scenarios: one story a file, named as a sentence, against the running program.

mod deliver;
mod heavy;
mod program;
mod queue;
mod receive;
