//! Rate limits: so much of a client, a user, a sender or a destination in a time, and the rest is told when to come back.
//!
//! `docs/plugins/rate-limit.md` says what operators may set. What is charged is charged when it is sure to come: recipients
//! and messages at the end of the data, after all that could be refused before was only looked at.

mod ask;
mod config;
mod facts;
mod limit;
#[cfg(test)]
mod tests;
mod who;

use ask::{Asking, Refusal, count_refusal, refused};
use config::{At, Measure};
pub use config::{Config, Key, Mode, Who};
use facts::Facts;
use limit::{Limit, check_tables};
use mailwright_plugin::config::Misfit;
use mailwright_plugin::kv::{Bucket, Manner, Taken};
use mailwright_plugin::session::Note;
use mailwright_plugin::setup::{self, Hook};
use mailwright_plugin::{Address, Disposition, Fault, Gate, Mail, Rcpt, Sending, clock, delivery, message, session};
use std::collections::BTreeMap;

/// The session's note with the failed recipients that were charged.
const CHARGED: &str = "charged";
/// The line moves slower than its limit by this part.
const LINE_SLACK: u64 = 16;
/// The longest that mail on its way out stands in line before it asks again.
const LINE_MS_MAX: u64 = 3_600_000;

/// The limits, and what is known of the transaction.
#[derive(Debug)]
pub struct RateLimit {
    limits: Vec<Limit>,
    exempt: Option<Who>,
    bucket: String,
    count: bool,
    facts: Option<Facts>,
    /// How many recipients were let in so far, by the key of a limit.
    let_in: BTreeMap<String, u32>,
}

#[mailwright_plugin::plugin]
impl RateLimit {
    fn configure(config: Config) -> Result<Self, Fault> {
        let Config { limits: wanted, exempt, bucket, count } = config;
        let mut limits: Vec<Limit> = Vec::new();
        for (index, limit) in wanted.into_iter().enumerate() {
            let place = |misfit: Misfit| misfit.under(&index.to_string()).under("limits");
            let limit = Limit::new(limit).map_err(place)?;
            if limits.iter().any(|other| other.name == limit.name) {
                return Err(place(Misfit::new("another limit has this name").under("name")).into());
            }
            limits.push(limit);
        }
        if let Some(who) = &exempt {
            check_tables(who).map_err(|misfit| misfit.under("exempt"))?;
        }
        let plugin = Self { limits, exempt, bucket, count, facts: None, let_in: BTreeMap::new() };
        setup::skip(&plugin.unused());
        Ok(plugin)
    }

    fn on_connect(&mut self) -> Result<Gate, Fault> {
        let facts = Facts::of_session(None)?;
        let mut asking = Asking::default();
        self.look_at_failed(&facts, true, &mut asking)?;
        for limit in self.of(At::In, &[Measure::Connections]) {
            if let Some(key) = self.key(limit, &facts, None)? {
                asking.take(limit, key, 1);
            }
        }
        self.gate(asking)
    }

    fn on_mail(&mut self, mail: &Mail) -> Result<Gate, Fault> {
        let facts = Facts::of_session(mail.sender.as_ref())?;
        let mut asking = Asking::default();
        self.charge_failed(&facts, &mut asking)?;
        self.look_at_failed(&facts, true, &mut asking)?;
        let announced = mail.params.iter().find(|(name, _)| name == "SIZE").and_then(|(_, size)| size.parse().ok());
        for limit in self.of(At::In, &[Measure::Messages, Measure::Bytes]) {
            if !limit.sees_recipients
                && !limit.warns
                && let Some(key) = self.key(limit, &facts, None)?
            {
                asking.add(limit, key, limit.cost(1, announced.unwrap_or(1)), Manner::Look);
            }
        }
        let gate = self.gate(asking);
        self.facts = Some(facts);
        gate
    }

