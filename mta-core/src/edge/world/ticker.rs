//! The thread that beats for the plugins: a tick each millisecond while guests run.

use crate::sandbox::Pulse;
use std::io;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// How long the thread rests at most before it looks whether anyone still holds the pulse.
const REST: Duration = Duration::from_secs(10);

/// Starts the thread. It ends when the pulse is dropped by everyone else, at the latest a rest's length after it.
///
/// # Errors
/// The system has no thread left.
pub fn spawn(pulse: &Arc<Pulse>) -> io::Result<()> {
    let weak = Arc::downgrade(pulse);
    let handle = thread::Builder::new().name("plugin-ticker".to_owned()).spawn(move || run(&weak))?;
    pulse.driven_by(handle.thread().clone());
    Ok(())
}

fn run(pulse: &Weak<Pulse>) {
    let mut idle = 0;
    while let Some(pulse) = pulse.upgrade() {
        idle = pulse.beat(idle, thread::sleep, || thread::park_timeout(REST));
    }
}
