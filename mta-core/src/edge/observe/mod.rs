//! The event log: every event is counted, and those that are loud enough become lines.
//!
//! The caller makes the line and appends it to a buffer in memory; one thread writes the buffer out. Mail never waits
//! for the log: when the reader of the log is too slow, lines are dropped, and how many is logged.

pub mod collect;
pub mod exposition;
mod json;
mod line;
pub mod mask;
pub mod scrape;
pub mod tally;
mod text;
mod writer;

use crate::base::event::{Event, Level};
use crate::base::world::Observe;
use crate::config::model::{Log, LogFormat, LogOutput};
use crate::edge::world::clock::wall;
use arc_swap::ArcSwap;
use mask::Mask;
use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tally::Tally;

/// The event log of the program: lines to a stream, and a counter for each event's name.
#[derive(Debug)]
pub struct EventLog {
    writer: writer::Writer,
    /// How loud an event must be, and how it looks: atomics, because a reload may change them.
    level: AtomicU8,
    format: AtomicU8,
    /// What lines show of people.
    mask: ArcSwap<Mask>,
    tally: Arc<Tally>,
}

/// Hears nothing: for commands that answer on their own output and have no log.
#[derive(Clone, Copy, Debug)]
pub struct Unheard;

impl Observe for Unheard {
    fn event(&self, _: Event<'_>) {}
}

thread_local! {
    /// Where a line is made: kept, so that a line costs no allocation.
    static LINE: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A line buffer that grew beyond this is given back.
const LINE_BYTES_KEPT: usize = 64 * 1024;

impl EventLog {
    /// A log to the configured stream.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start(config: &Log, mask: Mask) -> io::Result<Self> {
        match config.output {
            LogOutput::Stderr => Self::to(config, mask, Box::new(io::stderr())),
            LogOutput::Stdout => Self::to(config, mask, Box::new(io::stdout())),
        }
    }

    /// A log to any stream.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn to(config: &Log, mask: Mask, stream: Box<dyn io::Write + Send>) -> io::Result<Self> {
        let log = Self {
            writer: writer::Writer::start(stream, writer::BUFFER_BYTES_MAX)?,
            level: AtomicU8::new(0),
            format: AtomicU8::new(0),
            mask: ArcSwap::default(),
            tally: Arc::default(),
        };
        log.configure(config, mask);
        Ok(log)
    }

    /// Takes level, format and what is masked over from a new configuration. The stream stays.
    pub fn configure(&self, config: &Log, mask: Mask) {
        self.mask.store(Arc::new(mask));
        self.level.store(config.level as u8, Ordering::Relaxed);
        self.format.store(config.format as u8, Ordering::Relaxed);
    }

    /// What happened so far.
    #[must_use]
    pub fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    /// Waits until every line so far is written, at most for `limit`. Whether it was done: the reader may be stuck.
    #[must_use]
    pub fn flush(&self, limit: Duration) -> bool {
        self.report_dropped();
        self.writer.flush(limit)
    }

    fn write(&self, event: &Event<'_>, level: Level) {
        let mask = self.mask.load();
        LINE.with_borrow_mut(|line| {
            line.clear();
            if self.format.load(Ordering::Relaxed) == LogFormat::Json as u8 {
                line::json(line, &mask, wall(), level, event);
            } else {
                line::text(line, &mask, wall(), level, event);
            }
            self.writer.append(line, level == Level::Error);
            if line.capacity() > LINE_BYTES_KEPT {
                *line = Vec::new();
            }
        });
    }

    /// Tells of lost lines as soon as there is room again.
    fn report_dropped(&self) {
        if let Some(lines) = self.writer.take_dropped() {
            let event = Event::LogDropped { lines };
            self.tally.count(&event);
            self.write(&event, event.level());
        }
    }
}

impl Observe for EventLog {
    fn event(&self, event: Event<'_>) {
        self.tally.count(&event);
        let level = event.level();
        if level as u8 <= self.level.load(Ordering::Relaxed) {
            self.report_dropped();
            self.write(&event, level);
        }
    }
}

#[cfg(test)]
mod tests;
