//! Reports from what is told to what goes out: counted, kept, written, sent.

mod documents;
mod gathering;
mod sending;
mod world;
