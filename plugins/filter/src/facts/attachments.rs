//! The parts of a message as rules see them: text that people read, and attachments with all their names.

use super::archive::{Archive, Budget, look};
use super::names::plain;
use super::octets::Octets;
use super::tnef;
use crate::rules::subjects::{Sets, Subject};
use crate::rules::test::AttachmentTest;
use mailwright_plugin::Fault;
use mailwright_plugin::message::{self, Error, Part};

/// What is wrapped in `winmail.dat` has no type of its own.
const WRAPPED_TYPE: &str = "application/octet-stream";

/// The parts.
#[derive(Debug, Default)]
pub(crate) struct Attachments {
    pub(crate) list: Vec<Attachment>,
    /// The ids of text parts.
    pub(crate) texts: Vec<u32>,
    /// The structure is beyond the server's limits: nobody knows what is in there.
    pub(crate) is_unreadable: bool,
    /// A message within this one is encoded, so that its parts can't be seen.
    pub(crate) has_encoded_message: bool,
    /// What may still be spent on archives.
    budget: Budget,
}

/// What is no text to be read at once.
#[derive(Debug)]
pub(crate) struct Attachment {
    octets: Octets,
    /// All names as they were sent.
    pub(crate) names: Vec<String>,
    /// The same as a system takes them.
    pub(crate) plain: Vec<String>,
    pub(crate) kind: String,
    pub(crate) size: u64,
    /// What is found of the rules' patterns in its names and its type.
    pub(crate) name_found: Vec<u32>,
    pub(crate) type_found: Vec<u32>,
    /// What is in it, if it is an archive; none before that was looked for.
    inside: Option<Option<Archive>>,
}

impl Attachments {
    /// Asks the server for them.
    pub(crate) fn read(sets: &Sets) -> Result<Self, Fault> {
        let parts = match message::parts() {
            Err(Error::TooLarge) => return Ok(Self { is_unreadable: true, ..Self::default() }),
            parts => parts?,
        };
        // A message that is one text has no second name.
        let names = if parts.len() == 1 && parts[0].content_type.starts_with("text/") && parts[0].filename.is_none() {
            Vec::new()
        } else {
            message::filenames()?
        };
        let mut found = Self::default();
        for part in &parts {
            let is_parent = parts.iter().any(|other| other.parent == Some(part.id));
            if is_parent || part.content_type.starts_with("multipart/") {
                continue;
            }
            found.has_encoded_message |= is_message(part) && part.size > 0;
            let names: Vec<String> =
                names.iter().filter(|(id, _)| *id == part.id).map(|(_, name)| name.clone()).collect();
            let is_text = part.content_type.starts_with("text/");
            if is_text {
                found.texts.push(part.id);
            }
            if !is_text || !names.is_empty() {
                found.attach(part, names, sets)?;
            }
        }
        Ok(found)
    }

    /// Takes a part, and what is wrapped in it.
    fn attach(&mut self, part: &Part, names: Vec<String>, sets: &Sets) -> Result<(), Fault> {
        let octets = Octets::of_part(part.id, part.size);
        let wrapped = if may_wrap(part, &names) { tnef::read(&octets)? } else { None };
        self.list.push(Attachment::new(names, &part.content_type, octets, sets));
        if let Some(wrapped) = wrapped {
            self.is_unreadable |= wrapped.is_cut;
            let files = wrapped.files.into_iter();
            self.list.extend(files.map(|file| Attachment::new(file.names, WRAPPED_TYPE, file.content, sets)));
        }
        Ok(())
    }

    /// Whether something like that is in one of them.
    pub(crate) fn is_inside(&mut self, is_such: impl Fn(&Archive) -> bool) -> Result<bool, Fault> {
        for one in &mut self.list {
            if one.inside(&mut self.budget)?.is_some_and(&is_such) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one of them is all that is wanted.
    pub(crate) fn has(&mut self, wanted: &AttachmentTest, sets: &Sets) -> Result<bool, Fault> {
        for one in &mut self.list {
            if wanted.size_min.is_none_or(|least| one.size >= least)
                && wanted.name.is_none_or(|span| span.is_among(&one.name_found))
                && wanted.kind.is_none_or(|span| span.is_among(&one.type_found))
                && match wanted.inside {
                    Some(span) => span.is_among(&one.inside_found(sets, &mut self.budget)?),
                    None => true,
                }
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether a part may be `winmail.dat`, by its type or a name.
fn may_wrap(part: &Part, names: &[String]) -> bool {
    matches!(&*part.content_type, "application/ms-tnef" | "application/vnd.ms-tnef")
        || names.iter().any(|name| plain(name) == "winmail.dat")
}

fn is_message(part: &Part) -> bool {
    matches!(&*part.content_type, "message/rfc822" | "message/global")
}

impl Attachment {
    fn new(names: Vec<String>, kind: &str, octets: Octets, sets: &Sets) -> Self {
        let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
        Self {
            name_found: sets.found(&Subject::Name, &plain.join("\n")),
            type_found: sets.found(&Subject::Type, kind),
            kind: kind.to_owned(),
            size: octets.size(),
            octets,
            names,
            plain,
            inside: None,
        }
    }

    /// What is in it, if it is an archive.
    pub(crate) fn inside(&mut self, budget: &mut Budget) -> Result<Option<&Archive>, Fault> {
        if self.inside.is_none() {
            let name = self.names.first().map_or("", |name| &**name);
            self.inside = Some(look(name, &self.octets, budget)?);
        }
        Ok(self.inside.as_ref().and_then(Option::as_ref))
    }

    /// What is found of the rules' patterns in the names within.
    fn inside_found(&mut self, sets: &Sets, budget: &mut Budget) -> Result<Vec<u32>, Fault> {
        let Some(set) = sets.of(&Subject::Inside) else { return Ok(Vec::new()) };
        let Some(archive) = self.inside(budget)? else { return Ok(Vec::new()) };
        let names: Vec<String> = archive.names.iter().map(|name| plain(name)).collect();
        Ok(set.matches(&names.join("\n")))
    }
}
