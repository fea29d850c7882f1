//! List mail that can be unsubscribed from, as mailbox providers want it since 2024 and the laws for longer.
//!
//! Each recipient's copy says where to unsubscribe (RFC 2369, RFC 8058), with a link that is good for this recipient and
//! list alone. Who used it, complained, or is no more, is on suppression lists, and is not written to again.

mod api;
mod bounces;
pub mod config;
mod fields;
mod lists;
mod public;
#[cfg(test)]
mod tests;
mod token;

pub use config::Config;
pub use public::texts::Texts;

use api::Api;
use bounces::{Bounced, of_status};
use config::{List, Suppressed};
use lists::Lists;
use mailwright_plugin::kv::Bucket;
use mailwright_plugin::setup::OutcomeKind;
use mailwright_plugin::suppression::{Error, Reason, Scope};
use mailwright_plugin::web::{Request, Response};
use mailwright_plugin::{
    Address, Fault, Feedback, FeedbackKind, Gate, Outcome, Rcpt, Reply, Sending, delivery, log, message, metrics,
    secrets, session, setup,
};
use public::{By, Wish};
use token::Subscription;

/// The plugin.
#[derive(Debug)]
pub struct Unsubscribe {
    config: Config,
    lists: Lists,
    /// At RCPT something may be known, and is to be said.
    at_rcpt: bool,
}

#[mailwright_plugin::plugin]
impl Unsubscribe {
    fn configure(config: Config) -> Result<Self, Fault> {
        let mut config = config.checked()?;
        let lists = Lists::new(std::mem::take(&mut config.lists));
        let at_rcpt = lists.by_envelope() && config.suppressed == Suppressed::Refuse;
        if !at_rcpt {
            setup::skip(&[setup::Hook::Rcpt]);
        }
        setup::skip_outcomes(&[OutcomeKind::Delivered, OutcomeKind::Deferred, OutcomeKind::Cancelled]);
        Ok(Self { config, lists, at_rcpt })
    }

    /// What the configuration needs and the operator did not grant is told now, and not when somebody unsubscribes.
    fn self_test(&mut self) -> Result<(), String> {
        let ungranted = |word: &str, name: &str| Err(["add \"", word, ":", name, "\" to its `allow`"].concat());
        if let Some(key) = self.config.keys.iter().find(|key| secrets::hmac_sha256(key, b"").is_none()) {
            return ungranted("hmac", key);
        }
        let nobody = Address::new("nobody", "example.invalid");
        let missing = |scope: &&str| Scope(scope).contains(&nobody) == Err(Error::NotPermitted);
        if let Some(scope) = self.scopes().iter().find(|scope| missing(scope)) {
            return ungranted("suppression", scope);
        }
        match Bucket(&self.config.soft_bounces_bucket).get("") {
            Ok(_) => Ok(()),
            Err(_) => ungranted("kv", &self.config.soft_bounces_bucket),
        }
    }

    /// Says no to the application that injects mail, where it is known already which list it is.
    fn on_rcpt(&mut self, rcpt: &Rcpt) -> Result<Gate, Fault> {
        if !self.at_rcpt {
            return Ok(Gate::Next);
        }
        let tenant = || Ok(session::current()?.tenant);
        let Some(list) = self.lists.at_rcpt(rcpt.sender.as_ref(), tenant)? else { return Ok(Gate::Next) };
        Ok(match self.suppressed(list, &rcpt.to)? {
            Some(why) => Gate::Reject(refusal("rcpt", list, why)),
            None => Gate::Next,
        })
    }

    /// The last look, and the fields that this recipient gets.
    fn on_pre_send(&mut self) -> Result<Sending, Fault> {
        let attempt = delivery::current()?;
        let Some(list) = self.lists.of_message(&attempt)? else { return Ok(Sending::Next) };
        if let Some(why) = self.suppressed(list, &attempt.recipient)? {
            return Ok(match self.config.suppressed {
                Suppressed::Refuse => Sending::Fail(refusal("send", list, why)),
                Suppressed::Drop => {
                    counted("dropped", list, why);
                    Sending::Discard(words(list, why))
                }
            });
        }
        if !list.transactional {
            let who = Subscription { tenant: attempt.tenant, list: list.name.clone(), recipient: attempt.recipient };
            let token = token::made(&self.config.keys, &who)
                .ok_or_else(|| Fault::Unavailable("the key that signs links is not granted".to_owned()))?;
            fields::stamp(list, &[&self.config.url, "/u/", &token].concat())?;
        }
        Ok(Sending::Next)
    }

    /// What the next hop said at once, of list mail alone: others may let anybody write to any address.
    fn on_outcome(&mut self, outcome: &Outcome) {
        let bounced = match outcome {
            Outcome::Bounced(reply) => of_status(reply.enhanced.as_ref()),
            Outcome::Expired => Bounced::Soft,
            Outcome::Delivered(_) | Outcome::Deferred(_) | Outcome::Cancelled => return,
        };
        if let Ok(attempt) = delivery::current()
            && let Ok(Some(_)) = self.lists.of_message(&attempt)
        {
            self.bounced(&attempt.recipient, bounced);
        }
    }

