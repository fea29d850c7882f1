//! The files of tables: read at the start and at each reload, and looked at every few seconds between.

use super::file::{self, Followed, Version};
use crate::base::event::Event;
use crate::base::world::Observe;
use crate::config::model;
use crate::sandbox::{TABLE_BYTES_MAX, Table, TableSlot};
use std::path::Path;
use std::sync::Arc;

/// A table and its file.
#[derive(Clone)]
pub(super) struct TableFile {
    pub(super) name: Arc<str>,
    pub(super) slot: Arc<TableSlot>,
    file: Followed,
}

impl TableFile {
    /// Reads a table of the configuration. Its content is returned, and not in force yet: a slot of `before` keeps
    /// what it has till then.
    ///
    /// # Errors
    /// It can't be read; in words for the operator.
    pub(super) fn read(table: &model::Table, before: &[Self]) -> Result<(Self, Arc<Table>), String> {
        let (content, seen) = read(&table.file)?;
        let known = before.iter().find(|file| file.name == table.name);
        let slot = known.map_or_else(|| Arc::new(TableSlot::default()), |file| file.slot.clone());
        Ok((Self { name: table.name.clone(), slot, file: Followed::new(table.file.clone(), seen) }, content))
    }

    /// Looks whether the file has changed: its new version once it is complete, or why that can't be read.
    pub(super) fn look(&mut self) -> Option<Result<Arc<Table>, String>> {
        self.file.look(read)
    }

    /// Puts a new version in force, or tells why not.
    pub(super) fn take(&self, found: Result<Arc<Table>, String>, observe: &dyn Observe) {
        let (table, path) = (&*self.name, self.file.path.display().to_string());
        match found {
            Ok(content) => {
                let entries = content.entries() as u64;
                self.slot.store(content);
                observe.event(Event::TableReloaded { table, path: &path, entries });
            }
            Err(why) => observe.event(Event::TableRefused { table, path: &path, why: &why }),
        }
    }
}

fn read(path: &Path) -> Result<(Arc<Table>, Version), String> {
    let (opened, about) = file::open(path)?;
    let octets = file::content(opened, path, TABLE_BYTES_MAX)?;
    let shown = path.display();
    if octets.len() > TABLE_BYTES_MAX {
        return Err(format!("{shown} has more than {TABLE_BYTES_MAX} octets"));
    }
    let table = Table::parse(&octets).map_err(|bad| format!("{shown}: {bad}"))?;
    Ok((Arc::new(table), file::version(&about)))
}
