//! What a certificate says of itself (RFC 5280 4.1): names, subject and validity. Whether to believe it is not judged here.

use super::end_point::{self, Hash};
use yasna::models::ObjectIdentifier;
use yasna::{ASN1Result, BERReader, BERReaderSeq, Tag, parse_der};

/// Characters of a subject that are kept.
const SUBJECT_CHARS_MAX: usize = 256;

/// The extension of alternative names, by its identifier.
const ALTERNATIVE_NAMES: [u64; 4] = [2, 5, 29, 17];

/// Attributes of a subject that have a short name (RFC 4514 3).
const ATTRIBUTES: [(&[u64], &str); 8] = [
    (&[2, 5, 4, 3], "CN"),
    (&[2, 5, 4, 6], "C"),
    (&[2, 5, 4, 7], "L"),
    (&[2, 5, 4, 8], "ST"),
    (&[2, 5, 4, 10], "O"),
    (&[2, 5, 4, 11], "OU"),
    (&[0, 9, 2342, 19_200_300, 100, 1, 25], "DC"),
    (&[1, 2, 840, 113_549, 1, 9, 1], "E"),
];

/// What is read of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Seconds since 1970, first and last.
    pub(super) from: i64,
    pub(super) until: i64,
    /// As `O=Example, CN=mx.example.org`, printable.
    pub(super) subject: Box<str>,
    /// DNS names among the alternative names, in lower case.
    pub(super) names: Vec<Box<str>>,
    /// The hash function of its signature; none: it has none, or several.
    pub(super) signed_by: Option<Hash>,
    /// The public key with its algorithm, as DER (`SubjectPublicKeyInfo`).
    pub(super) key: Vec<u8>,
}

/// Reads a certificate in DER.
///
/// # Errors
/// It is none.
pub(super) fn read(certificate: &[u8]) -> ASN1Result<Said> {
    parse_der(certificate, |reader| {
        reader.read_sequence(|reader| {
            let said = reader.next().read_sequence(said)?;
            let signed_by = end_point::signature(reader.next())?;
            reader.next().read_der()?;
            Ok(Said { signed_by, ..said })
        })
    })
}

fn said(reader: &mut BERReaderSeq<'_, '_>) -> ASN1Result<Said> {
    reader.read_optional(|reader| reader.read_tagged(Tag::context(0), |inner| inner.read_der().map(drop)))?;
    // Serial number, algorithm, issuer.
    for _ in 0..3 {
        reader.next().read_der()?;
    }
    let (from, until) = reader.next().read_sequence(|reader| Ok((seconds(reader.next())?, seconds(reader.next())?)))?;
    let subject = subject(reader.next())?;
    let key = reader.next().read_der()?;
    for number in [1, 2] {
        reader.read_optional(|reader| {
            reader.read_tagged_implicit(Tag::context(number), |inner| inner.read_bitvec_bytes().map(drop))
        })?;
    }
    let mut names = Vec::new();
    reader.read_optional(|reader| {
        reader.read_tagged(Tag::context(3), |reader| reader.read_sequence_of(|reader| extension(reader, &mut names)))
    })?;
    Ok(Said { from, until, subject, names, key, signed_by: None })
}

fn seconds(reader: BERReader<'_, '_>) -> ASN1Result<i64> {
    match reader.lookahead_tag()? {
        yasna::tags::TAG_UTCTIME => Ok(reader.read_utctime()?.datetime().unix_timestamp()),
        _ => Ok(reader.read_generalized_time()?.datetime().unix_timestamp()),
    }
}

fn extension(reader: BERReader<'_, '_>, names: &mut Vec<Box<str>>) -> ASN1Result<()> {
    let (id, content) = reader.read_sequence(|reader| {
        let id = reader.next().read_oid()?;
        // Whether who does not know it must refuse the certificate.
        reader.read_optional(|inner| inner.read_bool().map(drop))?;
        Ok((id, reader.next().read_bytes()?))
    })?;
    if id == ObjectIdentifier::from_slice(&ALTERNATIVE_NAMES) {
        parse_der(&content, |reader| {
            reader.read_sequence_of(|reader| {
                let tag = reader.lookahead_tag()?;
                if tag == Tag::context(2) {
                    let lower = |name: String| name.to_ascii_lowercase().into();
                    names.push(reader.read_tagged_implicit(tag, |inner| inner.read_ia5_string().map(lower))?);
                } else {
                    reader.read_der()?;
                }
                Ok(())
            })
        })?;
    }
    Ok(())
}

fn subject(reader: BERReader<'_, '_>) -> ASN1Result<Box<str>> {
    let mut parts = Vec::new();
    reader.read_sequence_of(|reader| {
        reader.read_set_of(|reader| {
            parts.push(reader.read_sequence(|reader| {
                let id = reader.next().read_oid()?;
                Ok((id, reader.next().read_tagged_der()?))
            })?);
            Ok(())
        })
    })?;
    let shown = parts.iter().map(|(id, value)| {
        let known = ATTRIBUTES.iter().find(|(known, _)| *id == ObjectIdentifier::from_slice(known));
        let name = known.map_or_else(|| id.to_string(), |(_, name)| (*name).to_owned());
        format!("{name}={}", String::from_utf8_lossy(value.value()))
    });
    let shown = shown.collect::<Vec<_>>().join(", ");
    let printable = shown.chars().take(SUBJECT_CHARS_MAX).map(|c| if c.is_control() { '?' } else { c });
    Ok(printable.collect::<String>().into())
}
