//! What we say of an attempt where the remote said nothing that could be passed on.

use super::timer::Timer;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;

/// Whether these are words of ours, and nothing that a remote said.
pub fn are_ours(reply: &Reply) -> bool {
    let all = [
        LOST,
        LOST_AFTER_DOT,
        NO_TLS,
        INJECTED,
        MALFORMED,
        OUT_OF_PLACE,
        TOO_LARGE,
        NEEDS_8BITMIME,
        NEEDS_BINARYMIME,
        NEEDS_SMTPUTF8,
        NEEDS_SMTPUTF8_FOR_HEADER,
    ];
    all.contains(reply) || Timer::ALL.iter().any(|timer| timer.reply() == *reply)
}

/// The remote closed, or the network did (RFC 3463 3.5, X.4.2).
pub(super) const LOST: Reply = Reply::new(451, EnhancedStatus::new(4, 4, 2), "the host closed the connection");

/// The same after the final dot: the remote may have the message or not, and only sending it again is safe (RFC 1047).
pub(super) const LOST_AFTER_DOT: Reply = Reply::new(
    451,
    EnhancedStatus::new(4, 4, 2),
    "the connection was lost before the host said whether it has the message: it may come twice",
);

/// TLS is required and not offered (RFC 3463 3.8, X.7.4).
pub(super) const NO_TLS: Reply =
    Reply::new(451, EnhancedStatus::new(4, 7, 4), "TLS is required, and the host does not offer STARTTLS");

/// Whoever is between us put words behind the answer to STARTTLS, to be taken for the host's (RFC 3463 3.8, X.7.5).
pub(super) const INJECTED: Reply =
    Reply::new(451, EnhancedStatus::new(4, 7, 5), "octets in clear came behind the answer to STARTTLS");

/// The remote does not speak SMTP (RFC 3463 3.6, X.5.0).
pub(super) const MALFORMED: Reply =
    Reply::new(451, EnhancedStatus::new(4, 5, 0), "the host answered with something that is no reply");

/// A well-formed reply that means nothing here, as 250 to DATA (RFC 3463 3.6, X.5.0).
pub(super) const OUT_OF_PLACE: Reply =
    Reply::new(451, EnhancedStatus::new(4, 5, 0), "the host answered with a reply that does not fit the command");

/// RFC 1870 6.1: larger than the limit that the host announced.
pub(super) const TOO_LARGE: Reply =
    Reply::new(552, EnhancedStatus::new(5, 3, 4), "the message is larger than the host takes");

/// RFC 6152 3 leaves conversion or this; we don't convert, for that would break every signature over the content.
pub(super) const NEEDS_8BITMIME: Reply =
    Reply::new(554, EnhancedStatus::new(5, 6, 3), "the content has 8-bit octets and the host does not offer 8BITMIME");

/// RFC 3030 3, the same for BINARYMIME.
pub(super) const NEEDS_BINARYMIME: Reply =
    Reply::new(554, EnhancedStatus::new(5, 6, 3), "the content is binary and the host does not offer BINARYMIME");

/// RFC 6531 3.2 and 3.5: an address that can't be written without SMTPUTF8.
pub(super) const NEEDS_SMTPUTF8: Reply =
    Reply::new(550, EnhancedStatus::new(5, 6, 7), "an address is not ASCII and the host does not offer SMTPUTF8");

/// RFC 6531 3.2 and 4.4.3 (X.6.9): a header section in UTF-8.
pub(super) const NEEDS_SMTPUTF8_FOR_HEADER: Reply =
    Reply::new(550, EnhancedStatus::new(5, 6, 9), "the header is not ASCII and the host does not offer SMTPUTF8");
