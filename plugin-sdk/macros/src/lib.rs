//! mailwright-plugin-macros.
