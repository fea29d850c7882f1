//! The rules that come with the plugin: what is hardly ever honest mail, each with a score that can be changed.

mod check;

use crate::rules::Rule;
use crate::rules::test::Test;
pub(crate) use check::Check;
use mailwright_plugin::Fault;
use std::collections::BTreeMap;

/// A rule: its name, what it looks for, its score, and what a sender is told.
const RULES: [(&str, Check, i32, &str); 15] = [
    ("double-extension", Check::DoubleExtension, 10, "an attachment is a program with the name of a document"),
    ("program", Check::Program, 10, "programs are not taken by mail; put it where it can be fetched"),
    ("packed-program", Check::PackedProgram, 6, "an archive in this message has a program in it"),
    ("hidden-name", Check::HiddenName, 6, "the name of an attachment hides what it is"),
    ("disk-image", Check::DiskImage, 6, "images of disks are not taken by mail"),
    ("macros", Check::Macros, 3, "an attached document brings programs of its own"),
    ("locked-archive", Check::LockedArchive, 2, "an attached archive wants a password"),
    ("unseen-archive", Check::UnseenArchive, 2, "an attached archive can't be looked into to its end"),
    ("encoded-message", Check::EncodedMessage, 4, "a message is attached in a form that hides its parts"),
    ("unreadable", Check::Unreadable, 6, "this message is built in a way that can't be looked at"),
    (
        "forged-own-domain",
        Check::ForgedOwnDomain,
        6,
        "the author is of our own domain, and nothing shows that it is true",
    ),
    (
        "own-domain-in-name",
        Check::OwnDomainInName,
        4,
        "the author's name is an address of ours, and the address is not",
    ),
    ("other-address-in-name", Check::OtherAddressInName, 2, "the author's name is an address of another domain"),
    ("no-author", Check::NoAuthor, 3, "there is no author in From (RFC 5322 3.6.2)"),
    ("several-from", Check::SeveralFrom, 6, "there are several From fields (RFC 5322 3.6)"),
];

/// Whether a rule that comes with the plugin has that name.
pub(crate) fn is_standard(name: &str) -> bool {
    RULES.iter().any(|(known, ..)| *known == name)
}

/// The rules with their scores, as far as they are on.
pub(crate) fn rules(is_on: bool, scores: &BTreeMap<String, i32>) -> Result<Vec<Rule>, Fault> {
    if let Some(unknown) = scores.keys().find(|name| !is_standard(name)) {
        let known = RULES.map(|(name, ..)| name).join(", ");
        let words = format!("standard_scores.{unknown}: there is no such rule; there are {known}");
        return Err(Fault::InvalidConfig(words));
    }
    if !is_on {
        return Ok(Vec::new());
    }
    let scored = RULES.iter().map(|(name, check, score, text)| {
        Rule::standard(name, Test::Standard(*check), scores.get(*name).copied().unwrap_or(*score), text)
    });
    Ok(scored.filter(|rule| rule.score != 0).collect())
}
