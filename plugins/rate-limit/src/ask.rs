//! One call for several limits, and what comes of it.

use crate::limit::Limit;
use mailwright_plugin::kv::{Bucket, Demand, Error, Manner, Taken};
use mailwright_plugin::log::{self, Level};
use mailwright_plugin::{Fault, Reply, metrics};

/// Limits that a call takes from; more are taken from by further calls.
const DEMANDS_MAX: usize = 1_000;

/// What is wanted, and of which limit each is.
#[derive(Debug, Default)]
pub(crate) struct Asking<'a> {
    demands: Vec<Demand>,
    of: Vec<&'a Limit>,
}

/// A limit that has no room.
#[derive(Debug)]
pub(crate) struct Refusal<'a> {
    pub(crate) limit: &'a Limit,
    pub(crate) key: String,
    pub(crate) cost: u32,
    pub(crate) wait_ms: u64,
}

impl Refusal<'_> {
    pub(crate) fn reply(&self) -> Reply {
        refused(self.limit, self.wait_ms)
    }
}

/// What is said to whom a limit refuses; counted.
pub(crate) fn refused(limit: &Limit, wait_ms: u64) -> Reply {
    count_refusal(limit);
    limit.reply(wait_ms)
}

pub(crate) fn count_refusal(limit: &Limit) {
    metrics::add("refused", &[("limit", &limit.name), ("mode", "enforce")], 1);
}

impl<'a> Asking<'a> {
    /// Takes when all have room; one that only warns holds up no other.
    pub(crate) fn take(&mut self, limit: &'a Limit, key: String, cost: u32) {
        let manner = if limit.warns { Manner::May } else { Manner::Must };
        self.add(limit, key, cost, manner);
    }

    pub(crate) fn add(&mut self, limit: &'a Limit, key: String, cost: u32, manner: Manner) {
        self.demands.push(limit.demand(key, cost, manner));
        self.of.push(limit);
    }

    /// Asks; the refusal that lasts longest, if there is one. A bucket without room for new keys refuses nobody.
    pub(crate) fn ask(self, bucket: &str, count: bool) -> Result<Option<Refusal<'a>>, Fault> {
        for (demands, of) in self.demands.chunks(DEMANDS_MAX).zip(self.of.chunks(DEMANDS_MAX)) {
            let said = match Bucket(bucket).take_all(demands) {
                Err(Error::Quota) => {
                    metrics::add("full", &[], 1);
                    log::write(Level::Warn, "the bucket is full: what is new is not limited", &[]);
                    continue;
                }
                said => said?,
            };
            let mut worst: Option<Refusal<'a>> = None;
            for ((demand, limit), said) in demands.iter().zip(of).zip(&said) {
                let Taken::RetryAfterMs(wait_ms) = *said else { continue };
                if limit.warns {
                    warn(limit, demand, wait_ms);
                } else if demand.manner != Manner::Fill && worst.as_ref().is_none_or(|worst| worst.wait_ms < wait_ms) {
                    let (key, cost) = (demand.key.clone(), demand.cost);
                    worst = Some(Refusal { limit, key, cost, wait_ms });
                }
            }
            if worst.is_some() {
                return Ok(worst);
            }
            if count {
                let taken = |said: &Taken| matches!(said, Taken::Remaining(_));
                for ((demand, limit), _) in demands.iter().zip(of).zip(&said).filter(|(_, said)| taken(said)) {
                    if demand.manner != Manner::Look {
                        metrics::add("taken", &[("limit", &limit.name)], i64::from(demand.cost));
                    }
                }
            }
        }
        Ok(None)
    }
}

fn warn(limit: &Limit, demand: &Demand, wait_ms: u64) {
    metrics::add("refused", &[("limit", &limit.name), ("mode", "warn")], 1);
    let seconds = wait_ms.div_ceil(1000).to_string();
    let fields = [("limit".to_owned(), limit.name.clone()), ("key".to_owned(), demand.key.clone())];
    log::write(Level::Warn, &["it would refuse, for ", &seconds, " s"].concat(), &fields);
}
