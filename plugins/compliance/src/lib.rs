//! Checks bulk mail of our own senders for what large mailbox providers demand of it, before it is queued.
//!
//! `allow = ["dns", "kv:compliance", "log", "metrics"]`, and `edit = ["headers"]` for `header`; docs/plugins/compliance.md has
//! its configuration.

mod author;
mod bulk;
mod check;
mod fields;
mod freemail;
mod names;
mod standing;
#[cfg(test)]
mod tests;

use bulk::Bulk;
use check::{Action, Actions, Check, Checks, Finding};
use mailwright_plugin::message::OutgoingTls;
use mailwright_plugin::{Config, Disposition, Fault, Reply, log, message, metrics, session};
use standing::Standing;
use std::time::Duration;

/// What is bulk mail, what is checked, and what follows.
#[derive(Debug, Config)]
pub struct Config {
    /// What follows from a finding of whose check `checks` says nothing.
    #[config(default = "warn")]
    pub action: Action,
    /// What follows from the findings of single checks.
    #[config(default)]
    pub checks: Checks,
    /// What bulk mail is.
    #[config(default)]
    pub bulk: Bulk,
    /// The addresses from which others see our mail come; without any, `spf` and `rdns` are not checked.
    #[config(default, length = 0..=32)]
    pub addresses: Vec<String>,
    /// Whether the fields for unsubscribing are added later, as `builtin:unsubscribe` does.
    #[config(default)]
    pub unsubscribe_added: bool,
    /// Domains where anybody has a mailbox, besides those that are known.
    #[config(default, length = 0..=1000)]
    pub freemail: Vec<String>,
    /// A header field that tells what was found; none if not said.
    #[config(length = 1..=76)]
    pub header: Option<String>,
    /// Where senders read what to do, as `https://example.org/bulk`; replies end with it.
    #[config(length = 1..=200)]
    pub help: Option<String>,
    /// How long what the DNS said is kept.
    #[config(default = "10m", range = "1s"..="1d")]
    pub cache: Duration,
}

/// Checks bulk mail.
#[derive(Debug)]
pub struct Compliance {
    actions: Actions,
    bulk: Bulk,
    standing: Standing,
    unsubscribe_added: bool,
    freemail: Vec<String>,
    header: Option<String>,
    help: Option<String>,
}

#[mailwright_plugin::plugin]
impl Compliance {
    fn configure(config: Config) -> Result<Self, Fault> {
        let actions = Actions::new(config.action, &config.checks, !config.addresses.is_empty())?;
        if let Some(name) = config.header.as_ref().filter(|name| !fields::is_name(name)) {
            return Err(Fault::InvalidConfig(format!("header: \"{name}\" is no field name")));
        }
        Ok(Self {
            actions,
            bulk: config.bulk,
            standing: Standing::new(config.addresses, config.cache)?,
            unsubscribe_added: config.unsubscribe_added,
            freemail: config.freemail.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
            header: config.header,
            help: config.help,
        })
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        // What strangers send is judged by others; only our own mail has signers.
        let Some(signers) = message::signers()? else { return Ok(Disposition::Next) };
        if !self.bulk.is_bulk()? {
            return Ok(Disposition::Next);
        }
        let mut findings = Vec::new();
        self.look(&signers, &mut findings)?;
        findings.retain(|finding: &Finding| self.actions.of(finding.check) != Action::Off);
        // The worst goes first, and of these the first that was found.
        findings.sort_by_key(|finding| std::cmp::Reverse(self.actions.of(finding.check)));
        metrics::add("checked", &[("outcome", if findings.is_empty() { "clean" } else { "found" })], 1);
        let Some(first) = findings.first() else { return Ok(Disposition::Next) };
        for Finding { check, .. } in &findings {
            metrics::add("findings", &[("check", check.name()), ("action", self.actions.of(*check).name())], 1);
        }
        self.tell(&findings)?;
        let words = self.words(&findings);
        Ok(match self.actions.of(first.check) {
            Action::Off | Action::Warn => Disposition::Next,
            Action::Hold => Disposition::Quarantine(words),
            Action::Reject => {
                let (subject, detail) = first.check.status();
                Disposition::Reject(Reply::new(550, &words).status(5, subject, detail))
            }
        })
    }
}

impl Compliance {
    /// Everything that is wrong with the message.
    fn look(&self, signers: &[message::Signer], findings: &mut Vec<Finding>) -> Result<(), Fault> {
        let found = message::headers(None)?;
        let info = message::current()?;
        // Submission adds what a user's message lacks (RFC 6409 8).
        let is_completed = session::current().is_ok_and(|session| session.auth_user.is_some());
        fields::check(&found, is_completed, findings);
        if !self.unsubscribe_added {
            fields::check_unsubscribe(&found, findings);
        }
        self.check_tls(&info.recipients, findings)?;
        let Some(author) =
            author::only(&found, &message::mailboxes("From")?).map_err(|finding| findings.push(finding)).ok()
        else {
            // What follows is about the author's domain.
            return Ok(());
        };
        if signers.is_empty() && (freemail::is_one(&author) || self.freemail.contains(&author)) {
            let words = format!(
                "{author} lets nobody else send in its name: write from a domain of your own, and name the mailbox in Reply-To"
            );
            findings.push(Finding::new(Check::Freemail, words));
        }
        self.standing.check(&author, info.sender.as_ref(), signers, &self.actions, findings)
    }

    fn check_tls(&self, recipients: &[mailwright_plugin::Address], findings: &mut Vec<Finding>) -> Result<(), Fault> {
        if self.actions.of(Check::Tls) == Action::Off {
            return Ok(());
        }
        let mut domains: Vec<&str> = recipients.iter().map(|to| &*to.domain).collect();
        domains.sort_unstable();
        domains.dedup();
        for domain in domains.into_iter().take(check::DOMAINS_MAX) {
            if message::tls_to(domain)? == Some(OutgoingTls::Off) {
                let words = format!("mail to {domain} would leave without TLS: the server's route says so");
                findings.push(Finding::new(Check::Tls, words));
                break;
            }
        }
        Ok(())
    }

    /// Notes what was found where others see it.
    fn tell(&self, findings: &[Finding]) -> Result<(), Fault> {
        let names: Vec<&str> = findings.iter().map(|finding| finding.check.name()).collect();
        let names = names.join(", ");
        message::set_tag("compliance", &names)?;
        if let Some(header) = &self.header {
            message::add_header(header, &names)?;
        }
        for finding in findings {
            log!(Warn, "{}: {}", finding.check.name(), finding.words);
        }
        Ok(())
    }

    /// What the sender is told: the first finding in whole, others by their words as far as a reply has room.
    fn words(&self, findings: &[Finding]) -> String {
        let mut words = "bulk mail must be better than this".to_owned();
        let help = self.help.as_ref().map_or_else(String::new, |help| format!(" ({help})"));
        for (at, finding) in findings.iter().enumerate() {
            let next = format!("{} {}: {}", if at == 0 { ":" } else { ";" }, finding.check.name(), finding.words);
            if words.len() + next.len() + help.len() > check::WORDS_BYTES_MAX {
                words.push_str(" ...");
                break;
            }
            words.push_str(&next);
        }
        words + &help
    }
}
