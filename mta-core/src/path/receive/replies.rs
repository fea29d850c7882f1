//! What the server says, each sentence once.

use crate::base::fault::SpoolFault;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;

const fn reply(code: u16, status: [u8; 3], text: &'static str) -> Reply {
    Reply::new(code, EnhancedStatus::new(status[0], status[1] as u16, status[2] as u16), text)
}

// RFC 5321 4.2.3 and 4.3.2 for the codes, RFC 3463 3 for the statuses.
pub(super) const OK: Reply = reply(250, [2, 0, 0], "ok");
pub(super) const SENDER_OK: Reply = reply(250, [2, 1, 0], "sender ok");
pub(super) const RECIPIENT_OK: Reply = reply(250, [2, 1, 5], "recipient ok");
pub(super) const DISCARDED: Reply = reply(250, [2, 0, 0], "ok");
pub(super) const HELP: Reply = reply(214, [2, 0, 0], "see RFC 5321");
pub(super) const CANNOT_VERIFY: Reply = reply(252, [2, 0, 0], "cannot verify, but will accept and try to deliver");
pub(super) const BYE: Reply = reply(221, [2, 0, 0], "bye");

// RFC 2033 4.1.
pub(super) const OF_SMTP: Reply = reply(500, [5, 5, 1], "this is LMTP: send LHLO");
pub(super) const OF_LMTP: Reply = reply(500, [5, 5, 1], "command not recognized");
pub(super) const NOT_IMPLEMENTED: Reply = reply(502, [5, 5, 1], "command not implemented");
// RFC 5321 4.5.3.1.9.
pub(super) const LINE_TOO_LONG: Reply = reply(500, [5, 5, 2], "line too long");
// RFC 5321 2.3.8.
pub(super) const BARE_LINE_END: Reply = reply(500, [5, 5, 2], "only CRLF ends a line");

// RFC 5321 4.1.4.
pub(super) const HELLO_FIRST: Reply = reply(503, [5, 5, 1], "send EHLO or HELO first");
pub(super) const LHLO_FIRST: Reply = reply(503, [5, 5, 1], "send LHLO first");
pub(super) const MAIL_FIRST: Reply = reply(503, [5, 5, 1], "send MAIL first");
pub(super) const RCPT_FIRST: Reply = reply(503, [5, 5, 1], "send RCPT first");
pub(super) const NESTED_MAIL: Reply = reply(503, [5, 5, 1], "a transaction is under way");
pub(super) const NO_RECIPIENTS: Reply = reply(554, [5, 5, 1], "no valid recipients");
pub(super) const PARAMETERS_NEED_EHLO: Reply = reply(555, [5, 5, 4], "parameters need EHLO");
// RFC 3030 2 and 3.
pub(super) const CHUNKS_BEGUN: Reply = reply(503, [5, 5, 1], "content has begun with BDAT");
pub(super) const BINARY_NEEDS_BDAT: Reply = reply(503, [5, 5, 1], "BODY=BINARYMIME needs BDAT");

// Postfix's XCLIENT_README names the codes.
pub(super) const NOT_TRUSTED: Reply = reply(550, [5, 7, 0], "you may not speak for others");
pub(super) const UNKNOWN_LOGIN: Reply = reply(550, [5, 7, 0], "LOGIN names no user of this server");

