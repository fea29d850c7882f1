//! The wiring: the only file that knows every part.

use crate::edge::config_file::ConfigFile;
use crate::edge::observe::EventLog;
use crate::edge::world::signals::raise_open_files_limit;
use std::thread::available_parallelism;

/// What the command line says about serving.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The configuration; read again at each reload.
    pub config: ConfigFile,
}

/// Serves mail until a signal ends it. Returns when all is drained.
///
/// # Errors
/// Lines for people: the configuration is wrong, a port is taken, the spool can't be opened.
pub fn serve(options: ServeOptions) -> Result<(), String> {
    let ServeOptions { config: file } = options;
    let config = file.load()?;
    // Fewer descriptors mean fewer sessions, not none.
    let _ = raise_open_files_limit();
    let log = EventLog::start(&config.log).map_err(|error| format!("the log can't be opened: {error}"))?;
    let workers = available_parallelism().map_or(1, usize::from);
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(workers).thread_name("mailwright").enable_all().build();
    let runtime = runtime.map_err(|error| format!("no threads: {error}"))?;
    drop((runtime, log));
    Err("serving is not wired".to_owned())
}

/// Rebuilds the spool's index from its journal, while no server runs.
///
/// # Errors
/// Lines for people: a server runs with this data directory, or the disk fails.
pub fn rebuild_spool(options: ServeOptions) -> Result<(), String> {
    let ServeOptions { config: file } = options;
    file.load()?;
    Err("rebuilding is not wired".to_owned())
}
