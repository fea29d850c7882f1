//! The pulse: epoch ticks while guests run, none while none does.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;
use wasmtime::Engine;

/// Between two ticks: the unit in which guests' processor time is counted.
pub const TICK: Duration = Duration::from_millis(1);

/// Between two ticks while no call lasts: nearly all are over within microseconds, and each tick takes a processor from
/// the threads that serve.
const SLOW_TICKS: u32 = 4;

/// Ticks that come quickly after a call saw a second one: it may be waiting for its turn when the next one comes.
const QUICK_TICKS: u32 = 16;

/// Slow ticks without a guest before the beat rests: waking a thread costs more than a fresh instance.
const IDLE_TICKS_MAX: u32 = 12;

/// Shared by the hook calls and the thread that beats.
pub struct Pulse {
    /// Guests run in both.
    engines: [Engine; 2],
    /// Calls under way.
    running: AtomicUsize,
    /// Quick ticks to come: a call saw two ticks, so it lasts, and its time is counted from here on.
    quick: AtomicU32,
    /// The thread rests, or is about to.
    resting: AtomicBool,
    thread: OnceLock<Thread>,
}

/// One call under way.
pub(crate) struct Running<'a>(&'a Pulse);

impl Pulse {
    pub(crate) fn new(engines: [Engine; 2]) -> Self {
        Self {
            engines,
            running: AtomicUsize::new(0),
            quick: AtomicU32::new(0),
            resting: AtomicBool::new(false),
            thread: OnceLock::new(),
        }
    }

    /// A call begins; it ends when what is returned is dropped.
    pub(crate) fn enter(&self) -> Running<'_> {
        self.running.fetch_add(1, Ordering::SeqCst);
        // Sequential order with `beat`: either it sees the call, or we see that it rests.
        if self.resting.load(Ordering::SeqCst)
            && self.resting.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
        Running(self)
    }

    /// A call lasts: the next ticks are [`TICK`] apart.
    pub(crate) fn hurry(&self) {
        self.quick.store(QUICK_TICKS, Ordering::Relaxed);
    }

    /// One beat of the thread that drives the pulse: `sleep` is called with the time to the next tick while guests run,
    /// `rest` (which parks until woken) when none did for a while. Returns how many idle ticks there were in a row.
    pub fn beat(&self, idle: u32, sleep: impl FnOnce(Duration), rest: impl FnOnce()) -> u32 {
        if idle >= IDLE_TICKS_MAX {
            self.resting.store(true, Ordering::SeqCst);
            if self.running.load(Ordering::SeqCst) == 0 {
                rest();
            }
            self.resting.store(false, Ordering::SeqCst);
        }
        let quick = self.quick.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |quick| quick.checked_sub(1)).is_ok();
        sleep(if quick { TICK } else { TICK * SLOW_TICKS });
        self.engines.iter().for_each(Engine::increment_epoch);
        match self.running.load(Ordering::SeqCst) {
            0 => idle.saturating_add(1),
            _ => 0,
        }
    }

    /// Names the thread that beats; once.
    pub fn driven_by(&self, thread: Thread) {
        // A second driver would only beat twice as fast; the first keeps being woken.
        let _ = self.thread.set(thread);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
