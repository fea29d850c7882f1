//! From what is on disk to a spool that serves: the journal's tail is replayed into the index, the index is counted,
//! blobs that no message names are removed.

use super::shared::{ENTRY, Shared, key, read_index, tell_damage, writes};
use crate::base::event::Event;
use crate::base::mail::id::QueueId;
use crate::base::world::store::{Position, Store, StoreFault};
use crate::base::world::{Clock, Observe};
use crate::path::spool::ledger::{Batch, Ledger};
use crate::path::spool::record;
use crate::path::spool::replay::{Damaged, Fold, hear};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

/// Octets of the journal that are folded at once.
const REPLAY_BYTES: usize = 4 << 20;
/// Entries folded before the index is written.
const FOLD_ENTRIES_MAX: usize = 20_000;
/// Entries of the index that are counted at once.
const SCAN_ENTRIES: usize = 4096;

/// What a replay found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Replayed {
    pub(super) records: u64,
    pub(super) damaged: u64,
}

/// Makes index and ledger true, and says so.
pub(super) async fn recover(shared: &Arc<Shared>) -> Result<(), StoreFault> {
    let began = shared.clock.now().mono;
    let replayed = match recover_index(shared).await {
        // Once more from the beginning, with an empty index.
        Err(StoreFault::IndexLost(why)) => {
            rebuild_index(&*shared.store, &*shared.observe, &*shared.clock, &why).await?
        }
        other => other?,
    };
    match count(shared).await {
        Err(StoreFault::IndexLost(why)) => {
            rebuild_index(&*shared.store, &*shared.observe, &*shared.clock, &why).await?;
            forget_counts(&mut shared.ledger());
            count(shared).await?;
        }
        other => other?,
    }
    remove_orphans(shared).await?;
    let messages = shared.ledger().messages;
    let Replayed { records: replayed, damaged } = replayed;
    let took_ms = millis_since(began, &*shared.clock);
    shared.observe.event(Event::SpoolOpened { messages, replayed, damaged, took_ms });
    Ok(())
}

async fn recover_index(shared: &Shared) -> Result<Replayed, StoreFault> {
    let store = &*shared.store;
    let (begin, end) = store.extent();
    let from = match (store.checkpointed(), store.index_lost()) {
        (Some(checkpoint), _) => checkpoint,
        (None, Some(why)) => {
            shared.observe.event(Event::SpoolRebuilding { why: &why });
            begin
        }
        (None, None) => begin,
    };
    let replayed = replay_into_index(store, &*shared.observe, &*shared.clock, from, end).await?;
    store.checkpoint(end).await?;
    Ok(replayed)
}

/// Empties the index and makes it again from the whole journal.
pub(super) async fn rebuild_index(
    store: &dyn Store,
    observe: &dyn Observe,
    clock: &dyn Clock,
    why: &str,
) -> Result<Replayed, StoreFault> {
    observe.event(Event::SpoolRebuilding { why });
    store.reset_trees().await?;
    let (begin, end) = store.extent();
    let replayed = replay_into_index(store, observe, clock, begin, end).await?;
    store.checkpoint(end).await?;
    Ok(replayed)
}

/// Replays the journal from one position to another into the index.
pub(super) async fn replay_into_index(
    store: &dyn Store,
    observe: &dyn Observe,
    clock: &dyn Clock,
    from: Position,
    upto: Position,
) -> Result<Replayed, StoreFault> {
    let mut replayed = Replayed::default();
    let mut fold = Fold::default();
    let mut at = from;
    while at < upto {
        let found = store.replay(at, REPLAY_BYTES).await?;
        let Some(last) = found.last() else { break };
        at = last.end;
        replayed.records += found.len() as u64;
        let mut damaged: Vec<Damaged> = Vec::new();
        let heard = hear(found, clock.now().wall, &mut damaged)?;
        damaged.iter().for_each(|one| tell_damage(observe, one));
        replayed.damaged += damaged.len() as u64;
        let index = read_index(store, &fold.unknown(&heard)).await?;
        fold.add(heard, index);
        if fold.changed.len() >= FOLD_ENTRIES_MAX {
            write_out(store, &mut fold).await?;
        }
    }
    write_out(store, &mut fold).await?;
    Ok(replayed)
}

async fn write_out(store: &dyn Store, fold: &mut Fold) -> Result<(), StoreFault> {
    let mut batch: Batch = fold.changed.drain().collect();
    batch.sort_unstable_by_key(|(id, _)| *id);
    store.apply(writes(&batch)).await
}

/// Goes through the index once: how many messages there are, and what of the journal lives.
async fn count(shared: &Shared) -> Result<(), StoreFault> {
    let mut after = None;
    loop {
        let pairs = shared.store.scan(ENTRY, after, SCAN_ENTRIES).await?;
        let mut ledger = shared.ledger();
        for (_, value) in &pairs {
            let home = record::read_index_home(value).map_err(|e| StoreFault::IndexLost(e.to_string()))?;
            ledger.live.add_home(&home);
            ledger.messages += 1;
        }
        after = pairs.last().map(|(key, _)| key.clone());
        if pairs.len() < SCAN_ENTRIES {
            ledger.settled = shared.store.extent().1;
            return Ok(());
        }
    }
}

/// Removes blobs whose message was never committed, or has ended.
async fn remove_orphans(shared: &Shared) -> Result<(), StoreFault> {
    let names = shared.store.blobs().await?;
    let ids: Vec<QueueId> = names.iter().filter_map(|name| name.parse().ok()).collect();
    let keys = ids.iter().map(|id| key(*id)).collect();
    let values = shared.store.get(ENTRY, keys).await?;
    let known = ids.iter().zip(values).filter(|(_, value)| value.is_some());
    let named: HashSet<String> = known.map(|(id, _)| id.to_string()).collect();
    for orphan in names.iter().filter(|name| !named.contains(*name)) {
        shared.store.remove_blob(orphan).await?;
    }
    Ok(())
}

/// How long ago that was, in milliseconds.
fn millis_since(began: Instant, clock: &dyn Clock) -> u64 {
    u64::try_from(clock.now().mono.saturating_duration_since(began).as_millis()).unwrap_or(u64::MAX)
}

/// What a count that failed halfway left behind.
fn forget_counts(ledger: &mut Ledger) {
    ledger.live.give_up(Position(u64::MAX));
    ledger.messages = 0;
}
