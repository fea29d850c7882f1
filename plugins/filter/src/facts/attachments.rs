//! The parts of a message as rules see them: text that people read, and attachments with all their names.

use super::names::plain;
use super::zip::{Archive, archive};
use crate::rules::subjects::{Sets, Subject};
use mailwright_plugin::Fault;
use mailwright_plugin::message::{self, Error, Part};

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
}

/// What is no text to be read at once.
#[derive(Debug)]
pub(crate) struct Attachment {
    id: u32,
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
                found.list.push(Attachment::new(part, names, sets));
            }
        }
        Ok(found)
    }
}

fn is_message(part: &Part) -> bool {
    matches!(&*part.content_type, "message/rfc822" | "message/global")
}

impl Attachment {
    fn new(part: &Part, names: Vec<String>, sets: &Sets) -> Self {
        let plain: Vec<String> = names.iter().map(|name| plain(name)).collect();
        Self {
            id: part.id,
            name_found: sets.found(&Subject::Name, &plain.join("\n")),
            type_found: sets.found(&Subject::Type, &part.content_type),
            kind: part.content_type.clone(),
            size: part.size,
            names,
            plain,
            inside: None,
        }
    }

    /// What is in it, if it is an archive.
    pub(crate) fn inside(&mut self) -> Result<Option<&Archive>, Fault> {
        if self.inside.is_none() {
            let mut read = |offset, len| message::read_part(self.id, offset, len);
            self.inside = Some(archive(self.size, &mut read)?);
        }
        Ok(self.inside.as_ref().and_then(Option::as_ref))
    }

    /// What is found of the rules' patterns in the names within.
    pub(crate) fn inside_found(&mut self, sets: &Sets) -> Result<Vec<u32>, Fault> {
        let Some(set) = sets.of(&Subject::Inside) else { return Ok(Vec::new()) };
        let Some(archive) = self.inside()? else { return Ok(Vec::new()) };
        let names: Vec<String> = archive.names.iter().map(|name| plain(name)).collect();
        Ok(set.matches(&names.join("\n")))
    }
}
