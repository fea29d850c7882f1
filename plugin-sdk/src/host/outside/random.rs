//! Randomness that nobody can foresee, fit for keys and tokens; needs the grant `random`.

use super::super::backend;

/// So many octets, at most 65,536 a call.
///
/// A plugin that draws in `configure` loses its image: the server then runs `configure` for each transaction, since what
/// was drawn once would be the same for all of them. Draw in the hooks instead.
#[must_use]
pub fn bytes(len: u32) -> Vec<u8> {
    backend::random::bytes(len)
}

/// 64 random bits. Draws as [`bytes`] does.
#[must_use]
pub fn number() -> u64 {
    bytes(8).iter().fold(0, |number, octet| number << 8 | u64::from(*octet))
}
