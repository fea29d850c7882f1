//! Refuses mail for mailboxes that the operator names, and stamps every message that is let through.
//!
//! Its configuration is `config = { refuse = ["nobody"] }`; it needs `edit = ["headers"]`.

use mailwright_plugin::{Config, Disposition, Fault, Gate, Rcpt, message};

/// What the operator may set. `mailwright plugin inspect` shows it with these words, and the server checks it.
#[derive(Debug, Config)]
pub struct Config {
    /// Local parts that get no mail.
    #[config(default)]
    pub refuse: Vec<String>,
    /// The header field of the stamp.
    #[config(default = "X-Recipients", length = 1..=76)]
    pub header: String,
}

/// The plugin. Each message finds it as `configure` left it, so `recipients` counts those of one message.
#[derive(Debug)]
pub struct Policy {
    config: Config,
    recipients: u32,
}

#[mailwright_plugin::plugin]
impl Policy {
    fn configure(config: Config) -> Result<Self, Fault> {
        if config.header.contains([' ', ':']) {
            return Err(Fault::InvalidConfig("header: a field's name has no space and no colon".to_owned()));
        }
        Ok(Self { config, recipients: 0 })
    }

    fn on_rcpt(&mut self, rcpt: &Rcpt) -> Gate {
        if self.config.refuse.contains(&rcpt.to.local) {
            return Gate::reject("this mailbox takes no mail");
        }
        self.recipients += 1;
        Gate::Next
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        message::add_header(&self.config.header, &self.recipients.to_string())?;
        Ok(Disposition::Next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::Address;
    use mailwright_plugin::config::from_json;
    use mailwright_plugin::testing::{Message, scene};

    fn policy() -> Policy {
        let config = from_json(r#"{ "refuse": ["nobody"] }"#).expect("it fits");
        Policy::configure(config).expect("the configuration is sound")
    }

    fn rcpt(local: &str) -> Rcpt {
        Rcpt { sender: None, to: Address::new(local, "example.org"), params: Vec::new() }
    }

    #[test]
    fn a_named_mailbox_is_refused_and_others_are_not() {
        assert_eq!(policy().on_rcpt(&rcpt("somebody")), Gate::Next);
        assert!(matches!(policy().on_rcpt(&rcpt("nobody")), Gate::Reject(_)));
    }

    #[test]
    fn the_stamp_counts_the_recipients_that_were_let_through() {
        scene(|scene| scene.message = Some(Message::default()));
        let mut policy = policy();
        for local in ["a", "nobody", "b"] {
            let _ = policy.on_rcpt(&rcpt(local));
        }
        assert_eq!(policy.on_data(), Ok(Disposition::Next));
        let headers = scene(|scene| scene.message.as_ref().map(|message| message.headers.clone()));
        assert_eq!(headers, Some(vec![("X-Recipients".to_owned(), "2".to_owned())]));
    }

    #[test]
    fn a_stamp_whose_name_is_none_is_refused() {
        let refused = Policy::configure(Config { refuse: Vec::new(), header: "X Recipients".to_owned() });
        assert!(matches!(refused, Err(Fault::InvalidConfig(_))), "{refused:?}");
    }
}
