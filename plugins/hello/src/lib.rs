//! The example plugin: looks at every hook and stamps each message with a header.
//!
//! Its configuration is `config = { header = "X-Hello" }`; it needs `allow = ["log"]` and `edit = ["headers"]`.

use mailwright_plugin::{Config, Disposition, Fault, Gate, Rcpt, Sending, delivery, log, message, session};

/// What the operator may set.
#[derive(Debug, Config)]
pub struct Config {
    /// The header field to add.
    #[config(default = "X-Hello", length = 1..=76)]
    pub header: String,
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
        match config.header.bytes().all(|octet| octet.is_ascii_graphic() && octet != b':') {
            true => Ok(Self { header: config.header, rcpts: 0 }),
            false => Err(Fault::InvalidConfig(format!("header: \"{}\" is no field name", config.header))),
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
        let attempt = delivery::attempt()?;
        if attempt > 10 {
            log!(Debug, "attempt {attempt} for {}", delivery::recipient()?);
        }
        Ok(Sending::Next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::{self, Message, scene};
    use mailwright_plugin::{Address, session::Note};

    fn hello() -> Hello {
        Hello::configure(from_json("{}").expect("it has a default")).expect("a field name")
    }

    #[test]
    fn it_stamps_the_message_with_what_it_counted() {
        scene(|scene| {
            let headers = vec![("Subject".to_owned(), "Hello, world".to_owned())];
            scene.message = Some(Message { headers, ..Message::default() });
        });
        let mut hello = hello();
        let rcpt = Rcpt { sender: None, to: Address::new("a", "example.net"), params: Vec::new() };
        assert_eq!((hello.on_rcpt(&rcpt), hello.on_rcpt(&rcpt)), (Gate::Next, Gate::Next));
        assert_eq!(hello.on_data(), Ok(Disposition::Next));
        let stamped = scene(|scene| scene.message.as_ref().and_then(|message| message.headers.first().cloned()));
        assert_eq!(stamped, Some(("X-Hello".to_owned(), "rcpts=2 subject=12".to_owned())));
    }

    #[test]
    fn it_counts_connections_in_the_sessions_notes() {
        assert_eq!(hello().on_connect(), Err(Fault::Internal("session: not-here".to_owned())));
        scene(|scene| scene.session = Some(testing::session("192.0.2.1")));
        assert_eq!(hello().on_connect(), Ok(Gate::Next));
        assert_eq!(scene(|scene| scene.notes.get("connects").cloned()), Some(Note::Number(1)));
    }

    #[test]
    fn a_header_that_is_none_is_refused() {
        let refused = Hello::configure(Config { header: "X Hello".to_owned() });
        assert!(matches!(refused, Err(Fault::InvalidConfig(_))), "{refused:?}");
    }
}
