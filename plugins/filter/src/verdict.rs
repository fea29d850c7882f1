//! What rules that matched come to: by the first that decides, or by the sum of their scores.

use crate::config::{Action, Mode};
use crate::facts::Facts;
use crate::rules::{Effect, Rule, Rules, Threshold};
use mailwright_plugin::message::Error;
use mailwright_plugin::{Address, Disposition, Fault, Gate, Reply, log, message, metrics};

/// What a hook may change in one call, less what tags and fields need: a redirect for more recipients is quarantined.
const REDIRECTED_MAX: usize = 40;

/// Rules that a reason names: it has to fit a field and a line of the log.
const NAMED_MAX: usize = 40;

/// The rules that matched, in their order, and what they come to.
#[derive(Debug)]
pub(crate) struct Verdict<'r> {
    rules: &'r Rules,
    matched: Vec<&'r Rule>,
    score: i32,
    /// A rule decided.
    decided: Option<&'r Effect>,
}

impl<'r> Verdict<'r> {
    /// Asks the rules of the whole message.
    pub(crate) fn of(rules: &'r Rules, facts: &mut Facts<'r>) -> Result<Self, Fault> {
        let mut verdict = Self { rules, matched: Vec::new(), score: 0, decided: None };
        for rule in &rules.late {
            if !rule.matches(facts)? {
                continue;
            }
            verdict.matched.push(rule);
            verdict.score = verdict.score.saturating_add(rule.score);
            if rule.effect.decides() {
                verdict.decided = Some(&rule.effect);
                break;
            }
            if rules.mode == Mode::FirstMatch && rule.score != 0 {
                verdict.score = rule.score;
                break;
            }
        }
        Ok(verdict)
    }

    /// The thresholds that count: none where a rule decided.
    fn reached(&self) -> impl DoubleEndedIterator<Item = &'r Threshold> {
        let score = self.score;
        let counts = self.decided.is_none() && !self.matched.is_empty();
        self.rules.thresholds.iter().filter(move |step| counts && step.score <= score)
    }

    /// Tells of it, changes the message, and answers.
    pub(crate) fn carry_out(self, facts: &mut Facts<'_>) -> Result<Disposition, Fault> {
        if let Some(name) = &self.rules.report_header {
            self.report(name)?;
        }
        let steps: Vec<&Threshold> = self.reached().collect();
        let deciding =
            self.decided.or_else(|| steps.iter().rev().map(|step| &step.effect).find(|effect| effect.decides()));
        let action = deciding.and_then(|effect| effect.action).unwrap_or(Action::Pass);
        self.tell(action, deciding.is_some_and(|effect| effect.redirect.is_some()));
        let effects = self.matched.iter().map(|rule| &rule.effect).chain(steps.iter().map(|step| &step.effect));
        for effect in effects {
            for (name, value) in &effect.tags {
                message::set_tag(name, value)?;
            }
            for (name, value) in &effect.headers {
                permitted(message::add_header(name, value))?;
            }
        }
        if let Some(to) = deciding.and_then(|effect| effect.redirect.as_ref())
            && !redirect(to, facts)?
        {
            return Ok(Disposition::Quarantine(self.reason("too many recipients to redirect")));
        }
        let text = deciding.and_then(|effect| effect.text.as_deref());
        Ok(match action {
            Action::Pass => Disposition::Next,
            Action::Accept => Disposition::Accept,
            Action::Reject => Disposition::Reject(Reply::reject(&self.words(text))),
            Action::Tempfail => Disposition::Tempfail(Reply::tempfail(&self.words(text))),
            Action::Quarantine => Disposition::Quarantine(self.reason("")),
            Action::Discard => Disposition::Discard(self.reason("")),
        })
    }

    /// The rule that weighs most, which a sender is told of.
    fn weightiest(&self) -> Option<&'r Rule> {
        match self.decided {
            Some(_) => self.matched.last().copied(),
            // The first of those that weigh the same.
            None => self.matched.iter().rev().max_by_key(|rule| rule.score).copied(),
        }
    }

    /// What a sender is told: why, and which rule it was, to be named to the postmaster.
    fn words(&self, text: Option<&str>) -> String {
        let rule = self.weightiest();
        let own = rule.and_then(|rule| rule.effect.text.as_deref());
        let words = text.or(own).unwrap_or("this message is not taken here");
        rule.map_or_else(|| words.to_owned(), |rule| format!("{words} (rule {})", rule.name))
    }

    /// What an operator reads: the score, and the rules with theirs.
    fn reason(&self, before: &str) -> String {
        let mut words = before.to_owned();
        if !words.is_empty() {
            words.push_str("; ");
        }
        if self.decided.is_none() {
            words.push_str("score ");
            words.push_str(&self.score.to_string());
            words.push_str(": ");
        }
        for (at, rule) in self.matched.iter().take(NAMED_MAX).enumerate() {
            words.push_str(if at > 0 { ", " } else { "" });
            words.push_str(&rule.name);
            if rule.score != 0 {
                words.push(' ');
                words.push_str(&rule.score.to_string());
            }
        }
        if self.matched.len() > NAMED_MAX {
            words.push_str(", ...");
        }
        words
    }

    fn tell(&self, action: Action, is_redirected: bool) {
        if self.matched.is_empty() {
            return;
        }
        for rule in &self.matched {
            metrics::add("rule_matches", &[("rule", &rule.name)], 1);
        }
        let word = if is_redirected { "redirect" } else { action.word() };
        metrics::add("decisions", &[("action", word)], 1);
        if action == Action::Pass && !is_redirected {
            log!(Debug, "{word}; {}", self.reason(""));
        } else {
            log!(Info, "{word}; {}", self.reason(""));
        }
    }

    /// Says it in a field; what came with one of that name was not ours.
    fn report(&self, name: &str) -> Result<(), Fault> {
        for _ in message::headers(Some(name))? {
            permitted(message::set_header(name, 0, None))?;
        }
        if !self.matched.is_empty() {
            permitted(message::add_header(name, &self.reason("")))?;
        }
        Ok(())
    }
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Pass => "pass",
            Self::Reject => "reject",
            Self::Tempfail => "tempfail",
            Self::Quarantine => "quarantine",
            Self::Discard => "discard",
        }
    }
}

