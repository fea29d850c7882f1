//! Real Maildirs: `tmp/`, fsync, rename to `new/`, fsync of the directory.

use crate::base::flow::Answer;
use crate::base::mail::content::Body;
use crate::base::mail::render::Rendered;
use crate::base::world::maildir::{LineEnds, MaildirFault, Maildirs};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// What is read of a stored body at once, in octets.
const READ_BYTES: usize = 256 * 1024;

/// Maildirs in this machine's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct FileMaildirs;

impl Maildirs for FileMaildirs {
    fn put<'a>(
        &'a self,
        maildir: &'a Path,
        name: String,
        message: Rendered,
        lines: LineEnds,
    ) -> Answer<'a, Result<(), MaildirFault>> {
        let maildir = maildir.to_owned();
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || put(&maildir, &name, &message, lines)).await;
            match written {
                Ok(done) => done.map_err(|fault| meaning(&fault)),
                // Only when the runtime goes down: nothing was promised.
                Err(cut) => Err(MaildirFault::Io(cut.to_string())),
            }
        })
    }
}

fn put(maildir: &Path, name: &str, message: &Rendered, lines: LineEnds) -> io::Result<()> {
    let draft = maildir.join("tmp").join(name);
    let kept = write_draft(maildir, &draft, message, lines).and_then(|()| {
        fs::rename(&draft, maildir.join("new").join(name))?;
        File::open(maildir.join("new"))?.sync_all()
    });
    if kept.is_err() {
        // What is left in tmp/ is nobody's; readers remove it after 36 hours where we can't now.
        let _ = fs::remove_file(&draft);
    }
    kept
}

fn write_draft(maildir: &Path, draft: &PathBuf, message: &Rendered, lines: LineEnds) -> io::Result<()> {
    let open = || OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(draft);
    let file = match open() {
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            make(maildir)?;
            open()?
        }
        other => other?,
    };
    let mut out = Lines { out: BufWriter::with_capacity(64 * 1024, file), lines, held: false };
    for piece in &message.head {
        out.put(piece)?;
    }
    match &message.body {
        Body::Memory(octets) => out.put(octets)?,
        Body::Stored { source, bytes } => {
            let mut buffer = vec![0; READ_BYTES];
            let mut offset = 0;
            while offset < *bytes {
                let read = source.read_at(offset, &mut buffer)?;
                let piece = buffer.get(..read).filter(|piece| !piece.is_empty());
                out.put(piece.ok_or(io::ErrorKind::UnexpectedEof)?)?;
                offset += read as u64;
            }
        }
    }
    out.finish()?.sync_all()
}

