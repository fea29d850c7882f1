//! The driver of deliver: asks policy, looks hosts up, keeps connections, and reports.

mod connection;
mod connections;
mod parts;
mod requirement;
mod told;
mod transport;
mod way;

use super::copies;
use super::maildir;
use crate::base::event::Event;
use crate::base::fault::Scope;
use crate::base::flow::Answer;
use crate::base::flow::attempt::Outgoing;
use crate::base::flow::attempt::{Attempt, Deliver, NextHop};
use crate::base::flow::policy::{Hook, SendVerdict, Sending, Sendout};
use crate::base::flow::report::{Copy, Outcome, Report};
use crate::base::mail::content::Content;
use crate::base::mail::edits::{Edits, HeaderEdit};
use crate::base::mail::header;
use crate::base::mail::render::{Rendered, render};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::Config;
use connections::Connections;
use futures_util::future::join;
pub use parts::Parts;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use transport::{Carried, Transport};

/// How often idle connections are looked through, at most.
const SWEEP_MIN: Duration = Duration::from_millis(250);

/// RFC 3463 3.5 (X.4.4).
const NOWHERE: Reply = Reply::new(550, EnhancedStatus::new(5, 4, 4), "there is no way to this recipient");

/// RFC 3463 3.8 (X.7.5).
const UNSIGNED: Reply = Reply::new(451, EnhancedStatus::new(4, 7, 5), "the message can't be signed now");

/// An attempt without a way is a bug of the queue, and no reason to lose mail.
const UNPLACED: Reply = Reply::new(451, EnhancedStatus::new(4, 3, 0), "the way of this recipient is not known yet");

/// The deliver stage.
pub struct Deliverer {
    parts: Parts,
    connections: Connections,
}

