//! What a call is about, asked of the server once and only where a rule wants to know.

use crate::zone::Zones;
use mailwright_plugin::{Address, Fault, delivery, message};

/// The recipient and its message.
pub(crate) struct Scene<'a> {
    pub(crate) delivery: delivery::Info,
    message: Option<message::Info>,
    headers: Vec<(String, Option<String>)>,
    zones: &'a Zones,
    zone: Option<String>,
}

impl<'a> Scene<'a> {
    /// Of the running call.
    pub(crate) fn new(zones: &'a Zones) -> Result<Self, Fault> {
        Ok(Self { delivery: delivery::current()?, message: None, headers: Vec::new(), zones, zone: None })
    }

    fn message(&mut self) -> Result<&message::Info, Fault> {
        Ok(match &mut self.message {
            Some(message) => message,
            none => none.insert(message::current()?),
        })
    }

    /// The reverse path.
    pub(crate) fn sender(&mut self) -> Result<Option<&Address>, Fault> {
        Ok(self.message()?.sender.as_ref())
    }

    /// Octets of the message.
    pub(crate) fn size(&mut self) -> Result<u64, Fault> {
        Ok(self.message()?.size)
    }

    /// The first field of that name.
    pub(crate) fn header(&mut self, name: &str) -> Result<Option<&str>, Fault> {
        let at = match self.headers.iter().position(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some(at) => at,
            None => {
                self.headers.push((name.to_owned(), message::header(name)?));
                self.headers.len() - 1
            }
        };
        Ok(self.headers[at].1.as_deref())
    }

    /// The time zone in which the recipient is.
    pub(crate) fn zone(&mut self) -> Result<&str, Fault> {
        Ok(match &mut self.zone {
            Some(zone) => zone,
            none => none.insert(self.zones.of(&self.delivery.recipient)?),
        })
    }
}
