//! `user`: who may authenticate, changed in the file that the server follows; no server need run.

pub(crate) mod command;
mod file;
mod password;

use super::config_args::ConfigArgs;
use super::{print_to, say};
use command::UserCommand;
use file::UsersFile;
use mta_core::base::sasl::prepare;
use mta_core::base::sasl::sender::SenderPattern;
use mta_core::path::auth::line::UserLine;
use serde_json::json;
use std::io::{self, BufWriter, Write};

/// Does it.
pub(crate) fn run(command: UserCommand) -> Result<(), String> {
    match command {
        UserCommand::Add { config, name, tenant, sender: senders, no_scram, no_password } => {
            let name = prepared(&name)?;
            let sender = |text: &String| SenderPattern::parse(text).map_err(|what| format!("{text:?}: {what}"));
            let senders = senders.iter().map(sender).collect::<Result<Vec<_>, _>>()?;
            let mut user = UserLine { name, password: None, scram: None, tenant: tenant.map(Into::into), senders };
            user.may_send()
                .map_err(|_| format!("{:?} is no address: say with --sender whom its mail may be from", user.name))?;
            // What is wrong is told before a password is asked for.
            is_new(&open(&config)?, &user.name)?;
            if !no_password {
                password::give(&mut user, !no_scram)?;
            }
            change(&config, |file| {
                is_new(file, &user.name)?;
                file.add(&user);
                Ok(())
            })?;
            say(&format!("{} was added", user.name))
        }
        UserCommand::Passwd { config, name, no_scram } => {
            let name = prepared(&name)?;
            let mut user = open(&config)?.find(&name)?;
            password::give(&mut user, !no_scram)?;
            change(&config, |file| {
                let UserLine { password, scram, .. } = user.clone();
                let present = file.find(&name)?;
                file.replace(&UserLine { password, scram, ..present });
                Ok(())
            })?;
            say(&format!("{name} has another password"))
        }
        UserCommand::Remove { config, name } => {
            let name = prepared(&name)?;
            change(&config, |file| {
                file.find(&name)?;
                file.remove(&name);
                Ok(())
            })?;
            say(&format!("{name} was removed"))
        }
        UserCommand::List { config, json } => list(&config, json),
    }
}

fn is_new(file: &UsersFile, name: &str) -> Result<(), String> {
    match file.has(name) {
        true => Err(format!("{name} is there already: `mailwright user passwd` gives it another password")),
        false => Ok(()),
    }
}

fn list(config: &ConfigArgs, json: bool) -> Result<(), String> {
    let mut out = BufWriter::new(io::stdout().lock());
    for user in open(config)?.users() {
        let senders: Vec<String> = user.may_send()?.iter().map(ToString::to_string).collect();
        let line = match json {
            true => {
                let (tenant, scram) = (user.tenant.as_deref(), user.scram.is_some());
                json!({ "name": user.name, "tenant": tenant, "senders": senders, "scram": scram }).to_string()
            }
            false => format!("{}  {}  {}", user.name, user.tenant.as_deref().unwrap_or("-"), senders.join(" ")),
        };
        print_to(&mut out, &line)?;
    }
    out.flush().map_err(|error| format!("standard output: {error}"))
}

fn prepared(name: &str) -> Result<Box<str>, String> {
    let fits = prepare::name(name).filter(|name| !name.contains('=') && !name.starts_with('#'));
    fits.ok_or_else(|| format!("expected a name without spaces, = and leading #, at most 255 octets, found {name:?}"))
}

fn open(config: &ConfigArgs) -> Result<UsersFile, String> {
    UsersFile::read(&config.file().load()?)
}

/// Changes the file, while nobody else does.
fn change(config: &ConfigArgs, change: impl FnOnce(&mut UsersFile) -> Result<(), String>) -> Result<(), String> {
    let config = config.file().load()?;
    let _turn = file::turn(&config)?;
    let mut file = UsersFile::read(&config)?;
    change(&mut file)?;
    file.write(&config)
}
