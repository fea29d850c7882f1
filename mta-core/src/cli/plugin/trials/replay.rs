//! `plugin replay`: recorded hook calls against another version, with what differs.

use super::super::super::queue::as_json;
use super::super::super::say;
use super::differences::described;
use super::tried;
use mta_core::app::trial::replay::{Replayed, replay};
use mta_core::base::flow::operator::trial::{RECORD_FORMAT, RECORD_VERSION, RecordHead, Recorded};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A line of a record, in octets: a message's beginning, as text with escapes, for each call of its transaction.
const LINE_BYTES_MAX: u64 = 256 * 1024 * 1024;

pub(in crate::cli::plugin) fn run(
    file: &Path,
    component: &str,
    config: Option<&Path>,
    plugin: Option<&str>,
    json: bool,
) -> Result<(), String> {
    let mut lines = Lines::open(file)?;
    let head = lines.head()?;
    let name = plugin.or(config.map(|_| head.plugin.as_str()));
    let (config, name) = tried(component, config, name)?;
    let Replayed { calls, differing, cut } = replay(&config, &name, lines, |difference| {
        say(&if json { as_json(difference)? } else { described(difference) })
    })?;
    let of_cut =
        if cut > 0 { format!("; {cut} were of messages of which the beginning was recorded") } else { String::new() };
    match differing {
        0 if json => Ok(()),
        0 => say(&format!("{calls} calls were answered as recorded{of_cut}")),
        _ => Err(format!("{differing} of {calls} calls were answered otherwise{of_cut}")),
    }
}

/// A file of records, line by line.
struct Lines<'a> {
    file: BufReader<File>,
    path: &'a Path,
    number: u64,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self { file: BufReader::new(file), path, number: 0 })
    }

    fn head(&mut self) -> Result<RecordHead, String> {
        let no_record = || format!("{}: it is no record; `mailwright plugin record` writes one", self.path.display());
        let line = self.line()?.ok_or_else(no_record)?;
        let no_record = || format!("{}: it is no record; `mailwright plugin record` writes one", self.path.display());
        let head: RecordHead = serde_json::from_slice(&line).map_err(|_| no_record())?;
        match (head.format.as_str(), head.version) {
            (RECORD_FORMAT, RECORD_VERSION) => Ok(head),
            (RECORD_FORMAT, version) => Err(format!(
                "{}: a record of version {version}; this program reads version {RECORD_VERSION}",
                self.path.display()
            )),
            _ => Err(no_record()),
        }
    }

    fn line(&mut self) -> Result<Option<Vec<u8>>, String> {
        let mut line = Vec::new();
        self.number += 1;
        let read = (&mut self.file).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| self.told(&error))?;
        match line.last() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(line)),
            Some(_) => Err(self.told(&"it ends within a line: the recording was cut off")),
        }
    }

    fn told(&self, what: &dyn std::fmt::Display) -> String {
        format!("{}: line {}: {what}", self.path.display(), self.number)
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Recorded, String>;

    fn next(&mut self) -> Option<Self::Item> {
        let line = self.line().transpose()?;
        Some(line.and_then(|line| serde_json::from_slice(&line).map_err(|error| self.told(&error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_core::base::flow::operator::trial::{RecordedCall, RecordedQuestion, Said};

    #[test]
    fn a_record_is_read_line_by_line_and_what_is_none_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("calls.jsonl");
        let head = |version: u32| {
            let format = RECORD_FORMAT.to_owned();
            as_json(&RecordHead { format, version, plugin: "hello".to_owned() }).expect("JSON") + "\n"
        };
        let call = RecordedCall { asked: RecordedQuestion::Connect, message: None, said: Said::next() };
        let recorded = Recorded { session: None, tenant: None, calls: vec![call] };
        let line = as_json(&recorded).expect("JSON") + "\n";
        let read = |text: &str| {
            std::fs::write(&path, text).expect("written");
            let mut lines = Lines::open(&path)?;
            assert_eq!(lines.head()?.plugin, "hello");
            lines.collect::<Result<Vec<Recorded>, String>>()
        };
        assert_eq!(read(&(head(1) + &line + &line)), Ok(vec![recorded.clone(), recorded]));
        assert!(read("").is_err_and(|why| why.contains("it is no record")));
        assert!(read("{}\n").is_err_and(|why| why.contains("it is no record")));
        assert!(read(&head(2)).is_err_and(|why| why.contains("a record of version 2")));
        assert!(read(&(head(1) + line.trim_end())).is_err_and(|why| why.contains("line 2: it ends within a line")));
        assert!(read(&(head(1) + "{}\n")).is_err_and(|why| why.contains("line 2: missing field `calls`")));
    }
}
