//! What the standard rules look for.

use crate::facts::archive::Archive;
use crate::facts::names::{has_macros, is_disguised, is_disk, is_hidden, is_packed_program, is_program, plain};
use crate::facts::{Facts, domain};
use mailwright_plugin::{Fault, message};

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Check {
    DoubleExtension,
    Program,
    PackedProgram,
    HiddenName,
    DiskImage,
    Macros,
    LockedArchive,
    UnseenArchive,
    EncodedMessage,
    Unreadable,
    ForgedOwnDomain,
    OwnDomainInName,
    OtherAddressInName,
    NoAuthor,
    SeveralFrom,
}

impl Check {
    /// Whether it is there.
    pub(crate) fn holds(self, facts: &mut Facts<'_>) -> Result<bool, Fault> {
        Ok(match self {
            Self::DoubleExtension => is_named(facts, is_disguised)?,
            Self::Program => is_named(facts, is_program)?,
            Self::DiskImage => is_named(facts, is_disk)?,
            Self::HiddenName => {
                facts.attachments()?.list.iter().any(|one| one.names.iter().any(|name| is_hidden(name)))
            }
            Self::PackedProgram => {
                is_inside(facts, |archive| archive.names.iter().any(|name| is_packed_program(&plain(name))))?
            }
            Self::Macros => {
                is_named(facts, has_macros)?
                    || is_inside(facts, |archive| archive.names.iter().any(|name| name.ends_with("vbaProject.bin")))?
            }
            Self::LockedArchive => is_inside(facts, |archive| archive.is_locked)?,
            Self::UnseenArchive => is_inside(facts, |archive| archive.is_unseen)?,
            Self::EncodedMessage => facts.attachments()?.has_encoded_message,
            Self::Unreadable => facts.attachments()?.is_unreadable || is_inside(facts, |archive| archive.is_cut)?,
            Self::ForgedOwnDomain => is_forged(facts)?,
            Self::OwnDomainInName => names_another(facts, true)?,
            Self::OtherAddressInName => names_another(facts, false)?,
            Self::NoAuthor => !facts.authors()?.iter().any(|author| author.address.contains('@')),
            Self::SeveralFrom => facts.authors()?.len() > 1 && message::headers(Some("From"))?.len() > 1,
        })
    }
}

/// Whether an attachment has such a name. An attached message is called what its author likes.
fn is_named(facts: &mut Facts<'_>, is_such: impl Fn(&str) -> bool) -> Result<bool, Fault> {
    let mut files = facts.attachments()?.list.iter().filter(|one| !one.kind.starts_with("message/"));
    Ok(files.any(|one| one.plain.iter().any(|name| is_such(name))))
}

fn is_inside(facts: &mut Facts<'_>, is_such: impl Fn(&Archive) -> bool) -> Result<bool, Fault> {
    facts.attachments()?.is_inside(is_such)
}

/// An author of ours in mail from outside, for whom neither DMARC, nor a signature of ours, nor SPF of our own domain speaks. Where the server
/// verified nothing, it is mail of our own clients, or nobody knows.
fn is_forged(facts: &mut Facts<'_>) -> Result<bool, Fault> {
    let own = &facts.rules.own_domains;
    if own.is_empty() || facts.results()?.is_empty() {
        return Ok(false);
    }
    let is_ours = |name: &str| own.iter().any(|domain| is_below(name, domain));
    if !facts.authors()?.iter().any(|author| is_ours(domain(&author.address))) {
        return Ok(false);
    }
    let speaks = |method: &str| matches!(method, "dmarc" | "dkim" | "spf");
    let passed = facts.results()?.iter().filter(|result| result.outcome == "pass" && speaks(&result.method));
    Ok(!passed.filter_map(|result| result.domain.as_deref()).any(is_ours))
}

/// A display name with an address in it, of one of our domains or of any other than the author's.
fn names_another(facts: &mut Facts<'_>, of_ours: bool) -> Result<bool, Fault> {
    let own = &facts.rules.own_domains;
    if of_ours && own.is_empty() {
        return Ok(false);
    }
    let is_ours = |name: &str| own.iter().any(|domain| is_below(name, domain));
    let authors = facts.authors()?;
    Ok(authors.iter().any(|author| {
        let real = domain(&author.address);
        let named = author.name.split(|c: char| c.is_whitespace() || "<>()[]\"',;".contains(c));
        let mut domains = named.filter(|word| word.contains('@')).map(domain).filter(|name| name.contains('.'));
        match of_ours {
            true => !is_ours(real) && domains.any(is_ours),
            false => domains.any(|name| !is_below(real, name) && !is_below(name, real)),
        }
    }))
}

/// A name is a domain, or below it.
fn is_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.trim_end_matches('.'), domain.trim_end_matches('.'));
    let Some(rest) = name.len().checked_sub(domain.len()) else { return false };
    let Some((before, end)) = name.split_at_checked(rest) else { return false };
    !domain.is_empty() && end.eq_ignore_ascii_case(domain) && (before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_below_its_domain() {
        assert!(is_below("mail.Example.org", "example.org") && is_below("example.org", "example.org."));
        assert!(!is_below("badexample.org", "example.org") && !is_below("org", "example.org") && !is_below("x", ""));
    }
}
