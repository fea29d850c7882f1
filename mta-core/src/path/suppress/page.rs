//! A list as it is kept: pages of changes, one a record of a journal. The last page that names an address is right.

use crate::base::flow::suppression::{Held, ListName, Reason};
use crate::base::time::UnixMillis;
use crate::base::world::store::Record;
use serde::{Deserialize, Serialize};

/// The kind of a record that is a page.
const PAGE: u8 = 1;

/// Entries of one list; none: the address is off it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) list: ListName,
    pub(super) entries: Vec<(Box<str>, Option<Held>)>,
}

/// A page as it is written.
#[derive(Serialize, Deserialize)]
struct Written {
    scope: Box<str>,
    tenant: Option<Box<str>>,
    entries: Vec<(Box<str>, Option<WrittenEntry>)>,
}

#[derive(Serialize, Deserialize)]
struct WrittenEntry {
    reason: Reason,
    since: UnixMillis,
    by: Box<str>,
}

impl Page {
    /// The page as a record.
    pub(super) fn record(&self) -> Record {
        let entry =
            |Held { reason, since, by }: &Held| WrittenEntry { reason: *reason, since: *since, by: (**by).into() };
        let entries = self.entries.iter().map(|(who, held)| (who.clone(), held.as_ref().map(entry)));
        let ListName { scope, tenant } = &self.list;
        let written =
            Written { scope: (**scope).into(), tenant: tenant.as_deref().map(Into::into), entries: entries.collect() };
        let octets =
            postcard::to_extend(&written, Vec::new()).expect("pages are plain data: a growing vector takes all");
        Record { kind: PAGE, pieces: vec![octets.into()] }
    }

    /// The page of a record; none when it is none, as one of a newer version.
    pub(super) fn read(kind: u8, payload: &[u8]) -> Option<Self> {
        let written: Written = (kind == PAGE).then(|| postcard::from_bytes(payload).ok()).flatten()?;
        let held = |WrittenEntry { reason, since, by }| Held { reason, since, by: by.into() };
        let entries = written.entries.into_iter().map(|(who, entry)| (who, entry.map(held)));
        let list = ListName { scope: written.scope.into(), tenant: written.tenant.map(Into::into) };
        Some(Self { list, entries: entries.collect() })
    }
}
