//! Where the configuration is: the arguments of every command that needs one.

use clap::Args;
use mta_core::edge::config_file::ConfigFile;
use std::path::PathBuf;

/// Where the configuration is.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Override a key for this run, as delivery.paused=true; may be given several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

impl ConfigArgs {
    /// The file with its overrides.
    pub(crate) fn file(&self) -> ConfigFile {
        ConfigFile { path: self.config.clone(), sets: self.sets.clone() }
    }

    /// The same, for those who keep it.
    pub(crate) fn into_file(self) -> ConfigFile {
        ConfigFile { path: self.config, sets: self.sets }
    }
}