    fn on_rcpt(&mut self, rcpt: &Rcpt) -> Result<Gate, Fault> {
        let facts = self.facts(rcpt.sender.as_ref())?;
        let to = Some(&rcpt.to);
        let mut asking = Asking::default();
        self.charge_failed(&facts, &mut asking)?;
        self.look_at_failed(&facts, false, &mut asking)?;
        let mut let_in = Vec::new();
        let mut full = None;
        for limit in self.of(At::In, &[Measure::Messages, Measure::Bytes, Measure::Recipients]) {
            let recipients = limit.measure == Measure::Recipients;
            if limit.warns || !(recipients || limit.sees_recipients) {
                continue;
            }
            let Some(key) = self.key(limit, &facts, to)? else { continue };
            let before = self.let_in.get(&key).copied().unwrap_or(0);
            if recipients && before >= limit.burst {
                // This transaction alone has used all of it up. One comes back some time after that is charged.
                full = Some(limit);
                continue;
            }
            asking.add(limit, key.clone(), limit.cost(before.saturating_add(1), 1), Manner::Look);
            if recipients {
                let_in.push(key);
            }
        }
        let gate = match (self.gate(asking), full) {
            (Ok(Gate::Next), Some(limit)) => Ok(Gate::Tempfail(refused(limit, limit.turn_ms(1)))),
            (gate, _) => gate,
        };
        self.facts = Some(facts);
        if gate == Ok(Gate::Next) {
            let_in.into_iter().for_each(|key| *self.let_in.entry(key).or_default() += 1);
        }
        gate
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        let message = message::current()?;
        let facts = self.facts(message.sender.as_ref())?;
        let mut asking = Asking::default();
        let all = u32::try_from(message.recipients.len()).unwrap_or(u32::MAX);
        for limit in self.of(At::In, &[Measure::Messages, Measure::Bytes, Measure::Recipients]) {
            // What counts apart is charged for each of its keys.
            let mut keys: BTreeMap<String, u32> = BTreeMap::new();
            if limit.sees_recipients || self.exempts_recipients() {
                for to in &message.recipients {
                    if let Some(key) = self.key(limit, &facts, Some(to))? {
                        *keys.entry(key).or_default() += 1;
                    }
                }
            } else if let Some(key) = self.key(limit, &facts, None)? {
                keys.insert(key, all);
            }
            for (key, recipients) in keys {
                let cost = limit.cost(recipients, message.size);
                asking.take(limit, key, cost);
            }
        }
        let refusal = asking.ask(&self.bucket, self.count)?;
        Ok(refusal.map_or(Disposition::Next, |refusal| Disposition::Tempfail(refusal.reply())))
    }

    fn on_pre_send(&mut self) -> Result<Sending, Fault> {
        let attempt = delivery::current()?;
        let message = message::current()?;
        let (tenant, site, to) = (attempt.tenant, attempt.site, Some(&attempt.recipient));
        let facts = Facts { tenant, site, sender: message.sender, ..Facts::default() };
        let mut asking = Asking::default();
        for limit in self.of(At::Out, &[Measure::Messages, Measure::Recipients, Measure::Bytes]) {
            if let Some(key) = self.key(limit, &facts, to)? {
                asking.take(limit, key, limit.cost(1, message.size));
            }
        }
        match asking.ask(&self.bucket, self.count)? {
            None => Ok(Sending::Next),
            Some(refusal) => {
                count_refusal(refusal.limit);
                Ok(Sending::NotBefore(clock::now_ms().saturating_add(self.turn_ms(&refusal)?)))
            }
        }
    }

    fn on_disconnect(&mut self) {
        // Nobody hears of a failure here, and the next session is asked anew.
        if let Ok(facts) = Facts::of_session(None) {
            let mut asking = Asking::default();
            if self.charge_failed(&facts, &mut asking).is_ok() {
                let _ = asking.ask(&self.bucket, self.count);
            }
        }
    }
}

impl RateLimit {
    /// The limits of one way with one of these measures.
    fn of<'a>(&'a self, at: At, measures: &'a [Measure]) -> impl Iterator<Item = &'a Limit> {
        self.limits.iter().filter(move |limit| limit.at == at && measures.contains(&limit.measure))
    }

    /// The hooks that no limit has work in.
    fn unused(&self) -> Vec<Hook> {
        let any = |at: At, measures: &[Measure]| self.of(at, measures).next().is_some();
        let failed = any(At::In, &[Measure::FailedRecipients]);
        let mail = [Measure::Messages, Measure::Bytes];
        let needed = [
            (Hook::Connect, failed || any(At::In, &[Measure::Connections])),
            (Hook::Mail, failed || self.of(At::In, &mail).any(|limit| !limit.sees_recipients && !limit.warns)),
            (
                Hook::Rcpt,
                failed
                    || self.of(At::In, &[Measure::Recipients]).any(|limit| !limit.warns)
                    || self.of(At::In, &mail).any(|limit| limit.sees_recipients && !limit.warns),
            ),
            (Hook::Data, any(At::In, &[Measure::Messages, Measure::Bytes, Measure::Recipients])),
            (Hook::PreSend, self.limits.iter().any(|limit| limit.at == At::Out)),
            (Hook::Disconnect, failed),
        ];
        needed.into_iter().filter(|(_, needed)| !needed).map(|(hook, _)| hook).collect()
    }

