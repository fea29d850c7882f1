//! Regular expressions in linear time, compiled and run by the host. No grant needed.

use super::backend;

/// A compiled set; its expressions are named by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patterns(pub(crate) u32);

/// Compiles a set of expressions in the syntax of the `regex` crate. Only in `configure`.
///
/// # Errors
/// What is wrong with which expression.
pub fn compile(expressions: &[String]) -> Result<Patterns, String> {
    backend::patterns::compile(expressions).map(Patterns)
}

impl Patterns {
    /// The expressions that match the text.
    #[must_use]
    pub fn matches(self, text: &str) -> Vec<u32> {
        backend::patterns::matches(self.0, text)
    }
}
