//! Which header fields a signature covers, and their canonical form (RFC 6376 3.4.2, 5.4).

use crate::base::mail::header::{self, Field};
use bytes::Bytes;
use mail_auth::dkim::Canonicalization;
use mail_parser::parsers::MessageStream;

/// Fields that are signed where they are there, and whether one more of them is named than there are: then none can be
/// added behind our back (RFC 6376 5.4.2 and 8.15). What says who writes to whom about what must not grow; trace fields
/// and what relays may rewrite are left out (RFC 6376 5.4.1).
const SIGNED: [(&str, bool); 23] = [
    ("From", true),
    ("Sender", true),
    ("Reply-To", true),
    ("To", true),
    ("Cc", true),
    ("Subject", true),
    ("Date", true),
    ("Message-ID", true),
    ("In-Reply-To", false),
    ("References", false),
    ("MIME-Version", true),
    ("Content-Type", true),
    ("Content-Transfer-Encoding", true),
    ("Content-Disposition", false),
    ("Content-ID", false),
    ("List-Id", false),
    ("List-Help", false),
    ("List-Post", false),
    ("List-Owner", false),
    ("List-Archive", false),
    // RFC 8058 4: one-click wants both covered.
    ("List-Unsubscribe", true),
    ("List-Unsubscribe-Post", true),
    ("Feedback-ID", true),
];

/// What is set aside for the octets of fields and a signature.
const OCTETS_USUAL: usize = 2048;

/// What is signed of a header section.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Covered {
    /// The names for `h=`, in the order in which verifiers take the fields: of each name the lowest first (RFC 6376
    /// 5.4.2).
    pub names: Vec<&'static str>,
    /// The fields in that order, in relaxed form.
    pub octets: Vec<u8>,
}

/// The fields to be covered of the section's pieces, by the author's side.
#[must_use]
pub fn covered(head: &[Bytes]) -> Covered {
    cover(head, &[])
}

/// The same by a forwarder: the author's own signatures too. Those of a chain, and what servers say of a message, are not
/// (RFC 8617 4.1.2).
#[must_use]
pub fn covered_by_forwarder(head: &[Bytes]) -> Covered {
    cover(head, &[("DKIM-Signature", false)])
}

fn cover(head: &[Bytes], more: &[(&'static str, bool)]) -> Covered {
    let fields: Vec<Field<'_>> = head.iter().flat_map(|piece| header::fields(piece)).collect();
    let mut covered = Covered { names: Vec::with_capacity(SIGNED.len() + fields.len()), octets: Vec::new() };
    covered.octets.reserve(OCTETS_USUAL);
    let mut taken: Vec<(&[u8], &[u8])> = Vec::with_capacity(fields.len());
    for &(name, one_more) in SIGNED.iter().chain(more) {
        for field in fields.iter().rev().filter(|field| field.name.eq_ignore_ascii_case(name)) {
            covered.names.push(name);
            taken.push((field.name.as_bytes(), behind_colon(field)));
        }
        if one_more {
            covered.names.push(name);
        }
    }
    Canonicalization::Relaxed.canonicalize_headers(taken.into_iter(), &mut covered.octets);
    covered
}

/// The value with its CRLF, as the canonical form wants it.
pub(super) fn behind_colon<'a>(field: &Field<'a>) -> &'a [u8] {
    let from = memchr::memchr(b':', field.raw).map_or(field.raw.len(), |colon| colon + 1);
    field.raw.get(from..).unwrap_or_default()
}

/// The domain of the message's author, in lower case and in A-labels: of the first mailbox of the first From (RFC 5322
/// 3.6.2). None where there is none that one could answer for.
#[must_use]
pub fn author_domain(head: &[Bytes]) -> Option<String> {
    let from = head.iter().find_map(|piece| header::find(piece, "from", 0))?;
    author_domain_of(behind_colon(&from))
}

/// The same of the value of a From field.
#[must_use]
pub fn author_domain_of(from: &[u8]) -> Option<String> {
    let parsed = MessageStream::new(from).parse_address();
    let address = parsed.as_address()?.first()?.address()?.to_owned();
    let (_, domain) = address.rsplit_once('@')?;
    let domain = idna::domain_to_ascii(domain.trim_end_matches('.')).ok()?;
    (!domain.is_empty()).then_some(domain)
}
