//! Offer: a complete message that policy let in and that is not yet durable.

use super::entry::Entry;
use crate::base::mail::content::Content;
use bytes::Bytes;

/// A message to be made durable.
#[derive(Debug)]
pub struct Offer {
    /// Everything but the content; `progress` is fresh or held.
    pub entry: Entry,
    /// The octets.
    pub content: OfferedContent,
}

/// Where an offered message's octets are.
#[derive(Debug)]
pub enum OfferedContent {
    /// In memory, header section first.
    Memory(Bytes),
    /// Streamed to the store while it arrived, under the entry's id; held here, for without a holder it is removed.
    Blob(Content),
    /// Put together by policy out of what arrived and of what is new; written out by the spool. A blob of the entry's
    /// id that it reads from is replaced.
    Composed(Content),
}
