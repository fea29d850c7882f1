//! plugin-hello.
