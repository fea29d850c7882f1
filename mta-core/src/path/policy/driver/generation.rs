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

    /// Whether a plugin of that name is in it.
    pub(super) fn names(&self, plugin: &str) -> bool {
        self.plugins.iter().any(|loaded| *loaded.code.plugin.name == *plugin)
    }

    /// Whether any plugin is asked at the hook.
    pub(super) fn has(&self, hook: Hook) -> bool {
        !self.chain(hook).is_empty()
    }

    /// The plugins of the hook's chain that are for such mail, with their indices: of that listener, where there is one,
    /// and of that tenant.
    pub(super) fn asked(
        &self,
        hook: Hook,
        listener: Option<&str>,
        tenant: Option<&str>,
    ) -> impl Iterator<Item = (usize, &Arc<Loaded>)> {
        self.all(hook).filter(move |(_, loaded)| loaded.serves(listener, tenant))
    }

    /// All plugins of the hook's chain, with their indices.
    pub(super) fn all(&self, hook: Hook) -> impl Iterator<Item = (usize, &Arc<Loaded>)> {
        self.chain(hook).iter().filter_map(|&index| Some((index, self.plugins.get(index)?)))
    }

    fn chain(&self, hook: Hook) -> &[usize] {
        Hook::ALL.iter().zip(&self.chains).find(|(other, _)| **other == hook).map_or(&[], |(_, chain)| chain)
    }
}