// RFC 3207 4 and 4.1.
pub(super) const BEGIN_TLS: Reply = reply(220, [2, 0, 0], "begin TLS now");
pub(super) const TLS_FIRST: Reply = reply(530, [5, 7, 0], "send STARTTLS first");
pub(super) const TLS_UNDER_WAY: Reply = reply(503, [5, 5, 1], "TLS is under way already");
pub(super) const TLS_NOT_NOW: Reply = reply(454, [4, 7, 0], "TLS is not available now");
pub(super) const TLS_LAST: Reply = reply(503, [5, 5, 1], "nothing may follow STARTTLS before the handshake");
// RFC 8689 2: the parameter is there inside TLS alone, and elsewhere none that we know (RFC 5321 4.1.1.11).
pub(super) const REQUIRETLS_NEEDS_TLS: Reply = reply(555, [5, 5, 4], "REQUIRETLS is there inside TLS alone");
// RFC 4954 6.
pub(super) const AUTHENTICATION_REQUIRED: Reply = reply(530, [5, 7, 0], "authentication required");
// RFC 4954 4 and, for the statuses, RFC 4954 6.
pub(super) const AUTHENTICATED: Reply = reply(235, [2, 7, 0], "authentication succeeded");
pub(super) const WRONG_CREDENTIALS: Reply = reply(535, [5, 7, 8], "authentication credentials invalid");
pub(super) const AUTH_LATER: Reply = reply(454, [4, 7, 0], "temporary authentication failure, try again later");
pub(super) const AUTH_CANCELLED: Reply = reply(501, [5, 7, 0], "authentication cancelled");
pub(super) const AUTH_MALFORMED: Reply = reply(501, [5, 5, 2], "malformed authentication response");
pub(super) const AUTH_LINE_TOO_LONG: Reply = reply(500, [5, 5, 6], "authentication exchange line is too long");
pub(super) const AUTH_TWICE: Reply = reply(503, [5, 5, 1], "already authenticated");
pub(super) const AUTH_IN_TRANSACTION: Reply = reply(503, [5, 5, 1], "AUTH is not allowed in a transaction");
pub(super) const UNKNOWN_MECHANISM: Reply = reply(504, [5, 5, 4], "unrecognized authentication mechanism");
pub(super) const AUTH_NEEDS_TLS: Reply = reply(538, [5, 7, 11], "encryption required for authentication");
pub(super) const AUTH_NOT_OFFERED: Reply = reply(555, [5, 5, 4], "AUTH is not offered");
pub(super) const TOO_MANY_AUTH_FAILURES: Reply = reply(421, [4, 7, 0], "too many authentication failures");
// RFC 6409 6.1.
pub(super) const SENDER_NOT_YOURS: Reply = reply(550, [5, 7, 1], "you may not send as this address");
pub(super) const FROM_NOT_YOURS: Reply = reply(550, [5, 7, 1], "the From field names an address that is not yours");

// RFC 5321 7.1 and 3.6.2.
pub(super) const RELAY_DENIED: Reply = reply(550, [5, 7, 1], "relaying denied");
// RFC 3463 3.2.
pub(super) const NO_SUCH_ADDRESS: Reply = reply(550, [5, 1, 1], "no such address here");
// RFC 5321 4.5.3.1.10.
pub(super) const TOO_MANY_RECIPIENTS: Reply = reply(452, [4, 5, 3], "too many recipients");
// A message belongs to one tenant, whose plugins decide on all of it. RFC 5321 4.5.3.1.10: a client that is told 452
// sends what is left in another transaction.
pub(super) const ANOTHER_TENANT: Reply =
    reply(452, [4, 5, 3], "please send to this recipient in a transaction of its own");
// RFC 1870 6.1.
pub(super) const TOO_LARGE: Reply = reply(552, [5, 3, 4], "message too large");
pub(super) const HEADER_TOO_LARGE: Reply = reply(552, [5, 3, 4], "header section too large");
// RFC 5321 6.3, RFC 3463 3.5.
pub(super) const LOOP: Reply = reply(554, [5, 4, 6], "too many hops, this message is looping");
// RFC 5321 2.3.8 forbids to send it and names no code; 554 is what DATA answers when the transaction fails for good
// (4.3.2), and RFC 3463 3.7's media status says that the content is why.
pub(super) const BARE_IN_CONTENT: Reply = reply(554, [5, 6, 0], "content has a CR or LF that is not part of CRLF");

pub(super) const DISK_LOW: Reply = reply(452, [4, 3, 1], "not enough storage, try again later");
pub(super) const STORE_FAILING: Reply = reply(451, [4, 3, 0], "storage failure, try again later");

// RFC 5321 3.8 and 4.3.2: 421 may answer anything, and the connection is closed behind it.
pub(super) const GOING_DOWN: Reply = reply(421, [4, 3, 2], "service is shutting down");
pub(super) const TIMEOUT: Reply = reply(421, [4, 4, 2], "timeout");
pub(super) const SESSION_TOO_LONG: Reply = reply(421, [4, 4, 2], "session took too long");
pub(super) const TOO_MANY_ERRORS: Reply = reply(421, [4, 7, 0], "too many errors");
pub(super) const TOO_MANY_COMMANDS: Reply = reply(421, [4, 7, 0], "too many commands");
pub(super) const TOO_MANY_MESSAGES: Reply = reply(421, [4, 7, 0], "too many messages in this session");
pub(super) const SERVER_FULL: Reply = reply(421, [4, 3, 2], "too many sessions, try again later");
pub(super) const PEER_FULL: Reply = reply(421, [4, 7, 0], "too many sessions from your address");

// RFC 5321 4.1.1.4; 354 has no status (RFC 2034 4).
pub(super) const GO_AHEAD: &[u8] = b"354 end with CRLF.CRLF\r\n";

/// What a fault of the spool means for the client.
pub(super) fn of_fault(fault: &SpoolFault) -> Reply {
    match fault {
        SpoolFault::DiskFull => DISK_LOW,
        SpoolFault::Store(_) | SpoolFault::Damaged(_) => STORE_FAILING,
        SpoolFault::Closing => GOING_DOWN,
    }
}
