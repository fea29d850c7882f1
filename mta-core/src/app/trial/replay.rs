//! Asks a plugin what another version of it was asked in production, and tells where it says something else.
//!
//! It runs as a shadow: nothing comes of what it does. What the host answered then is not in the record: buckets begin
//! empty and fill as the record is replayed, tables and secrets are those of the configuration, names are looked up now.

use super::super::{World, host, threads};
use super::empty_lists;
use crate::base::flow::operator::trial::{Difference, Recorded, Said};
use crate::config::model::{Config, Mode, Plugin};
use crate::edge::observe::Unheard;
use crate::edge::plugins;
use crate::edge::plugins::compiler::Compiler;
use crate::edge::supplies::Shelf;
use crate::path::policy::Rehearsal;
use std::sync::Arc;

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Calls that were compared.
    pub calls: u64,
    /// Of these, how many were answered differently.
    pub differing: u64,
    /// Of these, how many were of a message of which only the beginning was recorded.
    pub cut: u64,
}

/// Replays what was recorded with one plugin of a configuration. Each difference is handed to `tell` as it is found;
/// its `at` is the number of the call.
///
/// # Errors
/// In words for people: the plugin can't be loaded, the record can't be read, or `tell` failed.
pub fn replay(
    config: &Config,
    plugin: &str,
    records: impl Iterator<Item = Result<Recorded, String>>,
    mut tell: impl FnMut(&Difference) -> Result<(), String>,
) -> Result<Replayed, String> {
    threads::run(async {
        let mut rehearsal = rehearsal(config, plugin).await?;
        let mut replayed = Replayed::default();
        for recorded in records {
            let recorded = recorded?;
            let answers = rehearsal.ask(&recorded).await;
            for (call, answer) in recorded.calls.iter().zip(answers) {
                replayed.calls += 1;
                let is_cut = |message: &crate::base::flow::operator::trial::RecordedMessage| {
                    message.body_bytes > message.body.0.len() as u64
                };
                let cut = call.message.as_deref().is_some_and(is_cut);
                replayed.cut += u64::from(cut);
                let other = answer.map_or_else(Said::next, |answer| answer.said);
                if other == call.said {
                    continue;
                }
                replayed.differing += 1;
                tell(&Difference {
                    at: format!("call {}", replayed.calls),
                    hook: call.asked.hook().to_owned(),
                    session: recorded.session.as_ref().map(|session| session.id.clone()),
                    id: call.message.as_ref().map(|message| message.id),
                    said: call.said.clone(),
                    other,
                })?;
            }
        }
        Ok(replayed)
    })
}

/// Loads one plugin of a configuration as a shadow.
pub(super) async fn rehearsal(config: &Config, plugin: &str) -> Result<Rehearsal, String> {
    let found = config.plugins.iter().find(|other| *other.name == *plugin);
    let found = found.ok_or_else(|| format!("no [[plugin]] of the configuration has the name {plugin}"))?;
    let shadow = Plugin { mode: Mode::Shadow, of: None, ..found.clone() };
    let world = World::new(config, Arc::new(Unheard))?;
    let host =
        host(&world, Compiler::uncached(Arc::clone(&world.observe)), None, Some(empty_lists(&world).await?), None)?;
    let supplies = Shelf::default().read(config)?.supplies;
    let loaded = host.load(std::slice::from_ref(&shadow), &supplies, &plugins::read).await;
    loaded.map_err(|error| error.to_string())?;
    host.rehearse(plugin).ok_or_else(|| format!("plugin \"{plugin}\" does not serve"))
}
