//! One load's plugins, and who has which hook.

use super::super::host::stock::Loaded;
use crate::base::flow::policy::Hook;
use std::sync::Arc;

/// The plugins of one load, in the order of the configuration.
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) plugins: Vec<Arc<Loaded>>,
    /// The plugins that have each hook, by their index; in the order of [`Hook::ALL`].
    chains: [Vec<usize>; Hook::ALL.len()],
}

impl Generation {
    pub(super) fn new(number: u64, plugins: Vec<Arc<Loaded>>) -> Self {
        let chains = Hook::ALL.map(|hook| {
            let having = plugins.iter().enumerate().filter(|(_, loaded)| loaded.asked_at.contains(&hook));
            having.map(|(index, _)| index).collect()
        });
        Self { number, plugins, chains }
    }

    /// Whether its instances may rest between transactions.
    pub(super) fn rest(&self, rest: bool) {
        self.plugins.iter().for_each(|loaded| loaded.stock.open(rest));
    }

    pub(super) fn chain(&self, hook: Hook) -> &[usize] {
        Hook::ALL.iter().zip(&self.chains).find(|(other, _)| **other == hook).map_or(&[], |(_, chain)| chain)
    }
}
