//! What ties a report that comes back to what was sent: short marks, which are local parts of addresses, and long
//! tickets, which stand in a header field. Both are signed (HMAC, RFC 2104), so that nobody else makes one.
//!
//! A mark has room for the message's id and for a digest of its tenant and recipient; a ticket says all of it. Neither is
//! secret from who got the message, and neither is worth anything for another message or recipient.

pub mod srs;
#[cfg(test)]
mod tests;

use super::address::Address;
use super::domain::Domain;
use super::id::QueueId;
use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::fmt;

/// The header field that carries a ticket.
pub const FIELD: &str = "Mailwright-Feedback";

/// Length of a key in octets: as long as the hash that it keys (RFC 2104 3).
pub const KEY_BYTES: usize = 32;

/// Length of the id in a mark, in octets.
const ID_BYTES: usize = 16;
/// Length of the digest in a mark, in octets: who has a mark would have to send 2^39 reports to make it another
/// recipient's.
const DIGEST_BYTES: usize = 5;
/// Length of a mark's signature, in octets: a mark in text is then 56 characters, and a local part may have 64.
const MARK_MAC_BYTES: usize = 14;
/// Length of a mark in text, behind the two characters that say what it is for.
const MARK_CHARS: usize = 56;
/// Length of a ticket's signature, in octets.
const TICKET_MAC_BYTES: usize = 16;
/// Longest ticket that is looked at, in characters. A recipient of 254 octets, a tenant of 64 and a campaign of 128
/// make less than 700.
pub const TICKET_CHARS_MAX: usize = 1024;
/// The first octet of a ticket: how it is written.
const TICKET_VERSION: u8 = 1;

/// One message to one recipient, as it went out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The message.
    pub id: QueueId,
    /// The recipient that it was sent to.
    pub recipient: Address,
    /// Whose message it is.
    pub tenant: Option<Box<str>>,
    /// What it belongs to, in the sender's words.
    pub campaign: Option<Box<str>>,
}

/// What an address with a mark is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The reverse path: here reports come back.
    Reports,
    /// Mail to it asks for no more.
    Unsubscribe,
}

/// A mark that we made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// What the address is for.
    pub purpose: Purpose,
    /// The message.
    pub id: QueueId,
    digest: [u8; DIGEST_BYTES],
}

/// What all of this is signed with. Whoever has it can make them.
#[derive(Clone)]
pub struct Key {
    /// The newest signs.
    newest: Octets,
    /// What these have signed still counts.
    older: Vec<Octets>,
}

type Octets = [u8; KEY_BYTES];

impl Purpose {
    fn letter(self) -> char {
        match self {
            Self::Reports => 'b',
            Self::Unsubscribe => 'u',
        }
    }

    fn of(local: &str) -> Option<(Self, &str)> {
        let (letter, code) = local.split_once('-')?;
        let purpose = match letter {
            "b" | "B" => Self::Reports,
            "u" | "U" => Self::Unsubscribe,
            _ => return None,
        };
        Some((purpose, code))
    }
}

/// Whether a local part looks like a mark, ours or not.
#[must_use]
pub fn has_form(local: &str) -> bool {
    let is_letter = |octet: u8| octet.is_ascii_alphabetic() || (b'2'..=b'7').contains(&octet);
    Purpose::of(local).is_some_and(|(_, code)| code.len() == MARK_CHARS && code.bytes().all(is_letter))
}

impl Key {
    /// A key of these octets.
    #[must_use]
    pub fn new(octets: [u8; KEY_BYTES]) -> Self {
        Self { newest: octets, older: Vec::new() }
    }

    /// The same, which takes what these have signed, too.
    #[must_use]
    pub fn after(self, older: Vec<[u8; KEY_BYTES]>) -> Self {
        Self { older, ..self }
    }

    /// The address that leads back to a message and its recipient. None where the domain is too long for a mailbox.
    #[must_use]
    pub fn address(&self, purpose: Purpose, sent: &Sent, domain: &Domain) -> Option<Address> {
        let (id, digest) = (sent.id.to_key(), self.digest(sent));
        let signature = self.sign("mark", &[&[purpose.letter() as u8], &id, &digest]).finalize().into_bytes();
        let octets: Vec<u8> = id.iter().chain(&digest).chain(signature.iter().take(MARK_MAC_BYTES)).copied().collect();
        // Servers and people change the case of local parts: it means nothing here.
        let code = BASE32_NOPAD.encode(&octets).to_ascii_lowercase();
        Address::new(format!("{}-{code}", purpose.letter()), Some(domain.clone())).ok()
    }

