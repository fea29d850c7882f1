//! The hash function of a certificate's signature, for `tls-server-end-point` (RFC 5929 4.1): both ends of a connection take
//! the hash of the server's certificate by it, and know so that nobody stands between them.

use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use yasna::models::ObjectIdentifier;
use yasna::{ASN1Result, BERReader, BERReaderSeq, Tag};

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// Signatures that name their hash: those of RSA (RFC 8017 A.2.4) and of ECDSA (RFC 5758 3.2). MD5 and SHA-1 stand for
/// SHA-256 (RFC 5929 4.1).
const SIGNATURES: [(&[u64], Hash); 11] = [
    (&[1, 2, 840, 113_549, 1, 1, 4], Hash::Sha256),
    (&[1, 2, 840, 113_549, 1, 1, 5], Hash::Sha256),
    (&[1, 2, 840, 113_549, 1, 1, 14], Hash::Sha224),
    (&[1, 2, 840, 113_549, 1, 1, 11], Hash::Sha256),
    (&[1, 2, 840, 113_549, 1, 1, 12], Hash::Sha384),
    (&[1, 2, 840, 113_549, 1, 1, 13], Hash::Sha512),
    (&[1, 2, 840, 10_045, 4, 1], Hash::Sha256),
    (&[1, 2, 840, 10_045, 4, 3, 1], Hash::Sha224),
    (&[1, 2, 840, 10_045, 4, 3, 2], Hash::Sha256),
    (&[1, 2, 840, 10_045, 4, 3, 3], Hash::Sha384),
    (&[1, 2, 840, 10_045, 4, 3, 4], Hash::Sha512),
];

/// RSASSA-PSS, whose parameters name the hash (RFC 8017 A.2.3).
const PSS: [u64; 7] = [1, 2, 840, 113_549, 1, 1, 10];

/// Hashes by their own names (RFC 8017 A.2.1 and B.1); SHA-1 is what parameters mean that say nothing.
const HASHES: [(&[u64], Hash); 5] = [
    (&[1, 3, 14, 3, 2, 26], Hash::Sha256),
    (&[2, 16, 840, 1, 101, 3, 4, 2, 4], Hash::Sha224),
    (&[2, 16, 840, 1, 101, 3, 4, 2, 1], Hash::Sha256),
    (&[2, 16, 840, 1, 101, 3, 4, 2, 2], Hash::Sha384),
    (&[2, 16, 840, 1, 101, 3, 4, 2, 3], Hash::Sha512),
];

impl Hash {
    /// The hash of these octets.
    pub(super) fn of(self, octets: &[u8]) -> Box<[u8]> {
        match self {
            Self::Sha224 => Sha224::digest(octets).to_vec(),
            Self::Sha256 => Sha256::digest(octets).to_vec(),
            Self::Sha384 => Sha384::digest(octets).to_vec(),
            Self::Sha512 => Sha512::digest(octets).to_vec(),
        }
        .into()
    }
}

/// Reads a signature's algorithm. None: it has no hash function, as Ed25519, or more than one: the binding is not defined
/// then (RFC 5929 4.1).
pub(super) fn signature(reader: BERReader<'_, '_>) -> ASN1Result<Option<Hash>> {
    reader.read_sequence(|reader| {
        let id = reader.next().read_oid()?;
        if id == ObjectIdentifier::from_slice(&PSS) {
            let hash = reader.read_optional(|inner| inner.read_sequence(pss))?;
            return Ok(hash.flatten());
        }
        reader.read_optional(|inner| inner.read_der().map(drop))?;
        Ok(known(&SIGNATURES, &id))
    })
}

/// The hash of the message, if that of the mask is the same.
fn pss(reader: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Option<Hash>> {
    let sha1 = ObjectIdentifier::from_slice(HASHES[0].0);
    let hash = reader.read_optional(|inner| inner.read_tagged(Tag::context(0), algorithm))?;
    let mask = reader.read_optional(|inner| {
        inner.read_tagged(Tag::context(1), |mask| {
            mask.read_sequence(|reader| {
                reader.next().read_oid()?;
                algorithm(reader.next())
            })
        })
    })?;
    for number in [2, 3] {
        reader.read_optional(|inner| inner.read_tagged(Tag::context(number), |inner| inner.read_der().map(drop)))?;
    }
    let (hash, mask) = (hash.unwrap_or_else(|| sha1.clone()), mask.unwrap_or(sha1));
    Ok(if hash == mask { known(&HASHES, &hash) } else { None })
}

fn algorithm(reader: BERReader<'_, '_>) -> ASN1Result<ObjectIdentifier> {
    reader.read_sequence(|reader| {
        let id = reader.next().read_oid()?;
        reader.read_optional(|inner| inner.read_der().map(drop))?;
        Ok(id)
    })
}

fn known(table: &[(&[u64], Hash)], id: &ObjectIdentifier) -> Option<Hash> {
    table.iter().find(|(known, _)| *id == ObjectIdentifier::from_slice(known)).map(|(_, hash)| *hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use yasna::{DERWriter, construct_der, parse_der};

    fn read(write: impl FnOnce(DERWriter<'_>)) -> Option<Hash> {
        parse_der(&construct_der(write), signature).expect("an algorithm")
    }

    fn plain(id: &[u64]) -> Option<Hash> {
        read(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_oid(&ObjectIdentifier::from_slice(id));
                writer.next().write_null();
            });
        })
    }

    /// A PSS whose message and mask have these hashes.
    fn pss_with(hash: &[u64], mask: &[u64]) -> Option<Hash> {
        let algorithm = |writer: DERWriter<'_>, id: &[u64]| {
            writer.write_sequence(|writer| writer.next().write_oid(&ObjectIdentifier::from_slice(id)));
        };
        read(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_oid(&ObjectIdentifier::from_slice(&PSS));
                writer.next().write_sequence(|writer| {
                    writer.next().write_tagged(Tag::context(0), |inner| algorithm(inner, hash));
                    writer.next().write_tagged(Tag::context(1), |inner| {
                        inner.write_sequence(|writer| {
                            writer.next().write_oid(&ObjectIdentifier::from_slice(&[1, 2, 840, 113_549, 1, 1, 8]));
                            algorithm(writer.next(), mask);
                        });
                    });
                    writer.next().write_tagged(Tag::context(2), |inner| inner.write_u8(48));
                });
            });
        })
    }

    /// RFC 8017 A.2 and B.1, RFC 5758 3.2.
    #[test]
    fn the_hash_is_that_of_the_signature_and_the_weak_ones_are_sha256_rfc5929_4_1() {
        for (id, hash) in SIGNATURES {
            assert_eq!(plain(id), Some(hash));
        }
        assert_eq!(plain(&[1, 2, 840, 113_549, 1, 1, 5]), Some(Hash::Sha256), "SHA-1");
        assert_eq!(plain(&[1, 3, 101, 112]), None, "Ed25519");
        let (sha256, sha384) = (HASHES[2].0, HASHES[3].0);
        assert_eq!(pss_with(sha384, sha384), Some(Hash::Sha384));
        assert_eq!(pss_with(sha384, sha256), None, "two of them");
        let empty = read(|writer| {
            writer.write_sequence(|writer| {
                writer.next().write_oid(&ObjectIdentifier::from_slice(&PSS));
                writer.next().write_sequence(|_| {});
            });
        });
        assert_eq!(empty, Some(Hash::Sha256), "SHA-1 by default");
        assert_eq!(
            [28, 32, 48, 64],
            [Hash::Sha224, Hash::Sha256, Hash::Sha384, Hash::Sha512].map(|hash| hash.of(b"").len())
        );
    }
}
