//! What an operator sees of plugins' buckets: limits with what is left of them, and values.

use serde::{Deserialize, Serialize};

/// What of a plugin's buckets is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketQuery {
    /// The plugin's configured name.
    pub plugin: String,
    /// One of its buckets; none: all.
    #[serde(default)]
    pub bucket: Option<String>,
    /// Those of a tenant's mail; none: all.
    #[serde(default)]
    pub tenant: Option<String>,
    /// How keys begin.
    #[serde(default)]
    pub prefix: String,
    /// The entry behind which the page begins; none: at the first.
    #[serde(default)]
    pub after: Option<BucketPlace>,
}

/// The place of an entry: by tenant and bucket, values before limits, then by key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketPlace {
    /// The tenant; none: mail of nobody in particular, or of all.
    pub tenant: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// It is a limit.
    pub limit: bool,
    /// Its key.
    pub key: String,
}

/// Some of the entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketPage {
    /// In the order of their places.
    pub entries: Vec<BucketRow>,
    /// Where the next page begins; none: this is the last.
    pub after: Option<BucketPlace>,
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketRow {
    /// The tenant whose mail it is about; none: nobody in particular, or all.
    pub tenant: Option<String>,
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// What is there.
    #[serde(flatten)]
    pub what: BucketEntry,
}

/// What is under a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BucketEntry {
    /// A limit that something was taken from.
    Limit {
        /// What is left of it now; none where it was last used by a version that did not keep how large it is.
        left: Option<u32>,
        /// So much in each window.
        limit: u32,
        /// So much at once.
        burst: u32,
        /// The window.
        window_ms: u64,
        /// When it is whole again.
        whole_in_ms: u64,
    },
    /// A value.
    Value {
        /// Its length.
        bytes: u64,
        /// It, where it is short text, or a counter.
        text: Option<String>,
        /// When it is forgotten; none: never.
        expires_in_ms: Option<u64>,
    },
}
