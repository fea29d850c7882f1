//! The pulse: epoch ticks while guests run, none while none does.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;
use wasmtime::Engine;

/// Between two ticks: the unit in which guests' processor time is counted.
pub const TICK: Duration = Duration::from_millis(1);

/// Ticks without a guest before the beat rests: waking a thread costs more than a fresh instance.
const IDLE_TICKS_MAX: u32 = 50;

/// Shared by the hook calls and the thread that beats.
pub struct Pulse {
    engine: Engine,
    /// Calls under way.
    running: AtomicUsize,
    /// The thread rests, or is about to.
    resting: AtomicBool,
    thread: OnceLock<Thread>,
}

/// One call under way.
pub(crate) struct Running(Arc<Pulse>);

impl Pulse {
    pub(crate) fn new(engine: Engine) -> Self {
        Self { engine, running: AtomicUsize::new(0), resting: AtomicBool::new(false), thread: OnceLock::new() }
    }

    /// A call begins; it ends when what is returned is dropped.
    pub(crate) fn enter(self: &Arc<Self>) -> Running {
        self.running.fetch_add(1, Ordering::SeqCst);
        // Sequential order with `beat`: either it sees the call, or we see that it rests.
        if self.resting.load(Ordering::SeqCst)
            && self.resting.swap(false, Ordering::SeqCst)
            && let Some(thread) = self.thread.get()
        {
            thread.unpark();
        }
        Running(self.clone())
    }

    /// One beat of the thread that drives the pulse: `sleep` is called with [`TICK`] while guests run, `rest` (which
    /// parks until woken) when none did for a while. Returns how many idle ticks there were in a row.
    pub fn beat(&self, idle: u32, sleep: impl FnOnce(Duration), rest: impl FnOnce()) -> u32 {
        if idle >= IDLE_TICKS_MAX {
            self.resting.store(true, Ordering::SeqCst);
            if self.running.load(Ordering::SeqCst) == 0 {
                rest();
            }
            self.resting.store(false, Ordering::SeqCst);
        }
        sleep(TICK);
        self.engine.increment_epoch();
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

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}
