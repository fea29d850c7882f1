//! The operator's secrets, and signatures with them; needs the grant `secrets:NAME`, or `hmac:NAME` to sign alone.

use super::super::backend;

/// A secret's octets, as they are in its file without the line end behind them.
///
/// None where it is not granted, or granted by `hmac:NAME` alone. What `configure` keeps of a secret stays in the image
/// that transactions begin with, in the server's memory; a reload reads it anew.
#[must_use]
pub fn get(name: &str) -> Option<Vec<u8>> {
    backend::secrets::get(name)
}

/// HMAC-SHA256 of the data, 32 octets, computed by the server: the plugin need not see the key. None where neither grant
/// is given.
#[must_use]
pub fn hmac_sha256(secret: &str, data: &[u8]) -> Option<Vec<u8>> {
    backend::secrets::hmac_sha256(secret, data)
}

/// Whether `mac` is the data's HMAC-SHA256, compared in a time that does not depend on where they differ.
#[must_use]
pub fn is_hmac_sha256(secret: &str, data: &[u8], mac: &[u8]) -> bool {
    let Some(wanted) = hmac_sha256(secret, data) else { return false };
    wanted.len() == mac.len() && wanted.iter().zip(mac).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
}