/// Makes the Maildir and its three directories, for its owner alone, and makes their names durable.
fn make(maildir: &Path) -> io::Result<()> {
    for part in ["tmp", "new", "cur"] {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(maildir.join(part))?;
    }
    File::open(maildir)?.sync_all()?;
    match maildir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Turns CRLF into LF on the way, also where it lies across two pieces.
struct Lines<W> {
    out: W,
    lines: LineEnds,
    /// A CR ended the last piece; what follows decides about it.
    held: bool,
}

impl Lines<BufWriter<File>> {
    fn finish(mut self) -> io::Result<File> {
        if self.held {
            self.out.write_all(b"\r")?;
        }
        self.out.into_inner().map_err(io::IntoInnerError::into_error)
    }
}

impl<W: Write> Lines<W> {
    fn put(&mut self, piece: &[u8]) -> io::Result<()> {
        if self.lines == LineEnds::AsSent || piece.is_empty() {
            return self.out.write_all(piece);
        }
        if std::mem::take(&mut self.held) && piece.first() != Some(&b'\n') {
            self.out.write_all(b"\r")?;
        }
        let mut rest = piece;
        while let Some(at) = memchr::memchr(b'\r', rest) {
            let (before, behind) = rest.split_at(at);
            self.out.write_all(before)?;
            rest = behind.get(1..).unwrap_or_default();
            match rest.first() {
                Some(b'\n') => {}
                Some(_) => self.out.write_all(b"\r")?,
                None => self.held = true,
            }
        }
        self.out.write_all(rest)
    }
}

fn meaning(fault: &io::Error) -> MaildirFault {
    match fault.kind() {
        io::ErrorKind::StorageFull => MaildirFault::DiskFull,
        io::ErrorKind::QuotaExceeded => MaildirFault::OverQuota,
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => MaildirFault::Denied(fault.to_string()),
        _ => MaildirFault::Io(fault.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::content::ReadAt;
    use bytes::Bytes;
    use smallvec::smallvec;
    use std::sync::Arc;

    const HEAD: &[u8] = b"Subject: x\r\n\r\n";

    fn message(body: &'static [u8]) -> Rendered {
        Rendered { head: smallvec![Bytes::from_static(HEAD)], body: Body::Memory(Bytes::from_static(body)) }
    }

    /// Gives at most three octets a call.
    struct Drops(&'static [u8]);

    impl ReadAt for Drops {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            let rest = &self.0[usize::try_from(offset).expect("small")..];
            let read = rest.len().min(3).min(buffer.len());
            buffer[..read].copy_from_slice(&rest[..read]);
            Ok(read)
        }
    }

    #[tokio::test]
    async fn a_message_becomes_one_file_in_new_with_local_line_ends() {
        let dir = tempfile::tempdir().expect("a directory");
        let maildir = dir.path().join("deep").join("box");
        let body: &'static [u8] = b"one\r\ntwo\r\n";
        for (name, body) in [
            ("1.a.host", Body::Memory(Bytes::from_static(body))),
            ("1.b.host", Body::Stored { source: Arc::new(Drops(body)), bytes: 10 }),
        ] {
            let message = Rendered { body, ..message(b"") };
            FileMaildirs.put(&maildir, name.into(), message, LineEnds::Local).await.expect("the disk is writable");
            let text = fs::read(maildir.join("new").join(name)).expect("in new/");
            assert_eq!(text, b"Subject: x\n\none\ntwo\n");
        }
        assert_eq!(fs::read_dir(maildir.join("tmp")).expect("made").count(), 0);
        assert!(maildir.join("cur").is_dir());
    }

    #[tokio::test]
    async fn binary_content_is_kept_octet_for_octet_and_a_second_delivery_replaces_the_first() {
        let dir = tempfile::tempdir().expect("a directory");
        let binary = message(b"\r\n\r\0\n\r");
        for _ in 0..2 {
            let put = FileMaildirs.put(dir.path(), "1.x.h".into(), binary.clone(), LineEnds::AsSent);
            put.await.expect("the disk is writable");
        }
        let found = fs::read(dir.path().join("new/1.x.h")).expect("in new/");
        assert_eq!(found, [HEAD, b"\r\n\r\0\n\r"].concat());
        assert_eq!(fs::read_dir(dir.path().join("new")).expect("made").count(), 1);
    }

    #[tokio::test]
    async fn a_body_that_ends_early_leaves_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let short = Rendered { body: Body::Stored { source: Arc::new(Drops(b"ab")), bytes: 9 }, ..message(b"") };
        let put = FileMaildirs.put(dir.path(), "1.x.h".into(), short, LineEnds::Local).await;
        assert!(matches!(put, Err(MaildirFault::Io(_))));
        for part in ["tmp", "new"] {
            assert_eq!(fs::read_dir(dir.path().join(part)).expect("made").count(), 0);
        }
    }

    #[tokio::test]
    async fn a_file_in_the_way_is_an_error_not_a_loss() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("file");
        fs::write(&file, b"x").expect("writable");
        let put = FileMaildirs.put(&file, "1.x.h".into(), message(b""), LineEnds::Local).await;
        assert!(put.is_err());
        assert_eq!(fs::read(&file).expect("kept"), b"x");
    }

    #[test]
    fn a_lone_cr_survives_wherever_the_pieces_are_cut() {
        let text = b"a\rb\r\nc\r";
        for cut in 0..=text.len() {
            let mut lines = Lines { out: Vec::new(), lines: LineEnds::Local, held: false };
            lines.put(&text[..cut]).expect("memory");
            lines.put(&text[cut..]).expect("memory");
            assert_eq!(lines.out, b"a\rb\nc", "cut at {cut}");
            assert!(lines.held);
        }
    }
}