impl Deliverer {
    /// A stage without connections. It needs [`sweep`](Self::sweep) to run beside it.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let idle_connections_max = parts.config.borrow().delivery.attempts_max;
        let connections = Connections::new(idle_connections_max, Arc::clone(&parts.clock));
        Self { parts, connections }
    }

    /// Closes connections that nobody has used for `connection_idle`, and keeps fresh what domains promise; runs until it
    /// is dropped.
    pub async fn sweep(&self) {
        join(self.close_due(), self.parts.promises.refresh()).await;
    }

    async fn close_due(&self) {
        loop {
            let wait = (self.parts.config.borrow().delivery.connection_idle / 2).max(SWEEP_MIN);
            self.parts.clock.sleep_until(self.parts.clock.now().mono + wait).await;
            self.connections.sweep();
        }
    }

    async fn make(&self, attempt: Attempt) -> Report {
        let began = self.parts.clock.now().mono;
        let config = Arc::clone(&self.parts.config.borrow());
        let mut whole = Carried::default();
        let copies = match &*attempt.hop {
            // Nobody is asked about an attempt that can't be made. The operator mends the configuration, or has policy
            // asked anew.
            NextHop::Missing(what) => {
                let reason = format!("the configuration has no {what}, by which policy sent it");
                let held = |recipient: &u32| (*recipient, Outcome::Held(None, reason.as_str().into()));
                whole.outcomes.extend(attempt.recipients.iter().map(held));
                Vec::new()
            }
            _ => self.ask(&config, &attempt, &mut whole.outcomes).await,
        };
        for copy in self.follow(&config, &attempt, copies) {
            let carried = self.carry(&config, &attempt, copy).await;
            whole.outcomes.extend(carried.outcomes);
            whole.said_by.extend(carried.said_by);
            whole.remote = carried.remote.or(whole.remote);
            whole.tls = carried.tls.or(whole.tls);
            whole.trouble = whole.trouble.max(carried.trouble);
        }
        Report {
            id: attempt.entry.id,
            outcomes: whole.outcomes,
            remote: whole.remote.map(|remote| (*remote).into()),
            said_by: whole.said_by,
            tls: whole.tls,
            took: self.parts.clock.now().mono.saturating_duration_since(began),
            trouble: whole.trouble,
        }
    }

    /// `on-pre-send` for each recipient: those that may go, in groups whose copies are alike.
    async fn ask(&self, config: &Config, attempt: &Attempt, outcomes: &mut Vec<(u32, Outcome)>) -> Vec<Copy> {
        if !self.parts.policy.has(Hook::PreSend) {
            let recipients = attempt.recipients.to_vec();
            return vec![Copy { edits: Edits::default(), body: None, reverse_path: None, recipients }];
        }
        let site = attempt.hop.to_string();
        let mut going = Vec::with_capacity(attempt.recipients.len());
        for recipient in attempt.recipients.iter().copied() {
            let sendout = Sendout {
                entry: &attempt.entry,
                content: &attempt.content,
                recipient,
                attempt: attempt.number,
                site: &site,
                size_bytes_max: config.limits.message_bytes_max,
            };
            let SendVerdict { sending, plugin, edits, body } = self.parts.policy.pre_send(sendout).await;
            let outcome = match sending {
                Sending::Next => {
                    going.push((recipient, edits, body));
                    continue;
                }
                Sending::Hold(reason) => Outcome::Held(plugin, reason),
                Sending::NotBefore(when) => Outcome::Postponed(when),
                Sending::Fail(reply) if reply.is_permanent() => Outcome::Failed(reply),
                Sending::Fail(reply) => Outcome::Deferred(reply),
                Sending::Discard(reason) => Outcome::Discarded(plugin, reason),
            };
            outcomes.push((recipient, outcome));
        }
        copies::group(going)
    }

    /// What goes out to other servers in the name of senders who are followed leads back here; so does what is forwarded.
    fn follow(&self, config: &Config, attempt: &Attempt, copies: Vec<Copy>) -> Vec<Copy> {
        let leaves = matches!(attempt.hop.target(), NextHop::Mx(_) | NextHop::Smarthost(_));
        match &config.feedback {
            Some(feedback) if leaves && feedback.follows(attempt.entry.envelope.sender.as_ref()) => {
                copies::followed(&copies, &attempt.entry, &self.parts.key, &feedback.domain)
            }
            _ if config.forwards(&attempt.entry, &attempt.hop) => self.rewritten(config, attempt, copies),
            _ => copies,
        }
    }

    /// What is forwarded goes in our name, and its bounces come here.
    fn rewritten(&self, config: &Config, attempt: &Attempt, copies: Vec<Copy>) -> Vec<Copy> {
        let sender = attempt.entry.envelope.sender.as_ref();
        let path = config
            .rewrites(sender)
            .and_then(|srs| self.parts.key.forwarded(sender?, &srs.domain, self.parts.clock.now().wall));
        copies.into_iter().map(|copy| Copy { reverse_path: path.clone(), ..copy }).collect()
    }

    async fn carry(&self, config: &Config, attempt: &Attempt, copy: Copy) -> Carried {
        match attempt.hop.target() {
            NextHop::Mx(_) | NextHop::Smarthost(_) | NextHop::Lmtp(_) => {
                let rendered = match self.rendered(config, attempt, &copy).await {
                    Ok(rendered) => rendered,
                    Err(why) => return self.unsigned(attempt, &copy, &why),
                };
                let promise = Arc::new(self.parts.promises.of(&attempt.hop, config).await);
                // Boxed: the future of a connection is large, and that of a Maildir need not carry it.
                Box::pin(
                    Transport::new(&self.parts, &self.connections, config, attempt, promise, copy, rendered).carry(),
                )
                .await
            }
            NextHop::Maildir(path) => self.file(config, attempt, &copy, path).await,
            NextHop::Nowhere => {
                let outcomes = copy.recipients.iter().map(|recipient| (*recipient, Outcome::Failed(NOWHERE)));
                Carried { outcomes: outcomes.collect(), ..Carried::default() }
            }
            NextHop::From(..) | NextHop::Unplaced | NextHop::Missing(_) | NextHop::Feedback => {
                let outcomes = copy.recipients.iter().map(|recipient| (*recipient, Outcome::Deferred(UNPLACED)));
                Carried { outcomes: outcomes.collect(), ..Carried::default() }
            }
        }
    }

    /// The copy as it goes to another server, signed or sealed where there is a key for it. What stays here is not.
    async fn rendered(&self, config: &Config, attempt: &Attempt, copy: &Copy) -> Result<Rendered, String> {
        let content = content(attempt, copy);
        let mut message = render(&[&attempt.entry.trace], &content, edits(attempt, copy));
        let stays = matches!(attempt.hop.target(), NextHop::Lmtp(_));
        if !stays && self.parts.sign.has_keys() {
            let outgoing = Outgoing {
                entry: &attempt.entry,
                message: &message,
                is_own_body: copy.body.is_none(),
                is_forwarded: config.forwards(&attempt.entry, &attempt.hop),
            };
            let signatures = self.parts.sign.sign(outgoing).await?;
            message.head.insert_many(0, signatures);
        }
        Ok(message)
    }

    /// A message that can't be signed waits: without its signature it would be refused, or taken for a forgery.
    fn unsigned(&self, attempt: &Attempt, copy: &Copy, why: &str) -> Carried {
        self.parts.observe.event(Event::Unsigned { id: attempt.entry.id, why });
        let deferred = |recipient: &u32| (*recipient, Outcome::Deferred(UNSIGNED));
        Carried { outcomes: copy.recipients.iter().map(deferred).collect(), ..Carried::default() }
    }

    /// One file for each recipient.
    async fn file(&self, config: &Config, attempt: &Attempt, copy: &Copy, path: &Path) -> Carried {
        let entry = &*attempt.entry;
        let mut carried = Carried::default();
        let content = content(attempt, copy);
        for index in &copy.recipients {
            let found = usize::try_from(*index).ok().and_then(|index| entry.envelope.recipients.get(index));
            let Some(recipient) = found else { continue };
            let lead = maildir::lead(entry, recipient);
            let message = render(&[&lead, &entry.trace], &content, edits(attempt, copy));
            let name = maildir::file_name(entry, *index, &config.hostname);
            let put = self.parts.maildirs.put(path, name, message, maildir::line_ends(entry)).await;
            let trouble = put.is_err().then_some(Scope::Site);
            carried.trouble = carried.trouble.max(trouble);
            carried.outcomes.push((*index, maildir::outcome(&put)));
        }
        carried
    }
}

/// The message's content, with the body for these recipients alone.
fn content(attempt: &Attempt, copy: &Copy) -> Content {
    match &copy.body {
        Some(new) => Content { head: header::with_empty_line(&attempt.content.head), body: new.body() },
        None => attempt.content.clone(),
    }
}

/// The message's edits, then those for these recipients alone.
fn edits<'a>(attempt: &'a Attempt, copy: &'a Copy) -> impl Iterator<Item = &'a HeaderEdit> {
    attempt.entry.edits.headers.iter().chain(&copy.edits.headers)
}

impl Deliver for Deliverer {
    fn attempt(&self, attempt: Attempt) -> Answer<'_, Report> {
        Box::pin(self.make(attempt))
    }

    fn close_idle(&self) -> Answer<'_, ()> {
        Box::pin(self.connections.close())
    }
}

#[cfg(test)]
mod fakes;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod trust_tests;
