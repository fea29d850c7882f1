//! `plugin`: for those who write plugins and those who run them.

mod build;
mod builtin;
pub(crate) mod command;
mod guest;
mod inspect;
mod new;
mod sdk;
mod serving;
mod trials;

use super::say;
use command::PluginCommand;
use guest::Room;
use mta_core::base::flow::operator::buckets::BucketQuery;
use trials::{bench, differences, record, replay, test};

/// Does it.
pub(crate) fn run(command: PluginCommand) -> Result<(), String> {
    match command {
        PluginCommand::New { name, sdk } => new::run(&name, sdk.as_deref()),
        PluginCommand::Build { module: Some(module), release_dir, .. } => {
            build::module(&module, release_dir.as_deref())
        }
        PluginCommand::Builtin { name: Some(name), out: Some(out) } => builtin::write(&name, &out),
        PluginCommand::Builtin { .. } => builtin::list(),
        PluginCommand::Build { folder, release_dir, stack, heap, .. } => {
            let room = Room { stack_bytes: stack * 1024, heap_bytes: heap * 1024 };
            build::run(&folder, room, release_dir.as_deref())
        }
        PluginCommand::Wit { folder, c_library } => {
            let mut paths = vec![build::contract::write(&folder)?];
            if let Some(folder) = c_library {
                paths.append(&mut build::contract::library(&folder)?);
            }
            let lines: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
            say(&lines.join("\n"))
        }
        PluginCommand::Inspect { component, json } => inspect::run(&component, json),
        PluginCommand::Test { component, cases } => test::run(&component, &cases),
        PluginCommand::List { config, json } => serving::list(&config, json),
        PluginCommand::Reload(config) => serving::reload(&config),
        PluginCommand::Rollback(config) => serving::roll_back(&config),
        PluginCommand::Bucket { config, plugin, bucket, tenant, prefix, json } => {
            let prefix = prefix.unwrap_or_default();
            serving::bucket::run(&config, BucketQuery { plugin, bucket, tenant, prefix, after: None }, json)
        }
        PluginCommand::Differences { config, plugin, json } => differences::run(&config, plugin, json),
        PluginCommand::Record { config, plugin, calls, out } => record::run(&config, &plugin, calls, &out),
        PluginCommand::Replay { file, component, config, plugin, json } => {
            replay::run(&file, &component, config.as_deref(), plugin.as_deref(), json)
        }
        PluginCommand::Bench { component, config, plugin, cases, json } => {
            bench::run(&component, config.as_deref(), plugin.as_deref(), cases.as_deref(), json)
        }
    }
}