    /// The mark that a local part is; none where we did not make it.
    #[must_use]
    pub fn read_mark(&self, local: &str) -> Option<Mark> {
        if !has_form(local) {
            return None;
        }
        let (purpose, code) = Purpose::of(local)?;
        let octets = BASE32_NOPAD.decode(code.to_ascii_uppercase().as_bytes()).ok()?;
        let (id, rest) = octets.split_first_chunk::<ID_BYTES>()?;
        let (digest, signature) = rest.split_first_chunk::<DIGEST_BYTES>()?;
        let whole = signature.len() == MARK_MAC_BYTES;
        (whole && self.signed("mark", &[&[purpose.letter() as u8], id, digest], signature)).then_some(Mark {
            purpose,
            id: QueueId::from_key(*id),
            digest: *digest,
        })
    }

    /// Whether a mark was made for that message, recipient and tenant.
    #[must_use]
    pub fn fits(&self, mark: &Mark, sent: &Sent) -> bool {
        mark.id == sent.id && of_digest(sent, |pieces| self.signed("digest", pieces, &mark.digest))
    }

    /// The ticket of a message to a recipient.
    #[must_use]
    pub fn ticket(&self, sent: &Sent) -> String {
        let mut octets = vec![TICKET_VERSION];
        // Writing into memory does not fail.
        octets.extend(postcard::to_stdvec(sent).unwrap_or_default());
        let signature = self.sign("ticket", &[&octets]).finalize().into_bytes();
        octets.extend(signature.iter().take(TICKET_MAC_BYTES));
        BASE64URL_NOPAD.encode(&octets)
    }

    /// What a ticket says; none where we did not make it. White space in it is passed over: lines are folded anew on the
    /// way.
    #[must_use]
    pub fn read_ticket(&self, text: &str) -> Option<Sent> {
        if text.len() > TICKET_CHARS_MAX {
            return None;
        }
        let code: Vec<u8> = text.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
        let octets = BASE64URL_NOPAD.decode(&code).ok()?;
        let (said, signature) = octets.split_at_checked(octets.len().checked_sub(TICKET_MAC_BYTES)?)?;
        self.signed("ticket", &[said], signature).then_some(())?;
        match said.split_first()? {
            (&TICKET_VERSION, said) => postcard::from_bytes(said).ok(),
            _ => None,
        }
    }

    /// What a `List-Unsubscribe` field may offer (RFC 2369 3.2): a mailto URI (RFC 6068) whose address has a mark and
    /// whose subject has the ticket, so that it matters not from which address it is used.
    #[must_use]
    pub fn mailto(&self, sent: &Sent, domain: &Domain) -> Option<String> {
        let address = self.address(Purpose::Unsubscribe, sent, domain)?;
        Some(format!("mailto:{address}?subject=unsubscribe%20{}", self.ticket(sent)))
    }

    fn digest(&self, sent: &Sent) -> [u8; DIGEST_BYTES] {
        let whole = of_digest(sent, |pieces| self.sign("digest", pieces)).finalize().into_bytes();
        std::array::from_fn(|at| whole.get(at).copied().unwrap_or_default())
    }

    fn sign(&self, what: &str, pieces: &[&[u8]]) -> Hmac<Sha256> {
        mac(&self.newest, what, pieces)
    }

    /// Whether any of the keys has signed it so. In constant time: how far a guess was right can't be measured.
    fn signed(&self, what: &str, pieces: &[&[u8]], signature: &[u8]) -> bool {
        let mut keys = std::iter::once(&self.newest).chain(&self.older);
        keys.any(|octets| mac(octets, what, pieces).verify_truncated_left(signature).is_ok())
    }
}

/// What ties a mark to a recipient and to a tenant. The case of addresses changes on the way.
fn of_digest<T>(sent: &Sent, make: impl FnOnce(&[&[u8]]) -> T) -> T {
    let recipient = sent.recipient.to_ascii().unwrap_or_else(|| sent.recipient.clone());
    let recipient = recipient.to_string().to_lowercase();
    let tenant = sent.tenant.as_deref();
    let whose = [u8::from(tenant.is_some())];
    make(&[&sent.id.to_key(), &whose, tenant.unwrap_or_default().as_bytes(), recipient.as_bytes()])
}

/// What is signed for one use is never good for another, and no piece can borrow from the next.
fn mac(octets: &Octets, what: &str, pieces: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(octets).expect("HMAC takes keys of any length");
    for piece in std::iter::once(&what.as_bytes()).chain(pieces) {
        mac.update(&(piece.len() as u64).to_be_bytes());
        mac.update(piece);
    }
    mac
}

impl fmt::Debug for Key {
    /// A key is not shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(..)")
    }
}
