//! Mail of the plugin's own, put into the queue as if it had come in; needs the grant `submit`.
//!
//! The hook waits until the message is durable, and that counts against its wall time. A message that was sent stays
//! sent, also when the hook fails later.

use super::super::backend;
use crate::Address;

pub use crate::bindings::mailwright::plugin::submit::Error;

/// Queues a message; its queue id. `raw` is the header section, an empty line and the body; lines may end with LF or CRLF.
/// It must have a field `From`; `Date` and `Message-ID` are added where they are missing. Without a sender nobody is told
/// when it can't be delivered.
///
/// # Errors
/// `NotPermitted` in hooks of the envelope, where there is no message yet, and for a message that plugins sent because of
/// a message that plugins sent, and so on; `Quota` beyond the operator's limits; `Invalid` with words for a message that
/// could not be sent as it is; `Unavailable` when the spool takes nothing now.
pub fn send(sender: Option<&Address>, to: &[Address], raw: &[u8]) -> Result<String, Error> {
    backend::submit::send(sender, to, raw)
}
