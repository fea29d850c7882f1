//! The file of users, changed line by line: comments and all else stay as they are.

use mta_core::config::model::Config;
use mta_core::path::auth::accounts::{Accounts, Surroundings};
use mta_core::path::auth::line::UserLine;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

/// The lines of the file.
pub(super) struct UsersFile {
    lines: Vec<String>,
}

/// The file that the configuration names.
fn path(config: &Config) -> Result<&Path, String> {
    let path = config.auth.users.as_deref();
    path.ok_or_else(|| "the configuration names no file of users: expected `[auth] users = \"…\"`".to_owned())
}

/// Nobody else changes the file until this is dropped. The directory is what is locked, because the file is replaced.
pub(super) fn turn(config: &Config) -> Result<File, String> {
    let folder = folder(path(config)?);
    let failed = |error: io::Error| format!("{}: {error}", folder.display());
    let turn = File::open(&folder).map_err(failed)?;
    turn.lock().map_err(failed)?;
    Ok(turn)
}

fn folder(path: &Path) -> PathBuf {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

impl UsersFile {
    /// Reads it; one that is not there has nobody in it.
    pub(super) fn read(config: &Config) -> Result<Self, String> {
        let path = path(config)?;
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            read => read.map_err(|error| format!("{}: {error}", path.display()))?,
        };
        let file = Self { lines: text.lines().map(str::to_owned).collect() };
        file.check(config)?;
        Ok(file)
    }

    fn text(&self) -> String {
        self.lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }

    /// What the server would say of it.
    fn check(&self, config: &Config) -> Result<(), String> {
        let read = Accounts::parse(self.text().as_bytes(), &Surroundings::of(config));
        read.map(drop).map_err(|wrong| format!("{}: {wrong}", path(config).unwrap_or(Path::new("")).display()))
    }

    /// All users, in the order of the file.
    pub(super) fn users(&self) -> impl Iterator<Item = UserLine> {
        self.lines.iter().filter_map(|line| UserLine::parse(line).ok().flatten())
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.users().any(|user| *user.name == *name)
    }

    /// The user of that name.
    pub(super) fn find(&self, name: &str) -> Result<UserLine, String> {
        let found = self.users().find(|user| *user.name == *name);
        found.ok_or_else(|| format!("there is no user {name}"))
    }

    pub(super) fn add(&mut self, user: &UserLine) {
        self.lines.push(user.to_string());
    }

    pub(super) fn replace(&mut self, user: &UserLine) {
        let found = self.lines.iter_mut().find(|line| is_of(line, &user.name));
        found.into_iter().for_each(|line| *line = user.to_string());
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.lines.retain(|line| !is_of(line, name));
    }

    /// Puts a new file in the old one's place, so that the server sees the one or the other, and a crash leaves one of
    /// them. It is its owner's alone, and stays the owner's of the old one.
    pub(super) fn write(&self, config: &Config) -> Result<(), String> {
        self.check(config)?;
        let path = path(config)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let new = folder(path).join(format!(".{name}.{}", std::process::id()));
        let written = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
            file.write_all(self.text().as_bytes())?;
            if let Ok(old) = fs::metadata(path) {
                let about = file.metadata()?;
                if (old.uid(), old.gid()) != (about.uid(), about.gid()) {
                    chown(&new, Some(old.uid()), Some(old.gid()))?;
                }
            }
            file.sync_all()?;
            fs::rename(&new, path)
        };
        written().map_err(|error| {
            // What is left of it is of no use to anybody.
            let _ = fs::remove_file(&new);
            format!("{}: {error}", path.display())
        })
    }
}

fn is_of(line: &str, name: &str) -> bool {
    UserLine::parse(line).ok().flatten().is_some_and(|user| *user.name == *name)
}
