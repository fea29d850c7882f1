//! The example plugin: looks at every hook and stamps each message with a header.
//!
//! Its configuration is `config = { header = "X-Hello" }`; it needs `allow = ["log"]` and `edit = ["headers"]`.

use mailwright_plugin::{Disposition, Fault, Gate, Rcpt, Sending, delivery, log, message, session};
use serde::Deserialize;

/// What the operator may set.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The header field to add.
    #[serde(default = "default_header")]
    pub header: String,
}

fn default_header() -> String {
    "X-Hello".to_owned()
}

/// One instance lives for one transaction, so `rcpts` counts this message's recipients.
#[derive(Debug)]
pub struct Hello {
    header: String,
    rcpts: u32,
}

#[mailwright_plugin::plugin]
impl Hello {
    fn configure(config: Config) -> Result<Self, Fault> {
        let is_name =
            !config.header.is_empty() && config.header.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':');
        match is_name {
            true => Ok(Self { header: config.header, rcpts: 0 }),
            false => Err(Fault::InvalidConfig(format!("header: {:?} is no field name", config.header))),
        }
    }

    fn on_connect(&mut self) -> Result<Gate, Fault> {
        session::count("connects", 1)?;
        Ok(Gate::Next)
    }

    fn on_rcpt(&mut self, _rcpt: &Rcpt) -> Gate {
        self.rcpts += 1;
        Gate::Next
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        let subject = message::header("Subject")?.map_or(0, |subject| subject.chars().count());
        message::add_header(&self.header, &format!("rcpts={} subject={subject}", self.rcpts))?;
        Ok(Disposition::Next)
    }

    fn on_pre_send(&mut self) -> Result<Sending, Fault> {
        let attempt = delivery::current()?;
        if attempt.attempt > 10 {
            log!(Debug, "attempt {} for {}", attempt.attempt, attempt.recipient);
        }
        Ok(Sending::Next)
    }
}
