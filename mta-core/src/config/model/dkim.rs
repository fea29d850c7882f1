//! `[[dkim]]`: keys that sign what goes out.

use std::path::PathBuf;
use std::sync::Arc;

/// `[[dkim]]`: a key, and whose mail it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DkimKey {
    /// The domain that signs, in lower case and in A-labels.
    pub domain: Box<str>,
    /// Where below it the public key is.
    pub selector: Box<str>,
    /// The file of the private key.
    pub key: PathBuf,
    /// Where that is named, as `FILE:LINE:COLUMN: arc.key`.
    pub at: Box<str>,
    /// Whose mail it signs. None: that of the tenant whose domain it is, or anybody's where it is nobody's.
    pub tenants: Vec<Arc<str>>,
}
