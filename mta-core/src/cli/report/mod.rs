//! `report`: what other domains would be told, asked of the running server.

pub(crate) mod command;

use super::config_args::ConfigArgs;
use super::queue::{as_json, ask, unexpected};
use super::say;
use command::ReportCommand;
use mta_core::base::flow::operator::reports::ReportRow;
use mta_core::edge::control::{Request, Response};

/// Does it.
pub(crate) fn run(command: ReportCommand) -> Result<(), String> {
    match command {
        ReportCommand::List { config, json } => match ask(&config, &Request::ReportList)? {
            Response::Reports(reports) => {
                let line = |report: &ReportRow| if json { as_json(report) } else { Ok(text(report)) };
                reports.iter().try_for_each(|report| say(&line(report)?))
            }
            other => Err(unexpected(&other)),
        },
        ReportCommand::Show { config, domain } => {
            let shown = told(&config, &Request::ReportShow { domain: domain.clone() })?;
            if shown.is_empty() {
                return Err(format!("there is nothing to tell {domain}"));
            }
            shown.iter().try_for_each(|text| say(text.trim_end()))
        }
        ReportCommand::Send { config, domain } => {
            told(&config, &Request::ReportSend { domain })?.iter().try_for_each(|line| say(line))
        }
    }
}

fn told(config: &ConfigArgs, request: &Request) -> Result<Vec<String>, String> {
    match ask(config, request)? {
        Response::Told(texts) => Ok(texts),
        other => Err(unexpected(&other)),
    }
}

fn text(report: &ReportRow) -> String {
    let ReportRow { id, kind, domain, begin, end, due, results, dropped } = report;
    let due = due.as_deref().map_or_else(|| "being sent".to_owned(), |due| format!("due {due}"));
    let dropped = if *dropped == 0 { String::new() } else { format!(", {dropped} not counted") };
    format!("{id}  {} {domain}  {results} results{dropped}  {begin} to {end}  {due}", kind.name())
}
