//! The configuration's file: read whole, with a limit, at the start and again at each reload.

use crate::config::model::Config;
use crate::config::parse::parse;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

/// A configuration larger than this is a mistake, such as a device or a log.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Where the configuration comes from.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// The file.
    pub path: PathBuf,
    /// `key=value` overrides of the command line, in their order.
    pub sets: Vec<String>,
}

impl ConfigFile {
    /// Reads and checks it.
    ///
    /// # Errors
    /// Lines for people: the file can't be read, or everything that is wrong with it.
    pub fn load(&self) -> Result<Config, String> {
        let name = self.path.display();
        let mut text = String::new();
        let file = File::open(&self.path).map_err(|error| format!("{name}: {error}"))?;
        let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
        read.map_err(|error| format!("{name}: {error}"))?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(format!("{name}: larger than {FILE_BYTES_MAX} bytes: this is no configuration"));
        }
        parse(&name.to_string(), &text, &self.sets).map_err(|problems| problems.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let file = ConfigFile { path: "no/such.toml".into(), sets: Vec::new() };
        let error = file.load().expect_err("it is not there");
        assert!(error.starts_with("no/such.toml: No such file"), "{error}");
    }

    #[test]
    fn a_file_is_checked_with_its_overrides() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("mx.toml");
        let text = "hostname = \"a\"\ndata_dir = \"d\"\nlistener = [{ name = \"l\", bind = \"127.0.0.1:0\" }]\n";
        std::fs::write(&path, text).expect("written");
        let load = |set: &str| ConfigFile { path: path.clone(), sets: vec![set.to_owned()] }.load();
        assert!(load("delivery.paused=true").expect("a good file").delivery.paused);
        assert!(load("delivery.pause=true").expect_err("no such key").contains("did you mean `paused`?"));
    }
}
