//! How SMTP carries an exchange: base64, strict in both directions (RFC 4954 4, RFC 4648 4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets of a line of base64: padded, without white space, and with no other spelling of the same octets.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// An initial response, which stands in the command: `=` is an empty one (RFC 4954 4).
#[must_use]
pub fn decode_initial(text: &str) -> Option<Vec<u8>> {
    if text == "=" { Some(Vec::new()) } else { decode(text.as_bytes()) }
}

/// The octets as base64.
#[must_use]
pub fn encode(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}