    /// What came back by mail, hours or months later, and is tied to what was sent. It may be told twice.
    fn on_feedback(&mut self, feedback: &Feedback) {
        let who = &feedback.recipient;
        match &feedback.kind {
            FeedbackKind::Unsubscribe => self.unsubscribed_by_mail(feedback),
            FeedbackKind::Complaint(what) if what == "not-spam" => {}
            FeedbackKind::Complaint(_) => self.put("complaint", who, Reason::Complaint),
            FeedbackKind::Bounce(bounce) => self.bounced(who, of_status(Some(&bounce.status))),
        }
    }

    fn on_http(&mut self, request: &Request) -> Result<Response, Fault> {
        if let Some(token) = request.path.strip_prefix("/u/") {
            return self.link(request, token);
        }
        match request.path.strip_prefix("/v1/") {
            Some(path) if !self.config.applications.is_empty() => {
                let api = Api { applications: &self.config.applications, scopes: &self.scopes() };
                api.answer(request, path)
            }
            _ => Ok(Response::text(404, "not found\n")),
        }
    }
}

impl Unsubscribe {
    /// Every scope, once. What nobody unsubscribes from has none.
    fn scopes(&self) -> Vec<&str> {
        let mut scopes = vec![self.config.everything.as_str()];
        for list in self.lists.iter().filter(|list| !list.transactional) {
            if !scopes.contains(&list.scope()) {
                scopes.push(list.scope());
            }
        }
        scopes
    }

    /// Why an address gets no mail of a list. From what nobody unsubscribes, addresses that are no more are kept alone.
    ///
    /// # Errors
    /// The lists can't be had, or are not granted.
    fn suppressed(&self, list: &List, who: &Address) -> Result<Option<Reason>, Fault> {
        let everything = self.config.everything.as_str();
        let why = Scope(everything).contains(who)?.filter(|why| !list.transactional || *why == Reason::HardBounce);
        if why.is_some() || list.transactional || list.scope() == everything {
            return Ok(why);
        }
        Ok(Scope(list.scope()).contains(who)?)
    }

    /// A request by mail: its subject names the list, behind the ticket. One that lost it is about everything: its writer
    /// wants no more of something, and can't be asked of what.
    fn unsubscribed_by_mail(&self, feedback: &Feedback) {
        let subject = message::header("Subject").ok().flatten().unwrap_or_default();
        let list = fields::list_in(&subject).and_then(|name| self.lists.named(name));
        let Some(list) = list else { return self.put("unsubscribe", &feedback.recipient, Reason::Unsubscribe) };
        let (tenant, recipient) = (feedback.tenant.clone(), feedback.recipient.clone());
        let who = Subscription { tenant, list: list.name.clone(), recipient };
        if let Err(fault) = self.unsubscribe(list, &who, Wish::List, By::Mail) {
            told("unsubscribed", &who.recipient, &fault);
        }
    }

    fn bounced(&self, who: &Address, bounced: Bounced) {
        match bounced {
            Bounced::Nothing => {}
            Bounced::Hard => self.put("hard-bounce", who, Reason::HardBounce),
            Bounced::Soft => {
                let (bucket, key) = (Bucket(&self.config.soft_bounces_bucket), who.to_string().to_ascii_lowercase());
                let window = u64::try_from(self.config.soft_bounces_window.as_millis()).unwrap_or(u64::MAX);
                match bucket.incr(&key, 1, Some(window)) {
                    Ok(count) if count >= i64::from(self.config.soft_bounces_max) => {
                        self.put("soft-bounces", who, Reason::HardBounce);
                        // It begins anew for who is taken off the list; if this fails, that is in a window's time.
                        let _ = bucket.delete(&key);
                    }
                    Ok(_) => {}
                    Err(error) => told("counted as a soft bounce", who, &error.into()),
                }
            }
        }
    }

    /// Puts an address on the list of everything.
    fn put(&self, what: &str, who: &Address, why: Reason) {
        match Scope(&self.config.everything).add(who, why) {
            Ok(()) => metrics::add("suppressed_total", &[("by", what)], 1),
            Err(error) => told("suppressed", who, &error.into()),
        }
    }
}

/// 550 5.7.1, in words for who sends.
fn refusal(at: &str, list: &List, why: Reason) -> Reply {
    counted(at, list, why);
    Reply::reject(&words(list, why))
}

fn words(list: &List, why: Reason) -> String {
    let what = match why {
        Reason::Unsubscribe => "the recipient has unsubscribed",
        Reason::HardBounce => "mail to this address came back: there is no such mailbox",
        Reason::Complaint => "the recipient has complained",
        Reason::Manual => "the recipient is suppressed",
    };
    [what, " (list ", &list.name, ")"].concat()
}

/// What could not be done to whom, for the operator.
fn told(what: &str, who: &Address, fault: &Fault) {
    let (Fault::Unavailable(why) | Fault::InvalidConfig(why) | Fault::Internal(why)) = fault;
    log!(Error, "{who} could not be {what}: {why}");
}

fn counted(at: &str, list: &List, why: Reason) {
    metrics::add("withheld_total", &[("list", &list.name), ("at", at), ("why", why.word())], 1);
}
