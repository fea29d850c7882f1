//! The files that the operator supplies: secrets and tables for plugins, users, keys that sign. They are read at the start
//! and at each reload; tables and users also when they change.

pub(in crate::edge) mod file;
mod key;
mod keys;
mod secrets;
mod tables;
#[cfg(test)]
mod tables_tests;
mod users;
#[cfg(test)]
mod users_tests;

pub use key::{key, known_log_key, log_key, rotate};

use crate::base::world::Observe;
use crate::base::world::tls::Trust;
use crate::config::model::Config;
use crate::edge::tls::outgoing::roots;
use crate::path::auth::accounts::Accounts;
use crate::path::auth::driver::{Secrets, Users};
use crate::path::deliver::sign::keyring::Keyring;
use crate::sandbox::{Supplies, Table};
use arc_swap::ArcSwap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tables::TableFile;
use users::UsersFile;

/// How often the files of tables and of users are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What is in force of the files.
#[derive(Default)]
pub struct Shelf {
    in_force: Mutex<InForce>,
    users: Arc<Users>,
    secrets: Arc<Secrets>,
    keys: Arc<ArcSwap<Keyring>>,
}

#[derive(Default)]
struct InForce {
    /// How often something was put here.
    generation: u64,
    tables: Vec<TableFile>,
    users: Option<UsersFile>,
}

/// Reads the keys alone.
///
/// # Errors
/// A line for each that can't be had.
pub fn read_keys(config: &Config) -> Result<Keyring, String> {
    keys::read(config).map_err(|wrong| wrong.join("\n"))
}

/// What was read, and is not in force yet.
pub struct Reading {
    /// For the plugins to be loaded with.
    pub supplies: Supplies,
    tables: Vec<(TableFile, Arc<Table>)>,
    users: (Option<UsersFile>, Arc<Accounts>),
    keys: Keyring,
}

impl Shelf {
    /// Where the keys in force are.
    pub fn keys(&self) -> Arc<ArcSwap<Keyring>> {
        Arc::clone(&self.keys)
    }

    /// Reads all that the configuration names. A table that is known keeps its present content until [`put`](Self::put);
    /// a new one has it at once.
    ///
    /// # Errors
    /// A line for each that can't be had; nothing is changed.
    pub fn read(&self, config: &Config) -> Result<Reading, String> {
        let before = self.in_force().tables.clone();
        let mut wrong = Vec::new();
        let keys = keys::read(config).unwrap_or_else(|why| {
            wrong.extend(why);
            Keyring::default()
        });
        let mut reading =
            Reading { supplies: Supplies::default(), tables: Vec::new(), users: Default::default(), keys };
        reading.supplies.tenants = config.tenants.iter().map(|tenant| tenant.name.clone()).collect();
        match UsersFile::read(config) {
            Ok(users) => reading.users = users,
            Err(why) => wrong.push(format!("auth.users: {why}")),
        }
        let (oauth, http) = (config.auth.oauth.as_ref(), config.auth.http.as_ref());
        let believed = [("oauth", oauth.map(|oauth| &oauth.trust)), ("http", http.map(|http| &http.trust))];
        for (section, trust) in believed {
            if let Some(Trust::File(path)) = trust {
                wrong.extend(roots(path).err().map(|why| format!("auth.{section}.ca: {why}")));
            }
        }
        for secret in &config.secrets {
            match secrets::read(&secret.source) {
                Ok(value) => reading.supplies.secrets.push((secret.name.clone(), value)),
                Err(why) => wrong.push(format!("secret \"{}\": {why}", secret.name)),
            }
        }
        for table in &config.tables {
            match TableFile::read(table, &before) {
                Ok((file, content)) => {
                    if !before.iter().any(|known| known.name == file.name) {
                        file.slot.store(content.clone());
                    }
                    reading.supplies.tables.push((file.name.clone(), file.slot.clone()));
                    reading.tables.push((file, content));
                }
                Err(why) => wrong.push(format!("table \"{}\": {why}", table.name)),
            }
        }
        if wrong.is_empty() { Ok(reading) } else { Err(wrong.join("\n")) }
    }

    /// Puts in force what was read.
    pub fn put(&self, reading: Reading) {
        let mut in_force = self.in_force();
        in_force.generation += 1;
        let taken = reading.tables.into_iter().map(|(file, content)| {
            file.slot.store(content);
            file
        });
        in_force.tables = taken.collect();
        let (file, users) = reading.users;
        in_force.users = file;
        self.users.store(users);
        self.secrets.store(Arc::new(reading.supplies.secrets));
        self.keys.store(Arc::new(reading.keys));
    }

    /// The users in force, now and later.
    #[must_use]
    pub fn users(&self) -> Arc<Users> {
        Arc::clone(&self.users)
    }

    /// The secrets in force, now and later.
    #[must_use]
    pub fn secrets(&self) -> Arc<Secrets> {
        Arc::clone(&self.secrets)
    }

    /// Looks at the files of tables and of users, for as long as it is polled.
    pub async fn watch(self: Arc<Self>, observe: Arc<dyn Observe>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let has_files = |in_force: &InForce| in_force.users.is_some() || !in_force.tables.is_empty();
            if !has_files(&self.in_force()) {
                continue;
            }
            let (shelf, observe) = (Arc::clone(&self), Arc::clone(&observe));
            // Disks may be slow, and a table large: not on the threads that serve.
            if tokio::task::spawn_blocking(move || shelf.look(&*observe)).await.is_err() {
                return;
            }
        }
    }

    /// Looks once. A reload meanwhile wins: it has read the files later.
    fn look(&self, observe: &dyn Observe) {
        let (generation, mut files, mut users) = {
            let in_force = self.in_force();
            (in_force.generation, in_force.tables.clone(), in_force.users.clone())
        };
        let found: Vec<_> = files.iter_mut().map(TableFile::look).collect();
        let found_users = users.as_mut().and_then(UsersFile::look);
        let mut in_force = self.in_force();
        if in_force.generation != generation {
            return;
        }
        for (file, found) in files.iter().zip(found) {
            found.into_iter().for_each(|found| file.take(found, observe));
        }
        in_force.tables = files;
        if let (Some(file), Some(found)) = (&users, found_users) {
            file.take(found, observe).into_iter().for_each(|accounts| self.users.store(accounts));
        }
        in_force.users = users;
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
