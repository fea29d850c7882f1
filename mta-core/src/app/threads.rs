//! The threads that serve: those of mail that comes in, and those of mail that goes out.
//!
//! Each direction has its own, so that its code stays in the caches of few cores and its threads need not wake those of the
//! other to share work (decision 59).

use crate::config::model;
use std::thread::available_parallelism;
use tokio::runtime::{Builder, Handle, Runtime};

/// Of each thread that serves: guests recurse on it, and are stopped long before its end. Only what is used takes memory.
const STACK_BYTES: usize = 4 << 20;

/// What mail needs to be served.
pub(super) struct Threads {
    receive: Runtime,
    deliver: Runtime,
}

impl Threads {
    /// As many as the configuration says. Mail that comes in may use every core, as may all that is neither in nor out;
    /// half as many do for mail that goes out.
    ///
    /// # Errors
    /// The system gives none; in words for the operator.
    pub(super) fn start(wanted: model::Threads) -> Result<Self, String> {
        Ok(Self {
            receive: start("receive", wanted.receive.unwrap_or_else(cores))?,
            deliver: start("deliver", wanted.deliver.unwrap_or_else(|| cores().div_ceil(2)))?,
        })
    }

    /// Where mail goes out. The stages are told of it, and begin there what is to run there.
    pub(super) fn deliver(&self) -> &Handle {
        self.deliver.handle()
    }

    /// Runs until it is done, beside the mail that comes in.
    pub(super) fn run<T>(&self, served: impl Future<Output = T>) -> T {
        self.receive.block_on(served)
    }
}

/// Runs what serves no mail until it is done.
///
/// # Errors
/// Those of the work, or the system gives no threads.
pub(super) fn run<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    start("mailwright", cores())?.block_on(work)
}

fn cores() -> usize {
    available_parallelism().map_or(1, usize::from)
}

fn start(name: &str, threads: usize) -> Result<Runtime, String> {
    let mut runtime = Builder::new_multi_thread();
    runtime.worker_threads(threads).thread_name(name).thread_stack_size(STACK_BYTES).enable_all();
    runtime.build().map_err(|error| format!("no threads: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    fn name() -> Option<String> {
        thread::current().name().map(str::to_owned)
    }

    #[test]
    fn each_direction_has_threads_of_its_own() {
        let threads = Threads::start(model::Threads { receive: Some(1), deliver: Some(1) }).expect("two threads");
        let (inward, outward) = threads.run(async {
            let inward = tokio::spawn(async { name() }).await.expect("it ends");
            let outward = threads.deliver().spawn(async { (name(), tokio::spawn(async { name() }).await) });
            (inward, outward.await.expect("it ends"))
        });
        assert_eq!(inward.as_deref(), Some("receive"));
        assert_eq!(outward.0.as_deref(), Some("deliver"));
        assert_eq!(outward.1.expect("it ends").as_deref(), Some("deliver"), "what is begun there stays there");
    }
}
