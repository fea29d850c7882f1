//! Who complains, wants no more, or is gone for good is not written to again.
//!
//! `allow = ["log", "suppression:news"]`, `edit = ["headers"]`

use mailwright_plugin::suppression::{Reason, Scope};
use mailwright_plugin::{
    Address, Config, Fault, Feedback, FeedbackKind, Outcome, Reply, Sending, delivery, log, message,
};

/// The list, and where complaints count.
#[derive(Debug, Config)]
pub struct Config {
    /// The scope of the suppression list; the plugin must be granted it.
    #[config(default = "news", length = 1..=64)]
    pub scope: String,
}

/// Keeps the list.
#[derive(Debug)]
pub struct Returns {
    scope: String,
}

#[mailwright_plugin::plugin]
impl Returns {
    fn configure(config: Config) -> Self {
        Self { scope: config.scope }
    }

    /// What came back by mail, hours or months later. It may be told twice: an address that is on the list keeps its reason.
    fn on_feedback(&mut self, feedback: &Feedback) {
        let why = match &feedback.kind {
            FeedbackKind::Unsubscribe => Reason::Unsubscribe,
            FeedbackKind::Complaint(what) if what != "not-spam" => Reason::Complaint,
            FeedbackKind::Bounce(bounce) if bounce.status.class == 5 => Reason::HardBounce,
            FeedbackKind::Complaint(_) | FeedbackKind::Bounce(_) => return,
        };
        self.add(&feedback.recipient, why);
    }

    /// What the next hop said at once.
    fn on_outcome(&mut self, outcome: &Outcome) {
        // 5.1.x is about the address (RFC 3463 3.2); other refusals may be about the message.
        if let Outcome::Bounced(Reply { enhanced: Some(status), .. }) = outcome
            && status.subject == 1
            && let Ok(recipient) = delivery::recipient()
        {
            self.add(&recipient, Reason::HardBounce);
        }
    }

    fn on_pre_send(&mut self) -> Result<Sending, Fault> {
        if let Some(why) = Scope(&self.scope).contains(&delivery::recipient()?)? {
            return Ok(Sending::Discard(format!("the recipient is on the list {}: {why:?}", self.scope)));
        }
        if let Some(uri) = delivery::unsubscribe_uri()? {
            message::add_header("List-Unsubscribe", &format!("<{uri}>"))?;
        }
        Ok(Sending::Next)
    }
}

impl Returns {
    fn add(&self, who: &Address, why: Reason) {
        if let Err(error) = Scope(&self.scope).add(who, why) {
            log!(Error, "{who} could not be added: {error:?}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::Bounce;
    use mailwright_plugin::testing::{Message, delivery, feedback, scene};

    fn plugin() -> Returns {
        scene(|scene| {
            scene.message = Some(Message::default());
            scene.unsubscribe_uri = Some("mailto:u-1@bounces.example?subject=unsubscribe%201".to_owned());
        });
        Returns::configure(Config { scope: "news".to_owned() })
    }

    fn sent(plugin: &mut Returns, to: &str) -> Sending {
        scene(|scene| scene.delivery = Some(delivery(to)));
        plugin.on_pre_send().expect("the scene grants it")
    }

    #[test]
    fn who_complains_or_is_gone_is_not_written_to_again() {
        let mut plugin = plugin();
        assert_eq!(sent(&mut plugin, "ann@a.test"), Sending::Next);
        plugin.on_feedback(&feedback(FeedbackKind::Complaint("abuse".to_owned()), "ann@a.test"));
        plugin.on_feedback(&feedback(FeedbackKind::Bounce(Bounce::new(5, 1, 1)), "bob@a.test"));
        plugin.on_feedback(&feedback(FeedbackKind::Unsubscribe, "cat@a.test"));
        plugin.on_feedback(&feedback(FeedbackKind::Bounce(Bounce::new(4, 4, 7)), "dan@a.test"));
        plugin.on_feedback(&feedback(FeedbackKind::Complaint("not-spam".to_owned()), "eve@a.test"));
        for (to, gone) in [("ann", true), ("bob", true), ("cat", true), ("dan", false), ("eve", false)] {
            let sending = sent(&mut plugin, &format!("{to}@a.test"));
            assert_eq!(matches!(sending, Sending::Discard(_)), gone, "{to}");
        }
    }

    #[test]
    fn what_goes_out_says_how_to_get_no_more() {
        let mut plugin = plugin();
        assert_eq!(sent(&mut plugin, "ann@a.test"), Sending::Next);
        let headers = scene(|scene| scene.message.as_ref().map(|message| message.headers.clone()));
        let wanted = ("List-Unsubscribe".to_owned(), "<mailto:u-1@bounces.example?subject=unsubscribe%201>".to_owned());
        assert_eq!(headers, Some(vec![wanted]));
    }

    #[test]
    fn a_refusal_of_the_address_counts_and_one_of_the_message_does_not() {
        let mut plugin = plugin();
        for (to, subject) in [("ann@a.test", 1), ("bob@a.test", 7)] {
            scene(|scene| scene.delivery = Some(delivery(to)));
            plugin.on_outcome(&Outcome::Bounced(Reply::reject("no").status(5, subject, 1)));
        }
        assert!(matches!(sent(&mut plugin, "ann@a.test"), Sending::Discard(_)));
        assert_eq!(sent(&mut plugin, "bob@a.test"), Sending::Next);
    }
}
