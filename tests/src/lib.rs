//! mailwright-tests.
