//! What all sides of TLS calculate with.

use tokio_rustls::rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use tokio_rustls::rustls::crypto::{CryptoProvider, SupportedKxGroup};

/// How keys are agreed on, what is wanted most first. What is recorded now may be read once there are quantum computers, so
/// the hybrid of ML-KEM-768 and X25519 goes before X25519 alone (draft-ietf-tls-ecdhe-mlkem).
const KEY_EXCHANGES: [&dyn SupportedKxGroup; 4] =
    [kx_group::X25519MLKEM768, kx_group::X25519, kx_group::SECP256R1, kx_group::SECP384R1];

/// The library's suites and signatures, with our order of key exchanges.
pub(super) fn provider() -> CryptoProvider {
    CryptoProvider { kx_groups: KEY_EXCHANGES.to_vec(), ..default_provider() }
}
