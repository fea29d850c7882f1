//! Large content: one file each, written as it arrives.

use super::super::disk::{Disk, DiskFile, write_all};
use super::super::{blocking, fault};
use crate::base::flow::Answer;
use crate::base::mail::content::ReadAt;
use crate::base::world::store::{BlobWriter, OpenBlob, StoreFault};
use bytes::{Bytes, BytesMut};
use std::fs::{self, File};
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Octets gathered before they are written: enough that a thread's wake-up does not count.
const BUFFER_BYTES: usize = 256 * 1024;

/// Where a blob of that name lies. Names are queue ids; anything that could leave the directory is refused.
pub(super) fn path(dir: &Path, name: &str) -> Result<PathBuf, StoreFault> {
    if name.is_empty() || !name.bytes().all(|octet| octet.is_ascii_alphanumeric()) {
        return Err(StoreFault::Io(format!("{name:?} is no name for a blob")));
    }
    Ok(dir.join("blobs").join(name))
}

pub(super) fn create(disk: Arc<dyn Disk>, path: PathBuf) -> Result<Box<dyn BlobWriter>, StoreFault> {
    let file = disk.create(&path).map_err(|e| fault(&e))?;
    Ok(Box::new(Writer { disk, file: Some(file), written: 0, path, gathered: BytesMut::new(), finished: false }))
}

pub(super) fn open(path: &Path) -> Result<OpenBlob, StoreFault> {
    let file = File::open(path).map_err(|e| fault(&e))?;
    let length = file.metadata().map_err(|e| fault(&e))?.len();
    Ok((Arc::new(Reader(file)), length))
}

pub(super) fn remove(disk: &dyn Disk, path: &Path) -> Result<(), StoreFault> {
    match disk.remove(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(fault(&e)),
        _ => Ok(()),
    }
}

pub(super) fn names(dir: &Path) -> Result<Vec<String>, StoreFault> {
    let read = fs::read_dir(dir.join("blobs")).map_err(|e| fault(&e))?;
    let names = read.map(|item| item.map(|item| item.file_name().into_string().ok()));
    let names: io::Result<Vec<_>> = names.collect();
    Ok(names.map_err(|e| fault(&e))?.into_iter().flatten().collect())
}

struct Reader(File);

impl ReadAt for Reader {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.0.read_at(&mut buffer[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(filled)
    }
}

struct Writer {
    disk: Arc<dyn Disk>,
    /// Away while a thread writes to it; missing for good after an error.
    file: Option<Box<dyn DiskFile>>,
    written: u64,
    path: PathBuf,
    gathered: BytesMut,
    finished: bool,
}

impl Writer {
    /// Writes what was gathered, and makes it durable if asked.
    async fn flush(&mut self, durable: bool) -> Result<(), StoreFault> {
        let lost = || StoreFault::Io("an earlier write of this blob failed".to_owned());
        let file = self.file.take().ok_or_else(lost)?;
        let octets = self.gathered.split().freeze();
        let offset = self.written;
        self.written += octets.len() as u64;
        let disk = Arc::clone(&self.disk);
        let dir = self.path.parent().map(Path::to_owned);
        let file = blocking(move || {
            let written = write_all(&*file, &mut [IoSlice::new(&octets)], offset);
            written.and_then(|()| if durable { file.sync_all() } else { Ok(()) }).map_err(|e| fault(&e))?;
            if let (true, Some(dir)) = (durable, dir) {
                disk.sync_dir(&dir).map_err(|e| fault(&e))?;
            }
            Ok(file)
        });
        self.file = Some(file.await?);
        Ok(())
    }
}

impl BlobWriter for Writer {
    fn write(&mut self, octets: Bytes) -> Answer<'_, Result<(), StoreFault>> {
        Box::pin(async move {
            for piece in octets.chunks(BUFFER_BYTES) {
                self.gathered.extend_from_slice(piece);
                if self.gathered.len() >= BUFFER_BYTES {
                    self.flush(false).await?;
                }
            }
            Ok(())
        })
    }

    fn finish(mut self: Box<Self>) -> Answer<'static, Result<(), StoreFault>> {
        Box::pin(async move {
            self.flush(true).await?;
            self.finished = true;
            Ok(())
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.finished {
            // What is left is an orphan, which the next start removes.
            let _removed = self.disk.remove(&self.path);
        }
    }
}
