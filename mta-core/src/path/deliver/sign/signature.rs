//! The DKIM-Signature field (RFC 6376 3.5).

use super::fields::Covered;
use super::keyring::Signing;
use crate::base::time::UnixMillis;
use mail_auth::common::headers::{Writable, Writer};
use mail_auth::dkim::{Canonicalization, Signature};

/// The SHA-256 of a body in relaxed form.
pub type BodyHash = [u8; 32];

/// The field with its CRLF.
///
/// # Errors
/// What the library said.
pub fn field(signing: &Signing, covered: &Covered, body: &BodyHash, at: UnixMillis) -> Result<Vec<u8>, String> {
    let mut signature = Signature {
        v: 1,
        a: signing.key.algorithm(),
        d: (*signing.domain).to_owned(),
        s: (*signing.selector).to_owned(),
        bh: body.to_vec(),
        h: covered.names.clone(),
        t: at.0 / 1000,
        ch: Canonicalization::Relaxed,
        cb: Canonicalization::Relaxed,
        ..Signature::default()
    };
    signature.b = signing.key.sign(Signed { covered, signature: &signature })?;
    let mut field = Vec::with_capacity(1024);
    signature.write(&mut field, true);
    Ok(field)
}

/// What is signed: the fields, then the signature itself without its `b=` (RFC 6376 3.7).
struct Signed<'a> {
    covered: &'a Covered,
    signature: &'a Signature,
}

impl Writable for Signed<'_> {
    fn write(self, writer: &mut impl Writer) {
        writer.write(&self.covered.octets);
        self.signature.write(writer, false);
    }
}
