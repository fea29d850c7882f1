//! The machine on a virtual clock: what starts, when, and what must not.
