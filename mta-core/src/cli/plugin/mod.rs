//! `plugin`: for those who write plugins and those who run them.

pub(crate) mod command;
mod inspect;
mod serving;

use command::PluginCommand;

/// Does it.
pub(crate) fn run(command: PluginCommand) -> Result<(), String> {
    match command {
        PluginCommand::Inspect { component, json } => inspect::run(&component, json),
        PluginCommand::List { config, json } => serving::list(&config, json),
        PluginCommand::Reload(config) => serving::reload(&config),
        PluginCommand::Rollback(config) => serving::roll_back(&config),
    }
}