/// A field that can't be written for want of a grant keeps no verdict from being carried out. The log says so.
fn permitted(changed: Result<(), Error>) -> Result<(), Fault> {
    match changed {
        Err(Error::NotPermitted) => {
            log!(Error, "a rule changes header fields: give it edit = [\"headers\"]");
            Ok(())
        }
        changed => Ok(changed?),
    }
}

/// Puts an address in the place of all recipients; false where they are too many.
fn redirect(to: &Address, facts: &mut Facts<'_>) -> Result<bool, Fault> {
    let recipients = facts.recipients()?.to_vec();
    if recipients.len() > REDIRECTED_MAX {
        return Ok(false);
    }
    if !recipients.contains(to) {
        message::add_recipient(to)?;
    }
    for one in recipients.iter().filter(|one| *one != to) {
        message::remove_recipient(one)?;
    }
    Ok(true)
}

/// What the first of the early rules that matches says of a recipient.
pub(crate) fn early(rules: &Rules, facts: &mut Facts<'_>) -> Result<Gate, Fault> {
    for rule in &rules.early {
        if !rule.matches(facts)? {
            continue;
        }
        let action = rule.effect.action.unwrap_or(Action::Pass);
        metrics::add("rule_matches", &[("rule", &rule.name)], 1);
        metrics::add("decisions", &[("action", action.word())], 1);
        let text = rule.effect.text.as_deref().unwrap_or("mail from you to this address is not taken here");
        let words = format!("{text} (rule {})", rule.name);
        if action == Action::Pass {
            log!(Debug, "{} at rcpt; {}", action.word(), rule.name);
        } else {
            log!(Info, "{} at rcpt; {}", action.word(), rule.name);
        }
        return Ok(match action {
            Action::Accept => Gate::Accept,
            Action::Reject => Gate::Reject(Reply::reject(&words)),
            Action::Tempfail => Gate::Tempfail(Reply::tempfail(&words)),
            Action::Pass | Action::Quarantine | Action::Discard => Gate::Next,
        });
    }
    Ok(Gate::Next)
}
