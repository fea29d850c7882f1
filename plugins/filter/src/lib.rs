//! Rules on clients, envelopes, header fields, text and attachments: a verdict by score, or by the first rule that matches.
//!
//! It needs `allow = ["dns", "log", "metrics", "tables"]`, and `edit = ["headers", "recipients"]` where its rules change these.
//! docs/plugins/filter.md has the whole configuration.

pub mod config;
mod facts;
#[cfg(fuzzing)]
mod fuzzed;
mod rules;
mod standard;
#[cfg(test)]
mod tests;
mod verdict;

use config::Settings;
use facts::{Facts, Listed};
#[cfg(fuzzing)]
pub use fuzzed::look_into;
use mailwright_plugin::tables::{Error, Table};
use mailwright_plugin::{Disposition, Fault, Gate, Rcpt};
use rules::{Rule, Rules};
use verdict::Verdict;

/// The plugin: compiled rules, and what lists in the DNS said in this transaction.
#[derive(Debug)]
pub struct Filter {
    rules: Rules,
    listed: Listed,
}

#[mailwright_plugin::plugin]
impl Filter {
    fn configure(settings: Settings) -> Result<Self, Fault> {
        Ok(Self { rules: Rules::new(settings)?, listed: Listed::new() })
    }

    fn self_test(&mut self) -> Result<(), String> {
        let mut tables = self.rules.early.iter().chain(&self.rules.late).flat_map(Rule::tables);
        match tables.find(|table| matches!(Table(table).has("x"), Err(Error::NoSuchTable))) {
            Some(table) => Err(format!("a rule names the table \"{table}\": give it allow = [\"tables:{table}\"]")),
            None => Ok(()),
        }
    }

    fn on_rcpt(&mut self, rcpt: &Rcpt) -> Result<Gate, Fault> {
        if self.rules.early.is_empty() {
            return Ok(Gate::Next);
        }
        let listed = std::mem::take(&mut self.listed);
        let mut facts = Facts::of_recipient(&self.rules, listed, rcpt.sender.as_ref(), &rcpt.to);
        let gate = verdict::early(&self.rules, &mut facts);
        self.listed = std::mem::take(&mut facts.listed);
        gate
    }

    fn on_data(&mut self) -> Result<Disposition, Fault> {
        if self.rules.late.is_empty() {
            return Ok(Disposition::Next);
        }
        let mut facts = Facts::new(&self.rules, std::mem::take(&mut self.listed));
        let verdict = Verdict::of(&self.rules, &mut facts)?;
        verdict.carry_out(&mut facts)
    }
}
