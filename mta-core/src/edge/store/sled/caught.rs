//! sled at arm's length: its code is run where an error or a panic of it is an index lost, and its files are made durable
//! by us.

use crate::base::world::store::StoreFault;
use std::fs::{self, File};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Runs sled's code; an error or a panic of it says that the index is lost.
pub(super) fn caught<T>(work: impl FnOnce() -> ::sled::Result<T>) -> Result<T, StoreFault> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(::sled::Error::Io(e))) if e.kind() == std::io::ErrorKind::StorageFull => {
            // sled never writes again after this, even when there is room: only a new one does.
            Err(StoreFault::IndexLost("no space left on the device".to_owned()))
        }
        Ok(Err(e)) => Err(StoreFault::IndexLost(e.to_string())),
        Err(panic) => {
            let why = panic.downcast_ref::<String>().cloned();
            let why = why.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Err(StoreFault::IndexLost(format!("sled panicked: {}", why.unwrap_or_default())))
        }
    }
}

/// Puts an index away. A damaged sled may panic once more at that.
pub(super) fn close(db: Option<::sled::Db>) {
    let _closed = catch_unwind(AssertUnwindSafe(|| drop(db)));
}

/// Makes every file of the index durable, and their names.
pub(super) fn sync_all(dir: &Path) -> std::io::Result<()> {
    for item in fs::read_dir(dir)? {
        let item = item?;
        let kind = item.file_type()?;
        if kind.is_dir() {
            sync_all(&item.path())?;
        } else if kind.is_file() {
            match File::open(item.path()) {
                Ok(file) => file.sync_all()?,
                // sled replaces its snapshots as it goes.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
    }
    sync(dir)
}

pub(super) fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

/// Removes an index that does not count.
pub(super) fn remove(path: &Path) {
    // What stays only takes room, until the next start removes it.
    let _removed = fs::remove_dir_all(path);
}
