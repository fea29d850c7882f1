//! `queue`, `status` and `metrics`: questions to the running server.

mod show;

use super::config_args::ConfigArgs;
use super::{QueueCommand, print_to, say};
use mta_core::edge::control::client::Client;
use mta_core::edge::control::{Request, Response, socket_path};
use serde::Serialize;
pub(super) use show::printable;
use show::{message_text, row_text, status_text};
use std::io::{self, BufWriter};

/// Asks and prints.
pub(crate) fn run(command: QueueCommand) -> Result<(), String> {
    match command {
        QueueCommand::List { config, which, json } => {
            let mut out = BufWriter::new(io::stdout().lock());
            let request = Request::List { selection: which.selection() };
            let end = client(&config)?.ask(&request, |row| {
                let line = if json { as_json(&row)? } else { row_text(&row) };
                print_to(&mut out, &line)
            })?;
            if !json {
                print_to(&mut out, &counted(&end, "queued")?)?;
            }
            io::Write::flush(&mut out).map_err(|error| format!("standard output: {error}"))
        }
        QueueCommand::Show { config, id, json } => match ask(&config, &Request::Show { id })? {
            Response::Message(message) => say(&if json { as_json(&message)? } else { message_text(&message) }),
            other => Err(unexpected(&other)),
        },
        QueueCommand::Retry { config, chosen } => {
            let end = ask(&config, &Request::Retry { selection: chosen.selection() })?;
            say(&counted(&end, "due now")?)
        }
        QueueCommand::Rebind { config, chosen } => {
            let end = ask(&config, &Request::Rebind { selection: chosen.selection() })?;
            say(&counted(&end, "rebound")?)
        }
        QueueCommand::Cancel { config, chosen } => {
            let end = ask(&config, &Request::Cancel { selection: chosen.selection() })?;
            say(&counted(&end, "cancelled")?)
        }
    }
}

/// Says how the server is.
pub(crate) fn status(config: &ConfigArgs, json: bool) -> Result<(), String> {
    match ask(config, &Request::Status)? {
        Response::Status(status) => say(&if json { as_json(&status)? } else { status_text(&status) }),
        other => Err(unexpected(&other)),
    }
}

/// Prints what the server counted.
pub(crate) fn metrics(config: &ConfigArgs) -> Result<(), String> {
    match ask(config, &Request::Metrics)? {
        Response::Metrics(text) => say(text.trim_end()),
        other => Err(unexpected(&other)),
    }
}

pub(super) fn client(config: &ConfigArgs) -> Result<Client, String> {
    Client::connect(&socket_path(&config.file().load()?.data_dir))
}

pub(super) fn ask(config: &ConfigArgs, request: &Request) -> Result<Response, String> {
    client(config)?.ask(request, |_| Err("the server's answer has a row where none was asked for".to_owned()))
}

pub(super) fn as_json(value: &impl Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

fn counted(end: &Response, what: &str) -> Result<String, String> {
    match end {
        Response::Done { messages: 1 } => Ok(format!("1 message {what}")),
        Response::Done { messages } => Ok(format!("{messages} messages {what}")),
        other => Err(unexpected(other)),
    }
}

pub(super) fn unexpected(response: &Response) -> String {
    format!("the server's answer was not to the question: {response:?}")
}
