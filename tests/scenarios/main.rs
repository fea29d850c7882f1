//! The scenarios: one story a file, named as a sentence, against the running program.

mod deliver;
mod feedback;
mod heavy;
mod plugins;
mod program;
mod queue;
mod receive;
mod submit;
mod tls;
mod trials;
