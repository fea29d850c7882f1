//! Mailwright's core: the life of a message, from the socket it comes in by to the next hop.
//!
//! `docs/ARCHITECTURE.md` is the map. Layers, each importing only from those before it: [`base`] (the words),
//! [`config`], [`sandbox`] (where guests run), [`path`] (the stages) and [`edge`] (the outside).

pub mod app;
pub mod base;
pub mod config;
pub mod edge;
pub mod path;
pub mod report;
pub mod sandbox;
