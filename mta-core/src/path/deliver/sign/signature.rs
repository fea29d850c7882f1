//! The DKIM-Signature field (RFC 6376 3.5), and the ARC-Message-Signature that is like it (RFC 8617 4.1.2).

use super::fields::Covered;
use super::keyring::Signing;
use super::tagged::Tagged;
use crate::base::mail::canonical::BodyHash;
use crate::base::time::UnixMillis;

/// What a signature is made over, besides itself.
#[derive(Clone, Copy)]
pub struct Over<'a> {
    /// The header fields.
    pub covered: &'a Covered,
    /// The body in relaxed form.
    pub body: &'a BodyHash,
    /// When it is made.
    pub at: UnixMillis,
}

/// The DKIM-Signature field with its CRLF.
///
/// # Errors
/// What the library said.
pub fn field(signing: &Signing, over: Over<'_>) -> Result<String, String> {
    signed(Tagged::new("DKIM-Signature").tag("v", "1"), signing, over)
}

/// A field that begins with these tags, signed over fields and body.
pub(super) fn signed(begun: Tagged, signing: &Signing, over: Over<'_>) -> Result<String, String> {
    let field =
        by(begun, signing, over.at).tag("c", "relaxed/relaxed").names("h", &over.covered.names).octets("bh", over.body);
    let mut octets = over.covered.octets.clone();
    field.write_unsigned(&mut octets);
    Ok(field.signed(&signing.key.sign(&octets)?))
}

/// The same with who signs, and when.
pub(super) fn by(begun: Tagged, signing: &Signing, at: UnixMillis) -> Tagged {
    let begun = begun.tag("a", signing.key.algorithm()).tag("d", &signing.domain).tag("s", &signing.selector);
    begun.number("t", at.0 / 1000)
}
