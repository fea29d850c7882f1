//! mailwright-plugin.