    /// What is known in this transaction. Whose mail it is may become known with its first recipient.
    fn facts(&mut self, sender: Option<&Address>) -> Result<Facts, Fault> {
        let sees_tenant = || {
            let exempt = self.exempt.as_ref().is_some_and(|who| !who.tenants.is_empty());
            exempt || self.limits.iter().any(|limit| limit.sees_tenant)
        };
        match self.facts.take() {
            Some(facts) if facts.tenant.is_some() || !sees_tenant() => Ok(facts),
            _ => Facts::of_session(sender),
        }
    }

    fn exempts_recipients(&self) -> bool {
        self.exempt.as_ref().is_some_and(|who| !who.recipient_domains.is_empty())
    }

    /// The key of a limit, where it applies.
    fn key(&self, limit: &Limit, facts: &Facts, to: Option<&Address>) -> Result<Option<String>, Fault> {
        match &self.exempt {
            Some(who) if who.any(facts, to)? => Ok(None),
            _ => limit.key(facts, to),
        }
    }

    fn gate(&self, asking: Asking<'_>) -> Result<Gate, Fault> {
        Ok(match asking.ask(&self.bucket, self.count)? {
            None => Gate::Next,
            Some(refusal) if refusal.limit.disconnects() => Gate::Disconnect(refusal.reply()),
            Some(refusal) => Gate::Tempfail(refusal.reply()),
        })
    }

    /// Charges the recipients that were refused since this was last done. What exceeds the limit only fills it.
    fn charge_failed<'a>(&'a self, facts: &Facts, asking: &mut Asking<'a>) -> Result<(), Fault> {
        let mut limits = self.of(At::In, &[Measure::FailedRecipients]).peekable();
        if limits.peek().is_none() {
            return Ok(());
        }
        let rejected = session::rejected_recipients()?;
        let charged = match session::note(CHARGED)? {
            Some(Note::Number(charged)) => u32::try_from(charged).unwrap_or(0),
            _ => 0,
        };
        let more = rejected.saturating_sub(charged);
        if more == 0 {
            return Ok(());
        }
        session::set_note(CHARGED, &Note::Number(i64::from(rejected)))?;
        for limit in limits {
            if let Some(key) = self.key(limit, facts, None)? {
                asking.add(limit, key, more, Manner::Fill);
            }
        }
        Ok(())
    }

    /// Whether one more wrong recipient has room.
    fn look_at_failed<'a>(&'a self, facts: &Facts, warn: bool, asking: &mut Asking<'a>) -> Result<(), Fault> {
        for limit in self.of(At::In, &[Measure::FailedRecipients]) {
            if (warn || !limit.warns)
                && let Some(key) = self.key(limit, facts, None)?
            {
                asking.add(limit, key, 1, Manner::Look);
            }
        }
        Ok(())
    }

    /// When it is the turn of what was refused: behind all that stands in line before it, so that nothing asks in vain again
    /// and again.
    fn turn_ms(&self, refusal: &Refusal<'_>) -> Result<u64, Fault> {
        let Refusal { limit, key, cost, wait_ms } = refusal;
        let line = limit.line(key, *cost);
        let burst = line.burst;
        let wait = match Bucket(&self.bucket).take_all(&[line]) {
            Err(mailwright_plugin::kv::Error::Quota) => *wait_ms,
            said => match said?.first() {
                Some(Taken::Remaining(left)) => {
                    let ahead = burst.saturating_sub(*left).saturating_sub(*cost);
                    wait_ms.saturating_add(limit.turn_ms(ahead))
                }
                _ => LINE_MS_MAX,
            },
        };
        // A little more: who comes some moments too early would have to go to the end of the line.
        let wait = wait.saturating_add(wait / LINE_SLACK);
        Ok(wait.clamp(*wait_ms, LINE_MS_MAX.max(*wait_ms)))
    }
}
