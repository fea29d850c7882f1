//! `key` and `log`: the server's own keys, the one that signs what must come back to it and the one that hides addresses in
//! its log.

pub(crate) mod command;

use super::say;
use command::{KeyCommand, LogCommand};
use mta_core::config::model::Addresses;
use mta_core::edge::observe::mask::Mask;
use mta_core::edge::supplies::{known_log_key, rotate};
use mta_core::edge::world::dice::SystemDice;

pub(crate) fn run(command: KeyCommand) -> Result<(), String> {
    let KeyCommand::Rotate(config) = command;
    let config = config.file().load()?;
    let dice = SystemDice::new().map_err(|error| format!("there is no randomness: {error}"))?;
    let keys = rotate(&config.data_dir, &dice)?;
    say(&format!("A new key signs when the server has been restarted; what any of the {keys} keys signed counts."))
}

pub(crate) fn run_log(command: LogCommand) -> Result<(), String> {
    let LogCommand::Hash { config, names } = command;
    let config = config.file().load()?;
    let mask = Mask::of(Addresses::Hashed, || known_log_key(&config.data_dir))?;
    let lines: Vec<_> = names.iter().map(|name| mask.name(name)).collect();
    say(&lines.join("\n"))
}
