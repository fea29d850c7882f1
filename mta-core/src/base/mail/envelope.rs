//! The envelope: who sends to whom, and what was asked for on the way (RFC 5321 3.3, RFC 3461, RFC 6152, RFC 6531).

use super::address::Address;
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

/// The transaction's parameters, as they are stored and passed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The reverse path; none is the null sender `<>` of notifications (RFC 5321 4.5.5).
    pub sender: Option<Address>,
    /// In the order of their RCPT commands; a recipient's index here is its name between stages.
    pub recipients: Vec<Recipient>,
    /// What the content is made of (RFC 6152, RFC 3030).
    pub body: BodyType,
    /// The client asked for SMTPUTF8 (RFC 6531 3.4).
    pub smtputf8: bool,
    /// How much of the message a notification returns (RFC 3461 4.3).
    pub ret: Option<Ret>,
    /// The sender's own id for the transaction, still xtext-decoded (RFC 3461 4.4), at most 100 octets.
    pub envid: Option<Box<str>>,
}

/// One RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// The forward path.
    pub address: Address,
    /// When to notify the sender; none means the default, failure (RFC 3461 4.1).
    pub notify: Option<Notify>,
    /// The original recipient, `type;address` with the address xtext-decoded (RFC 3461 4.2), at most 500 octets.
    pub orcpt: Option<Box<str>>,
}

/// `BODY=` (RFC 6152, RFC 3030).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BodyType {
    /// Lines of at most 998 seven-bit octets.
    #[default]
    SevenBit,
    /// Lines of any octets.
    EightBitMime,
    /// Any octets, no line structure; only by BDAT.
    BinaryMime,
}

/// `RET=` (RFC 3461 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ret {
    /// Return the whole message.
    Full,
    /// Return the headers alone.
    Hdrs,
}

/// `NOTIFY=` (RFC 3461 4.1); all three false is `NEVER`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notify {
    /// On delivery.
    pub success: bool,
    /// On final failure.
    pub failure: bool,
    /// When delivery is late.
    pub delay: bool,
}

/// Indices into [`Envelope::recipients`]; one recipient is by far the most common.
pub type RecipientSet = SmallVec<[u32; 4]>;
