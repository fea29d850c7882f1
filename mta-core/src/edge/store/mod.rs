//! The storage engines.
