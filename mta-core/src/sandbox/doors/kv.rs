//! The host functions on what is kept: those of the grants `kv:<bucket>` and `tables:<name>`.

use super::super::capability::kv::Bucket;
use super::super::capability::kv::entries::{KvFault, Stored};
use super::super::capability::kv::rate::{Demand, Manner, Rate, Taken};
use super::super::host::bindings::mailwright::plugin::kv::{self as wire, Error};
use super::super::host::bindings::mailwright::plugin::tables;
use super::super::host::call::Call;
use std::sync::Arc;

/// Limits that one call takes from.
const DEMANDS_MAX: usize = 1_000;

impl Call {
    fn bucket(&self, name: &str) -> Result<Arc<Bucket>, Error> {
        self.plugin.grants.bucket(name, self.scene.tenant.as_ref()).ok_or(Error::NoSuchBucket)
    }
}

impl From<KvFault> for Error {
    fn from(fault: KvFault) -> Self {
        match fault {
            KvFault::Quota => Self::Quota,
            KvFault::TooLarge => Self::TooLarge,
            KvFault::Conflict => Self::Conflict,
        }
    }
}

impl From<Taken> for wire::Taken {
    fn from(taken: Taken) -> Self {
        match taken {
            Taken::Remaining(left) => Self::Remaining(left),
            Taken::RetryAfterMs(wait) => Self::RetryAfterMs(wait),
        }
    }
}

impl From<wire::Demand> for Demand {
    fn from(demand: wire::Demand) -> Self {
        let wire::Demand { key, cost, limit, burst, window_ms, manner } = demand;
        let manner = match manner {
            wire::Manner::Must => Manner::Must,
            wire::Manner::May => Manner::May,
            wire::Manner::Fill => Manner::Fill,
            wire::Manner::Look => Manner::Look,
        };
        Self { key, cost, rate: Rate { limit, burst, window_ms }, manner }
    }
}

impl wire::Host for Call {
    fn get(&mut self, bucket: String, key: String) -> Result<Option<wire::Entry>, Error> {
        let found = self.bucket(&bucket)?.get(self.now_ms(), &key);
        Ok(found.map(|Stored { value, version, expires_ms }| wire::Entry { value, version, expires_ms }))
    }

    fn set(&mut self, bucket: String, key: String, value: Vec<u8>, ttl: Option<u64>) -> Result<(), Error> {
        self.bucket(&bucket)?.set(self.now_ms(), &key, value, ttl)?;
        Ok(())
    }

    fn delete(&mut self, bucket: String, key: String) -> Result<bool, Error> {
        Ok(self.bucket(&bucket)?.delete(self.now_ms(), &key))
    }

    fn cas(
        &mut self,
        bucket: String,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
        ttl: Option<u64>,
    ) -> Result<u64, Error> {
        Ok(self.bucket(&bucket)?.cas(self.now_ms(), &key, expected, value, ttl)?)
    }

    fn incr(&mut self, bucket: String, key: String, delta: i64, ttl: Option<u64>) -> Result<i64, Error> {
        Ok(self.bucket(&bucket)?.incr(self.now_ms(), &key, delta, ttl)?)
    }

    fn take(
        &mut self,
        bucket: String,
        key: String,
        cost: u32,
        limit: u32,
        window_ms: u64,
    ) -> Result<wire::Taken, Error> {
        Ok(self.bucket(&bucket)?.take(self.now_ms(), &key, cost, limit, window_ms)?.into())
    }

    fn take_all(&mut self, bucket: String, demands: Vec<wire::Demand>) -> Result<Vec<wire::Taken>, Error> {
        if demands.len() > DEMANDS_MAX {
            return Err(Error::TooLarge);
        }
        let demands: Vec<Demand> = demands.into_iter().map(Into::into).collect();
        let taken = self.bucket(&bucket)?.take_all(self.now_ms(), &demands)?;
        Ok(taken.into_iter().map(Into::into).collect())
    }

    fn list_keys(
        &mut self,
        bucket: String,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<String>, Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.bucket(&bucket)?.list_keys(self.now_ms(), &prefix, after.as_deref(), limit))
    }
}

impl tables::Host for Call {
    fn lookup(&mut self, table: String, key: String) -> Result<Option<String>, tables::Error> {
        let table = self.plugin.grants.table(&table).ok_or(tables::Error::NoSuchTable)?;
        Ok(table.load().lookup(&key).map(str::to_owned))
    }
}
