//! The storage engines: memory, and the journal with sled as its index.

#[cfg(test)]
mod conformance;
mod direct;
mod disk;
pub mod journal;
pub mod memory;
pub mod sled;

use crate::base::world::store::StoreFault;
use std::io;

/// What an error of the file system means for the store.
fn fault(error: &io::Error) -> StoreFault {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreFault::Full,
        _ => StoreFault::Io(error.to_string()),
    }
}

/// Runs what may block on the disk where that is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreFault> + Send + 'static,
) -> Result<T, StoreFault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(e) => Err(StoreFault::Io(format!("a storage task did not end: {e}"))),
    }
}
