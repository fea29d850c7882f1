//! Buckets as they are kept: pages of changes, one a record of a journal.
//!
//! Replayed from the beginning, the last page that names a key is right. A journal that begins with a page of everything
//! needs nothing that was before.

use super::rate::Limit;
use crate::base::world::store::Record;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The kind of a record that is a page.
const PAGE: u8 = 1;

/// Whose bucket it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct BucketName {
    pub(crate) plugin: Arc<str>,
    /// The tenant whose mail it is about.
    pub(crate) tenant: Option<Arc<str>>,
    /// The plugin's own name for it.
    pub(crate) bucket: Box<str>,
}

/// An entry of a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// A value.
    Value { value: Vec<u8>, version: u64, expires_ms: Option<u64> },
    /// There is no value.
    Gone,
    /// A rate limit, as older versions kept it: when it is whole again, in nanoseconds since 1970. One that is gone was
    /// whole again.
    Limit(u128),
    /// A rate limit.
    Rate(Limit),
}

impl What {
    pub(crate) fn is_limit(&self) -> bool {
        matches!(self, Self::Limit(_) | Self::Rate(_))
    }
}

/// Entries of one bucket.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) plugin: Box<str>,
    pub(crate) tenant: Option<Box<str>>,
    pub(crate) bucket: Box<str>,
    pub(crate) entries: Vec<(Box<str>, What)>,
}

impl Page {
    pub(crate) fn new(name: &BucketName, entries: Vec<(Arc<str>, What)>) -> Self {
        let entries = entries.into_iter().map(|(key, what)| (Box::from(&*key), what)).collect();
        let BucketName { plugin, tenant, bucket } = name;
        Self { plugin: (**plugin).into(), tenant: tenant.as_deref().map(Into::into), bucket: bucket.clone(), entries }
    }

    /// The bucket that it is of.
    pub(crate) fn name(&self) -> BucketName {
        BucketName {
            plugin: (&*self.plugin).into(),
            tenant: self.tenant.as_deref().map(Into::into),
            bucket: self.bucket.clone(),
        }
    }

    /// The page as a record.
    pub(crate) fn record(&self) -> Record {
        let octets = postcard::to_extend(self, Vec::new()).expect("pages are plain data: a growing vector takes all");
        Record { kind: PAGE, pieces: vec![octets.into()] }
    }

    /// The page of a record; none when it is none, as one of a newer version.
    pub(crate) fn read(kind: u8, payload: &[u8]) -> Option<Self> {
        (kind == PAGE).then(|| postcard::from_bytes(payload).ok()).flatten()
    }
}
