//! `on-tick`: time passes for the plugins that asked to be told.

use super::super::host::stock::Loaded;
use super::generation::Generation;
use super::shared::Shared;
use crate::base::flow::policy::Hook;
use std::future::pending;
use std::sync::Arc;
use std::time::Instant;

impl Shared {
    /// Tells each plugin in its own interval, from a whole interval after it was loaded. Never ends.
    pub(super) async fn tick(self: Arc<Self>) {
        let clock = self.pool.world.clock.clone();
        let mut changed = self.generations.subscribe();
        loop {
            changed.mark_unchanged();
            let generation = self.serving.load_full();
            let mut due = schedule(&generation, clock.now().mono);
            loop {
                let next = due.iter().map(|(at, _)| *at).min();
                let wait = async {
                    match next {
                        Some(at) => clock.sleep_until(at).await,
                        None => pending().await,
                    }
                };
                tokio::select! {
                    // An error would be the host's end, and this holds the host.
                    _ = changed.changed() => break,
                    () = wait => {}
                }
                let now = clock.now().mono;
                for (at, loaded) in due.iter_mut().filter(|(at, _)| *at <= now) {
                    self.tell_tick(generation.number, loaded);
                    // Of what was missed, as while the machine slept, one tick is told.
                    *at = now + loaded.code.plugin.tick;
                }
            }
        }
    }
}

fn schedule(generation: &Generation, now: Instant) -> Vec<(Instant, Arc<Loaded>)> {
    generation.all(Hook::Tick).map(|(_, loaded)| (now + loaded.code.plugin.tick, loaded.clone())).collect()
}
