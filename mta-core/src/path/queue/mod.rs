//! Queue: when, how fast and in which order mail goes out.
