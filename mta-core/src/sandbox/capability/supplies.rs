//! What the operator supplies plugins with: secrets, and the tables of `tables`.

use super::tables::TableSlot;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::fmt;
use std::sync::Arc;

/// Largest secret, in octets.
pub const SECRET_BYTES_MAX: usize = 64 * 1024;

/// Everything that grants may name, by name.
#[derive(Clone, Debug, Default)]
pub struct Supplies {
    /// The secrets of the configuration.
    pub secrets: Vec<(Arc<str>, Arc<Secret>)>,
    /// The tables of the configuration.
    pub tables: Vec<(Arc<str>, Arc<TableSlot>)>,
    /// The tenants of the configuration.
    pub tenants: Vec<Arc<str>>,
}

/// A secret's octets. No debug form shows them, and nothing logs them.
pub struct Secret(Box<[u8]>);

/// Why a value is no secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoSecret {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is longer than [`SECRET_BYTES_MAX`].
    #[error("it has more than {SECRET_BYTES_MAX} octets")]
    TooLarge,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Supplies {
    /// The secret of that name.
    pub(super) fn secret(&self, name: &str) -> Option<&Arc<Secret>> {
        self.secrets.iter().find(|(known, _)| **known == *name).map(|(_, secret)| secret)
    }

    /// The table of that name.
    pub(super) fn table(&self, name: &str) -> Option<&Arc<TableSlot>> {
        self.tables.iter().find(|(known, _)| **known == *name).map(|(_, table)| table)
    }
}

impl Secret {
    /// A secret of what a file or a variable held. One line end behind it is an editor's, and not part of it.
    ///
    /// # Errors
    /// It is empty or too long.
    pub fn new(mut octets: Vec<u8>) -> Result<Self, NoSecret> {
        if octets.last() == Some(&b'\n') {
            octets.pop();
            if octets.last() == Some(&b'\r') {
                octets.pop();
            }
        }
        match octets.len() {
            0 => Err(NoSecret::Empty),
            length if length > SECRET_BYTES_MAX => Err(NoSecret::TooLarge),
            _ => Ok(Self(octets.into())),
        }
    }

    pub(crate) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// HMAC-SHA256 of the data with this key (RFC 2104, RFC 4868).
    pub(crate) fn hmac_sha256(&self, data: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(data);
        mac.finalize().into_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn the_mac_is_that_of_rfc4231_4_2_to_4_4() {
        let cases: [(&[u8], &[u8], &str); 3] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
        ];
        for (key, data, wanted) in cases {
            assert_eq!(hex(&Secret::new(key.to_vec()).expect("a key").hmac_sha256(data)), wanted);
        }
    }

    #[test]
    fn one_line_end_is_not_part_of_it() {
        let octets = |text: &str| Secret::new(text.into()).map(|secret| secret.octets().to_vec());
        for (text, wanted) in [("s", "s"), ("s\n", "s"), ("s\r\n", "s"), ("s\n\n", "s\n"), (" s ", " s ")] {
            assert_eq!(octets(text), Ok(wanted.as_bytes().to_vec()), "{text:?}");
        }
        assert_eq!(octets("\n"), Err(NoSecret::Empty));
        assert_eq!(octets(&"x".repeat(SECRET_BYTES_MAX + 1)), Err(NoSecret::TooLarge));
    }

    #[test]
    fn it_is_shown_to_nobody() {
        let secret = Arc::new(Secret::new(b"hidden".to_vec()).expect("a secret"));
        let supplies = Supplies { secrets: vec![("name".into(), secret)], ..Supplies::default() };
        assert_eq!(format!("{supplies:?}"), r#"Supplies { secrets: [("name", Secret(…))], tables: [], tenants: [] }"#);
    }
}
