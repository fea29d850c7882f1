//! What is to be sent in one transaction, and what of it the remote can take.

use super::replies;
use crate::base::flow::entry::Entry;
use crate::base::mail::address::Address;
use crate::base::mail::content::Body;
use crate::base::mail::envelope::{BodyType, Recipient};
use crate::base::mail::render::Rendered;
use crate::base::smtp::command::Mail;
use crate::base::smtp::ehlo::Capabilities;
use crate::base::smtp::reply::Reply;
use std::borrow::Cow;
use std::sync::Arc;

/// One message for some of its recipients.
#[derive(Clone, Debug)]
pub struct Message {
    /// The envelope, among other things.
    pub entry: Arc<Entry>,
    /// Where reports about it go; none: to its sender.
    pub reverse_path: Option<Address>,
    /// Indices of the recipients; all of them exist.
    pub recipients: Vec<u32>,
    /// The octets.
    pub rendered: Rendered,
    /// Whether a stored body has 8-bit octets, once somebody has looked; [`must_look`](Self::must_look) says when
    /// somebody must. Bodies in memory are looked at here.
    pub stored_is_8bit: Option<bool>,
}

impl Message {
    /// Whether the stored body must be read through before the transaction: the client declared 8-bit content, this
    /// host does not take it, and declarations are often made for plain ASCII.
    #[must_use]
    pub fn must_look(&self, can: &Capabilities) -> bool {
        let stored = matches!(self.rendered.body, Body::Stored { .. });
        stored && self.lacks_8bitmime(can) && self.stored_is_8bit.is_none()
    }

    fn lacks_8bitmime(&self, can: &Capabilities) -> bool {
        self.entry.envelope.body == BodyType::EightBitMime && !can.eight_bit_mime
    }

    /// Why this host can't be given the message at all.
    pub(super) fn obstacle(&self, can: &Capabilities) -> Option<Reply> {
        // RFC 1870 6.1 and 6.2: a message above the limit is not begun.
        if can.size_bytes_max.is_some_and(|max| self.rendered.size_bytes() > max) {
            return Some(replies::TOO_LARGE);
        }
        // RFC 3030 3: BINARYMIME goes by BDAT alone, to a host that offers both.
        if self.is_binary() && !(can.binary_mime && can.chunking) {
            return Some(replies::NEEDS_BINARYMIME);
        }
        if self.lacks_8bitmime(can) && self.is_8bit() {
            return Some(replies::NEEDS_8BITMIME);
        }
        if self.entry.envelope.smtputf8 && !can.smtputf8 {
            if !self.is_head_ascii() {
                return Some(replies::NEEDS_SMTPUTF8_FOR_HEADER);
            }
            let sender = self.sender();
            if sender.is_some_and(|sender| !sender.is_ascii() && sender.to_ascii().is_none()) {
                return Some(replies::NEEDS_SMTPUTF8);
            }
        }
        None
    }

    /// Whether the recipient at this place can be written for this host (RFC 6531 3.2).
    pub(super) fn can_name(&self, place: usize, can: &Capabilities) -> bool {
        let address = &self.recipient(place).address;
        can.smtputf8 || address.is_ascii() || address.to_ascii().is_some()
    }

    /// What MAIL names (RFC 5321 4.1.1.2).
    fn sender(&self) -> Option<&Address> {
        self.reverse_path.as_ref().or(self.entry.envelope.sender.as_ref())
    }

    fn is_8bit(&self) -> bool {
        let head_is_8bit = self.rendered.head.iter().any(|piece| !piece.is_ascii());
        head_is_8bit
            || match &self.rendered.body {
                Body::Memory(octets) => !octets.is_ascii(),
                // Not looked at: the declaration is believed.
                Body::Stored { .. } => self.stored_is_8bit.unwrap_or(true),
            }
    }

    fn is_head_ascii(&self) -> bool {
        self.rendered.head.iter().all(|piece| piece.is_ascii())
    }

    /// The content has no line structure.
    pub(super) fn is_binary(&self) -> bool {
        self.entry.envelope.body == BodyType::BinaryMime
    }

    /// RFC 6531 3.4: asked for only where something needs it, for a server that hands the message on may meet one
    /// that can't.
    fn needs_utf8(&self) -> bool {
        let envelope = &self.entry.envelope;
        let ascii = self.sender().is_none_or(Address::is_ascii)
            && (0..self.recipients.len()).all(|place| self.recipient(place).address.is_ascii());
        !ascii || (envelope.smtputf8 && !self.is_head_ascii())
    }

    /// MAIL with what the host offers to understand.
    pub(super) fn mail(&self, can: &Capabilities) -> Mail {
        let envelope = &self.entry.envelope;
        let body = match envelope.body {
            BodyType::SevenBit => None,
            BodyType::EightBitMime => can.eight_bit_mime.then_some(BodyType::EightBitMime),
            BodyType::BinaryMime => Some(BodyType::BinaryMime),
        };
        let sender = self.sender();
        Mail {
            sender: sender.map(|sender| if can.smtputf8 { sender.clone() } else { ascii(sender) }),
            size: can.size.then(|| self.rendered.size_bytes()),
            body,
            smtputf8: can.smtputf8 && self.needs_utf8(),
            ret: envelope.ret.filter(|_| can.dsn),
            envid: envelope.envid.clone().filter(|_| can.dsn),
            auth: false,
            // RFC 8689 4.2.1, and 5 for notifications, which go also where it is not announced.
            requiretls: can.requiretls && self.entry.requires_tls(),
        }
    }

    /// RCPT with what the host offers to understand (RFC 3461 5.2.1).
    pub(super) fn rcpt(&self, place: usize, can: &Capabilities) -> Cow<'_, Recipient> {
        let recipient = self.recipient(place);
        let plain = (can.smtputf8 || recipient.address.is_ascii())
            && (can.dsn || (recipient.notify.is_none() && recipient.orcpt.is_none()));
        if plain {
            return Cow::Borrowed(recipient);
        }
        Cow::Owned(Recipient {
            address: if can.smtputf8 { recipient.address.clone() } else { ascii(&recipient.address) },
            notify: recipient.notify.filter(|_| can.dsn),
            orcpt: recipient.orcpt.clone().filter(|_| can.dsn),
        })
    }

    fn recipient(&self, place: usize) -> &Recipient {
        let index = self.recipients.get(place).and_then(|index| usize::try_from(*index).ok());
        let found = index.and_then(|index| self.entry.envelope.recipients.get(index));
        found.expect("the driver keeps only recipients that the entry has")
    }
}

/// With A-labels where that is enough (RFC 6531 3.2); callers know that it is.
fn ascii(address: &Address) -> Address {
    address.to_ascii().unwrap_or_else(|| address.clone())
}
