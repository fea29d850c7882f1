//! One suite for every engine: what a store promises, and what the spool promises on top of it, with faults put in.

mod crash;
mod engine;
mod faults;
mod power;
mod pressure;
mod reclaim;
mod recorder;
mod spool;
mod world;
