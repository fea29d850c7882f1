//! The log's writer: a bounded buffer that callers append to, and one thread that writes it out.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Lines that wait to be written, in octets: some seconds of a busy server's.
pub(super) const BUFFER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How long the thread lets lines gather: a write and a wake-up for each line would cost more than the line.
const GATHER: Duration = Duration::from_millis(10);

/// From half a gathering's worth on, the thread is woken at once.
const GATHER_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
    bytes_max: usize,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// Something for the thread: a first line, haste, or the end.
    work: Condvar,
    /// For those who flush: something was written.
    written: Condvar,
    /// Lines that found no room, or that the stream did not take, and that nobody was told of yet.
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Write now and don't gather.
    haste: bool,
    /// The thread is between taking lines and having written them.
    writing: bool,
    closed: bool,
}

impl Shared {
    /// A panic while holding the lock can leave nothing half done: the lines are only appended or taken.
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Writer {
    pub(super) fn start(stream: Box<dyn Write + Send>, bytes_max: usize) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread = thread::Builder::new().name("log".to_owned()).spawn(move || run(&theirs, stream))?;
        Ok(Self { shared, thread: Some(thread), bytes_max })
    }

    /// Appends a whole line, or counts it as dropped. Never waits for the stream.
    pub(super) fn append(&self, line: &[u8], haste: bool) {
        let mut waiting = self.shared.lock();
        if waiting.lines.len() + line.len() > self.bytes_max {
            drop(waiting);
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let first = waiting.lines.is_empty();
        waiting.lines.extend_from_slice(line);
        let hurry = !waiting.haste && (haste || waiting.lines.len() > GATHER_BYTES_MAX);
        waiting.haste |= hurry;
        drop(waiting);
        if first || hurry {
            self.shared.work.notify_one();
        }
    }

    /// How many lines were dropped since the last call, if any, and if there is room to say so.
    pub(super) fn take_dropped(&self) -> Option<u64> {
        if self.shared.dropped.load(Ordering::Relaxed) == 0 || self.shared.lock().lines.len() > self.bytes_max / 2 {
            return None;
        }
        Some(self.shared.dropped.swap(0, Ordering::Relaxed)).filter(|lines| *lines > 0)
    }

    /// Waits until all is written, at most for `limit`; whether it was.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let end = Instant::now() + limit;
        let mut waiting = self.shared.lock();
        waiting.haste = true;
        self.shared.work.notify_one();
        while waiting.writing || !waiting.lines.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            (waiting, _) = self.shared.written.wait_timeout(waiting, left).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        /// A reader that is stuck must not keep the program from ending.
        const LAST_WORDS: Duration = Duration::from_secs(1);
        let written = self.flush(LAST_WORDS);
        self.shared.lock().closed = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take().filter(|_| written) {
            // It ends at once and has nothing left to say.
            let _ = thread.join();
        }
    }
}

/// The thread: takes what has gathered, writes it, again.
fn run(shared: &Shared, mut stream: Box<dyn Write + Send>) {
    let mut lines = Vec::new();
    loop {
        let mut waiting = shared.lock();
        while waiting.lines.is_empty() && !waiting.closed {
            waiting = shared.work.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if waiting.lines.is_empty() {
            return;
        }
        if !waiting.haste {
            let gathered = shared.work.wait_timeout_while(waiting, GATHER, |waiting| !waiting.haste && !waiting.closed);
            waiting = gathered.unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::swap(&mut lines, &mut waiting.lines);
        waiting.haste = false;
        waiting.writing = true;
        drop(waiting);
        if stream.write_all(&lines).and_then(|()| stream.flush()).is_err() {
            // A full disk or a reader that went away: there is nobody to tell but the counter.
            let lost = memchr::memchr_iter(b'\n', &lines).count() as u64;
            shared.dropped.fetch_add(lost, Ordering::Relaxed);
        }
        lines.clear();
        lines.shrink_to(GATHER_BYTES_MAX);
        shared.lock().writing = false;
        shared.written.notify_all();
    }
}
