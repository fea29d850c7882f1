//! `plugin record`: hook calls of the running server, into a file.

use super::super::super::config_args::ConfigArgs;
use super::super::super::queue::client;
use super::super::super::say;
use mta_core::base::flow::operator::trial::{RECORD_FORMAT, RECORD_VERSION, RecordHead, Recorded};
use mta_core::edge::control::Request;
use serde::Serialize;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// A file of records is not longer, in octets.
const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

pub(in crate::cli::plugin) fn run(config: &ConfigArgs, plugin: &str, calls: u64, out: &Path) -> Result<(), String> {
    let mut client = client(config)?;
    let mut file = RecordFile::create(out)?;
    file.line(&RecordHead { format: RECORD_FORMAT.to_owned(), version: RECORD_VERSION, plugin: plugin.to_owned() })?;
    let (mut recorded_calls, mut transactions) = (0, 0_u64);
    let request = Request::PluginRecord { plugin: plugin.to_owned(), calls };
    let done = client.record(&request, |recorded: &Recorded| {
        recorded_calls += recorded.calls.len();
        transactions += 1;
        file.line(recorded)
    });
    if let Err(why) = done {
        return Err(if transactions > 0 { format!("{why}; {transactions} transactions are in the file") } else { why });
    }
    say(&format!("{}: {recorded_calls} calls in {transactions} transactions", out.display()))
}

struct RecordFile<'a> {
    file: BufWriter<File>,
    path: &'a Path,
    bytes: u64,
}

impl<'a> RecordFile<'a> {
    /// Mail is in it: nobody else may read it, and no file that is there is written over.
    fn create(path: &'a Path) -> Result<Self, String> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { file: BufWriter::new(file), path, bytes: 0 })
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), String> {
        let mut line = serde_json::to_vec(value).map_err(|error| error.to_string())?;
        line.push(b'\n');
        self.bytes += line.len() as u64;
        if self.bytes > FILE_BYTES_MAX {
            return Err(format!("{}: it would be longer than {FILE_BYTES_MAX} octets", self.path.display()));
        }
        // Each line at once: whoever stops the command has what came so far.
        let written = self.file.write_all(&line).and_then(|()| self.file.flush());
        written.map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_record_is_for_its_owner_alone_and_overwrites_nothing() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("calls.jsonl");
        let mut file = RecordFile::create(&path).expect("created");
        file.line(&1).expect("written");
        assert_eq!(std::fs::read_to_string(&path).expect("there"), "1\n");
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        assert!(RecordFile::create(&path).is_err_and(|why| why.contains("calls.jsonl: ")));
    }
}
