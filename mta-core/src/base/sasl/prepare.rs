//! Names and passwords in the form in which they are compared (RFC 4013 2 and, for what is
//! newer than it, RFC 8265 4.2).

use std::fmt;
use stringprep::saslprep;
use zeroize::Zeroizing;

/// Longest name in octets: what every server must take (RFC 4616 2).
pub const NAME_BYTES_MAX: usize = 255;

/// Longest password in octets. RFC 4616 2 asks for 255; without an end, hashing one would cost what its sender likes.
pub const PASSWORD_BYTES_MAX: usize = 1024;

/// A name as users are found by: SASLprep, then lower case, because people write the same name in either. None: nobody
/// is called so.
#[must_use]
pub fn name(text: &str) -> Option<Box<str>> {
    let fits = |text: &str| !text.is_empty() && text.len() <= NAME_BYTES_MAX;
    if !fits(text) {
        return None;
    }
    let name = saslprep(text).ok()?.to_lowercase();
    (fits(&name) && !name.contains(|c: char| c.is_control() || c.is_whitespace())).then(|| name.into())
}

/// A password as it is hashed: SASLprep where that allows it, else as it came. SASLprep knows the characters of 2002
/// alone, and a password with an emoji is a good password. None: nobody has such a one.
#[must_use]
pub fn password(text: &str) -> Option<Hidden> {
    if text.is_empty() || text.len() > PASSWORD_BYTES_MAX || text.contains(char::is_control) {
        return None;
    }
    match saslprep(text) {
        Ok(prepared) if prepared.is_empty() => None,
        Ok(prepared) => Some(Hidden::new(prepared)),
        Err(_) => Some(Hidden::new(text)),
    }
}

/// Text that is not shown by accident, and whose memory is overwritten when it goes.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(Zeroizing<String>);

impl Hidden {
    /// Hides a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for its check alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
