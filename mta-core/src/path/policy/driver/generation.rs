//! One load's plugins, and who has which hook.

use crate::base::flow::policy::Hook;
use crate::config::model::Mode;
use crate::sandbox::host::stock::Loaded;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The plugins of one load, in the order of the configuration.
pub(super) struct Generation {
    pub(super) number: u64,
    pub(super) plugins: Vec<Arc<Loaded>>,
    /// The plugins that have each hook, by their index; in the order of [`Hook::ALL`].
    chains: [Vec<usize>; Hook::ALL.len()],
    /// Whether anybody is asked at each hook, in the same order.
    has: [bool; Hook::ALL.len()],
    /// Who may stand in a plugin's place, by the plugin's index; and canaries that stand in nobody's.
    places: Vec<(usize, Vec<Canary>)>,
    /// Those who are asked beside the mail.
    pub(super) followers: Vec<Follower>,
}

/// A canary's share of the transactions: those that draw a number from `from` on and below `to`, of a hundred.
struct Canary {
    index: usize,
    from: u64,
    to: u64,
}

/// Somebody who is asked the same as another, beside the mail.
pub(super) struct Follower {
    /// Who is asked; none: a canary is measured by a chain without it, which has no opinion in its place.
    pub(super) loaded: Option<Arc<Loaded>>,
    /// Whose calls are repeated, by its index; none: those of the whole chain.
    pub(super) of: Option<usize>,
    /// Whose report it is.
    pub(super) reporter: Arc<Loaded>,
}

/// What the sides of a transaction are drawn by.
pub(super) fn key(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

impl Generation {
    /// `twins` are shadows of the plugins in whose place canaries stand, each with its canary's name as its `of`.
    pub(super) fn new(number: u64, plugins: Vec<Arc<Loaded>>, twins: &[Arc<Loaded>]) -> Self {
        let index = |name: &str| plugins.iter().position(|loaded| *loaded.code.plugin.name == *name);
        let mut places: Vec<(usize, Vec<Canary>)> = Vec::new();
        let mut followers = Vec::new();
        for (at, loaded) in plugins.iter().enumerate() {
            let of = loaded.part.of.as_deref().and_then(index);
            match loaded.part.mode {
                Mode::Full => {}
                Mode::Shadow => followers.push(Follower { loaded: Some(loaded.clone()), of, reporter: loaded.clone() }),
                Mode::Canary(percent) => {
                    let place = of.unwrap_or(at);
                    let known = places.iter().position(|(other, _)| *other == place).unwrap_or(places.len());
                    if known == places.len() {
                        places.push((place, Vec::new()));
                    }
                    let canaries = &mut places[known].1;
                    let from = canaries.last().map_or(0, |before: &Canary| before.to);
                    canaries.push(Canary { index: at, from, to: from + u64::from(percent) });
                    let twin = twins.iter().find(|twin| twin.part.of.as_deref() == Some(&*loaded.code.plugin.name));
                    followers.push(Follower { loaded: twin.cloned(), of: Some(at), reporter: loaded.clone() });
                }
            }
        }
        let order = order(&plugins, &places);
        let chains: [Vec<usize>; _] = Hook::ALL.map(|hook| {
            // What shadows are told they are told like others.
            let has = |loaded: &Loaded| {
                loaded.asked_at.contains(&hook) && (loaded.part.mode != Mode::Shadow || hook.is_told())
            };
            order.iter().copied().filter(|at| plugins.get(*at).is_some_and(|loaded| has(loaded))).collect()
        });
        let has = Hook::ALL.map(|hook| {
            let follows = |follower: &Follower| {
                !hook.is_told() && follower.loaded.as_ref().is_some_and(|loaded| loaded.asked_at.contains(&hook))
            };
            chains.get(hook as usize).is_some_and(|chain| !chain.is_empty()) || followers.iter().any(follows)
        });
        Self { number, plugins, chains, has, places, followers }
    }

    /// Whether its instances may rest between transactions.
    pub(super) fn rest(&self, rest: bool) {
        let twins = self.followers.iter().filter_map(|follower| follower.loaded.as_ref());
        self.plugins.iter().chain(twins).for_each(|loaded| loaded.stock.open(rest));
    }

    /// Whether a plugin of that name is in it.
    pub(super) fn names(&self, plugin: &str) -> bool {
        self.plugins.iter().any(|loaded| *loaded.code.plugin.name == *plugin)
    }

    /// Whether anybody is asked at the hook.
    pub(super) fn has(&self, hook: Hook) -> bool {
        self.has.get(hook as usize).copied().unwrap_or_default()
    }

    /// The plugins of the hook's chain that are for such mail, with their indices: of that listener, where there is one,
    /// and of that tenant; and on the transaction's side, which the key draws.
    pub(super) fn asked(
        &self,
        hook: Hook,
        listener: Option<&str>,
        tenant: Option<&str>,
        key: u64,
    ) -> impl Iterator<Item = (usize, &Arc<Loaded>)> {
        self.all(hook).filter(move |(index, loaded)| {
            loaded.serves(listener, tenant) && self.decides(*index, listener, tenant, key)
        })
    }

    /// All plugins of the hook's chain, with their indices.
    pub(super) fn all(&self, hook: Hook) -> impl Iterator<Item = (usize, &Arc<Loaded>)> {
        self.chain(hook).iter().filter_map(|&index| Some((index, self.plugins.get(index)?)))
    }

    /// Whether the plugin decides that transaction: nobody stands in its place there, or it is the one who does. A canary
    /// that is not for such mail leaves it to the other.
    fn decides(&self, index: usize, listener: Option<&str>, tenant: Option<&str>, key: u64) -> bool {
        self.places.iter().all(|(place, canaries)| {
            let own = canaries.iter().any(|canary| canary.index == index);
            if !own && *place != index {
                return true;
            }
            let draw = self::key((place, key)) % 100;
            let takes = |canary: &&Canary| {
                (canary.from..canary.to).contains(&draw)
                    && self.plugins.get(canary.index).is_some_and(|loaded| loaded.serves(listener, tenant))
            };
            match canaries.iter().find(takes) {
                Some(canary) => canary.index == index,
                None => !own,
            }
        })
    }

    fn chain(&self, hook: Hook) -> &[usize] {
        self.chains.get(hook as usize).map_or(&[], Vec::as_slice)
    }
}

/// The order of all chains: that of the configuration, and canaries where the plugin is in whose place they stand.
fn order(plugins: &[Arc<Loaded>], places: &[(usize, Vec<Canary>)]) -> Vec<usize> {
    let mut order = Vec::with_capacity(plugins.len());
    for (at, loaded) in plugins.iter().enumerate() {
        if !matches!(loaded.part.mode, Mode::Canary(_)) {
            order.push(at);
        }
        let here = places.iter().filter(|(place, _)| *place == at);
        order.extend(here.flat_map(|(_, canaries)| canaries).map(|canary| canary.index));
    }
    order
}
