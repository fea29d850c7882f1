//! What is in an archive: the names of its files, and of those in archives within it.
//!
//! Names are read from directories and headers. Files are unpacked only where they are archives themselves, and within a budget for the
//! whole message. What can't be looked into is told as that, and is not guessed.

mod cab;
mod gzip;
mod kind;
mod rar;
mod seven;
mod tar;
mod unpack;
mod zip;

use super::octets::Octets;
use kind::{Kind, inner_name, is_archive};
use mailwright_plugin::Fault;
use unpack::{End, inflate, unpack};

/// Archives within each other that are opened; `a.tar.gz` is two. Nobody packs deeper but to hide something.
const DEPTH_MAX: u32 = 5;

/// What is found in an archive.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Archive {
    /// All names in it, and in archives within it.
    pub(crate) names: Vec<String>,
    /// Some of it wants a password.
    pub(crate) is_locked: bool,
    /// There are more names than are looked at, it is nested beyond reason, or it can't be read.
    pub(crate) is_cut: bool,
    /// There is something in it that may have names of its own, and was not looked into.
    pub(crate) is_unseen: bool,
}

/// What may be spent on the archives of one message.
#[derive(Debug)]
pub(crate) struct Budget {
    /// Names that are looked at.
    entries: usize,
    /// Their octets.
    name_bytes: usize,
    /// Archives within archives that are opened.
    archives: u32,
    /// What is unpacked for it, in octets.
    unpacked_bytes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { entries: 10_000, name_bytes: 1024 * 1024, archives: 256, unpacked_bytes: 2 * 1024 * 1024 }
    }
}

/// Looks into what may be an archive and goes by that name. None if it is none.
///
/// # Errors
/// The server did not give its octets.
pub(crate) fn look(name: &str, octets: &Octets, budget: &mut Budget) -> Result<Option<Archive>, Fault> {
    let mut look = Look { found: Archive::default(), budget, depth: 1, inner: Vec::new() };
    if !look.open(name, octets)? {
        return Ok(None);
    }
    while let Some(inner) = look.inner.pop() {
        look.descend(inner)?;
    }
    Ok(Some(look.found))
}

/// One look, which the readers of all kinds tell what they find.
#[derive(Debug)]
struct Look<'b> {
    found: Archive,
    budget: &'b mut Budget,
    /// How deep what is read lies; an attachment is at 1.
    depth: u32,
    /// Archives within, still to be opened.
    inner: Vec<Inner>,
}

#[derive(Debug)]
struct Inner {
    name: String,
    content: Content,
    depth: u32,
}

/// Where the content of an entry is.
#[derive(Debug)]
enum Content {
    /// It lies there as it is.
    Stored(Octets),
    /// It is packed (RFC 1951), and said to be as large as that.
    Deflated(Octets, u64),
    /// It was unpacked, as far as that.
    Unpacked(Octets, End),
    /// It is encrypted, in another volume, or packed in a way that is not unpacked here.
    Closed,
}

impl Look<'_> {
    /// Reads one archive; false if it is none.
    fn open(&mut self, name: &str, octets: &Octets) -> Result<bool, Fault> {
        let kind = Kind::of(&octets.read(0, kind::HEAD_BYTES)?);
        match kind {
            Some(Kind::Rar(format)) => rar::read(format, octets, self)?,
            Some(Kind::Seven) => seven::read(octets, self)?,
            Some(Kind::Tar) => tar::read(octets, self)?,
            Some(Kind::Cab) => cab::read(octets, self)?,
            Some(Kind::Gzip) => gzip::read(name, octets, self)?,
            Some(Kind::Closed) => {
                self.entry(inner_name(name), || Content::Closed);
            }
            Some(Kind::Zip) | None => {}
        }
        // A zip archive is known by its end: whatever it begins as, programs open it.
        let is_zip = zip::read(octets, self)?;
        Ok(is_zip || kind.is_some_and(|kind| kind != Kind::Zip))
    }

    /// It can't be read further.
    fn cut(&mut self) -> Result<(), Fault> {
        self.found.is_cut = true;
        Ok(())
    }

    /// Takes an entry; where its content is is asked if it may be an archive. False if no more are taken.
    fn entry(&mut self, name: String, content: impl FnOnce() -> Content) -> bool {
        if is_archive(&name) {
            self.within(name.clone(), content());
        }
        self.name(name)
    }

    /// Takes a name. False if no more are taken.
    fn name(&mut self, name: String) -> bool {
        if self.budget.entries == 0 || self.budget.name_bytes < name.len() {
            self.found.is_cut = true;
            return false;
        }
        self.budget.entries -= 1;
        self.budget.name_bytes -= name.len();
        self.found.names.push(name);
        true
    }

    /// Takes an archive within this one, to be opened later.
    fn within(&mut self, name: String, content: Content) {
        let Some(left) = self.budget.archives.checked_sub(1) else {
            self.found.is_unseen = true;
            return;
        };
        self.budget.archives = left;
        self.inner.push(Inner { name, content, depth: self.depth + 1 });
    }

    /// Opens an archive within.
    fn descend(&mut self, inner: Inner) -> Result<(), Fault> {
        if inner.depth > DEPTH_MAX {
            self.found.is_cut = true;
            return Ok(());
        }
        self.depth = inner.depth;
        match inner.content {
            Content::Closed => self.found.is_unseen = true,
            Content::Stored(octets) => {
                self.open(&inner.name, &octets)?;
            }
            Content::Unpacked(octets, end) => self.open_unpacked(&inner.name, &octets, end)?,
            Content::Deflated(octets, size) => {
                let (unpacked, end) = unpack(inflate(&octets), size, self.budget)?;
                self.open_unpacked(&inner.name, &Octets::of(unpacked), end)?;
            }
        }
        Ok(())
    }

    /// Opens what was unpacked, as far as it was.
    fn open_unpacked(&mut self, name: &str, unpacked: &Octets, end: End) -> Result<(), Fault> {
        let was_cut = self.found.is_cut;
        self.open(name, unpacked)?;
        match end {
            End::Whole => {}
            End::Broken => self.found.is_cut = true,
            // That it breaks off is our doing.
            End::Spent => (self.found.is_cut, self.found.is_unseen) = (was_cut, true),
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;
