//! Signals of the system, as what they ask for; and the process's own limits.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::io;
use tokio::signal::unix::{self, SignalKind};

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// SIGTERM or SIGINT: drain and end. A second one: end now.
    Terminate,
    /// SIGHUP: read the configuration again.
    Reload,
}

/// The signals of this process, from `new` on.
#[derive(Debug)]
pub struct Signals {
    terminate: unix::Signal,
    interrupt: unix::Signal,
    hangup: unix::Signal,
}

impl Signals {
    /// Takes the signals over from the system, which would end the process. Needs tokio's runtime.
    ///
    /// # Errors
    /// The system refuses a handler.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: unix::signal(SignalKind::terminate())?,
            interrupt: unix::signal(SignalKind::interrupt())?,
            hangup: unix::signal(SignalKind::hangup())?,
        })
    }

    /// The next one. Dropping the future loses none.
    pub async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.interrupt.recv() => Signal::Terminate,
            _ = self.hangup.recv() => Signal::Reload,
        }
    }
}

/// Lets this process open as many files as it may: sessions, next hops and blobs each take one. How many that are;
/// none: without limit.
///
/// # Errors
/// The system refuses; the old limit stays.
pub fn raise_open_files_limit() -> io::Result<Option<u64>> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hangup_asks_for_a_reload_and_a_term_for_the_end() {
        let mut signals = Signals::new().expect("handlers");
        let this = rustix::process::getpid();
        rustix::process::kill_process(this, rustix::process::Signal::HUP).expect("sent");
        assert_eq!(signals.next().await, Signal::Reload);
        rustix::process::kill_process(this, rustix::process::Signal::TERM).expect("sent");
        assert_eq!(signals.next().await, Signal::Terminate);
    }

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let now = raise_open_files_limit().expect("raising to the hard limit is allowed");
        assert_eq!(getrlimit(Resource::Nofile).current, now);
    }
}
