//! `suppression`: the lists of addresses that are not to be written to, asked of the running server.

pub(crate) mod command;
mod file;

use super::queue::{as_json, client, unexpected};
use super::{print_to, say};
use command::{SuppressionCommand, Which};
use mta_core::base::flow::operator::suppression::Reason;
use mta_core::edge::control::client::Client;
use mta_core::edge::control::{List, Request, Response, SuppressedRow};
use std::io::{self, BufWriter, Write};

/// A request's addresses, in octets as JSON: the server takes 64 KiB.
const REQUEST_BYTES: usize = 48 * 1024;

/// Does it.
pub(crate) fn run(command: SuppressionCommand) -> Result<(), String> {
    match command {
        SuppressionCommand::List { which, json } => list(which, json, None),
        SuppressionCommand::Search { which, json, containing } => list(which, json, Some(&containing)),
        SuppressionCommand::Export { which } => {
            let mut out = BufWriter::new(io::stdout().lock());
            print_to(&mut out, "address,reason,since,by")?;
            which.open()?.each(None, |row| {
                let address = file::written(&row.address);
                print_to(&mut out, &format!("{address},{},{},{}", row.reason.name(), row.since, row.by))
            })?;
            out.flush().map_err(|error| format!("standard output: {error}"))
        }
        SuppressionCommand::Add { which, reason, addresses } => {
            let entries = addresses.into_iter().map(|address| (address, reason)).collect();
            say(&counted(which.open()?.add(entries)?, "added"))
        }
        SuppressionCommand::Remove { which, addresses } => {
            let mut open = which.open()?;
            let mut removed = 0;
            for address in addresses {
                removed += open.changed(&Request::SuppressionRemove { list: open.list.clone(), address })?;
            }
            say(&counted(removed, "removed"))
        }
        SuppressionCommand::Import { which, reason, file } => {
            let entries = file::read(&file, reason)?;
            let lines = entries.len();
            let added = which.open()?.add(entries)?;
            say(&format!("{}; {} of the file were there", counted(added, "added"), lines as u64 - added))
        }
    }
}

/// Prints a list, or what of it has a text in it.
fn list(which: Which, json: bool, containing: Option<&str>) -> Result<(), String> {
    let mut out = BufWriter::new(io::stdout().lock());
    which.open()?.each(containing, |row| print_to(&mut out, &if json { as_json(row)? } else { text(row) }))?;
    out.flush().map_err(|error| format!("standard output: {error}"))
}

/// A list of the running server.
struct Open {
    client: Client,
    list: List,
}

impl Which {
    fn open(self) -> Result<Open, String> {
        let config = self.config.file().load()?;
        if let Some(tenant) = &self.tenant
            && !config.tenants.iter().any(|known| *known.name == **tenant)
        {
            let known: Vec<&str> = config.tenants.iter().map(|tenant| &*tenant.name).collect();
            let known = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
            return Err(format!("{tenant:?} is no [[tenant]] of the configuration ({known})"));
        }
        let list = List { scope: self.scope, tenant: self.tenant };
        Ok(Open { client: client(&self.config)?, list })
    }
}

impl Open {
    /// Page by page, so that a long list needs no memory.
    fn each(
        &mut self,
        containing: Option<&str>,
        mut row: impl FnMut(&SuppressedRow) -> Result<(), String>,
    ) -> Result<(), String> {
        let mut after = None;
        loop {
            let request =
                Request::SuppressionList { list: self.list.clone(), after, containing: containing.map(str::to_owned) };
            let (addresses, more) = match self.ask(&request)? {
                Response::Suppressed { addresses, more } => (addresses, more),
                other => return Err(unexpected(&other)),
            };
            addresses.iter().try_for_each(&mut row)?;
            after = addresses.last().map(|last| last.address.clone());
            if !more {
                return Ok(());
            }
        }
    }

    /// Adds all of them, some at a time; how many were not there.
    fn add(&mut self, entries: Vec<(String, Reason)>) -> Result<u64, String> {
        let (mut added, mut some, mut bytes) = (0, Vec::new(), 0);
        for entry in entries {
            // A quote takes two octets.
            bytes += 2 * entry.0.len() + 32;
            some.push(entry);
            if bytes > REQUEST_BYTES {
                bytes = 0;
                added += self.add_some(std::mem::take(&mut some))?;
            }
        }
        Ok(added + self.add_some(some)?)
    }

    fn add_some(&mut self, addresses: Vec<(String, Reason)>) -> Result<u64, String> {
        if addresses.is_empty() {
            return Ok(0);
        }
        self.changed(&Request::SuppressionAdd { list: self.list.clone(), addresses })
    }

    fn changed(&mut self, request: &Request) -> Result<u64, String> {
        match self.ask(request)? {
            Response::Changed { addresses } => Ok(addresses),
            other => Err(unexpected(&other)),
        }
    }

    fn ask(&mut self, request: &Request) -> Result<Response, String> {
        self.client.ask(request, |_| Err("the server's answer has a row where none was asked for".to_owned()))
    }
}

fn text(row: &SuppressedRow) -> String {
    format!("{}  {}  since {} by {}", row.address, row.reason.name(), row.since, row.by)
}

fn counted(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 address {what}"),
        _ => format!("{count} addresses {what}"),
    }
}
