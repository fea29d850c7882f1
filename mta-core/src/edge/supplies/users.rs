//! The file of users: read at the start and at each reload, and looked at every few seconds between.

use super::file::{self, Followed, Version};
use crate::base::event::Event;
use crate::base::world::Observe;
use crate::config::model::Config;
use crate::path::auth::accounts::{Accounts, Surroundings};
use std::path::Path;
use std::sync::Arc;

/// The file, in octets.
const FILE_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The file of users, where the configuration names one.
#[derive(Clone)]
pub(super) struct UsersFile {
    file: Followed,
    /// What it must agree with.
    around: Arc<Surroundings>,
}

impl UsersFile {
    /// Reads it; without one there are no users.
    ///
    /// # Errors
    /// It can't be read; in words for the operator.
    pub(super) fn read(config: &Config) -> Result<(Option<Self>, Arc<Accounts>), String> {
        let Some(path) = &config.auth.users else { return Ok((None, Arc::default())) };
        let around = Arc::new(Surroundings::of(config));
        let (accounts, seen) = read(path, &around)?;
        Ok((Some(Self { file: Followed::new(path.clone(), seen), around }), accounts))
    }

    /// Looks whether the file has changed: its new version once it is complete, or why that can't be read.
    pub(super) fn look(&mut self) -> Option<Result<Arc<Accounts>, String>> {
        let Self { file, around } = self;
        file.look(|path| read(path, around))
    }

    /// Tells of a new version, and gives it to be put in force.
    pub(super) fn take(&self, found: Result<Arc<Accounts>, String>, observe: &dyn Observe) -> Option<Arc<Accounts>> {
        let path = self.file.path.display().to_string();
        match found {
            Ok(accounts) => {
                observe.event(Event::UsersReloaded { path: &path, users: accounts.len() as u64 });
                Some(accounts)
            }
            Err(why) => {
                observe.event(Event::UsersRefused { path: &path, why: &why });
                None
            }
        }
    }
}

fn read(path: &Path, around: &Surroundings) -> Result<(Arc<Accounts>, Version), String> {
    let (opened, about) = file::open(path)?;
    file::is_private(&about, path)?;
    let octets = file::content(opened, path, FILE_BYTES_MAX)?;
    let shown = path.display();
    if octets.len() > FILE_BYTES_MAX {
        return Err(format!("{shown} has more than {FILE_BYTES_MAX} octets"));
    }
    let accounts = Accounts::parse(&octets, around).map_err(|wrong| format!("{shown}: {wrong}"))?;
    Ok((Arc::new(accounts), file::version(&about)))
}
