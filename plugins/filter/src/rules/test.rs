//! A single condition of a rule: compiled once, asked of each message.

use super::subjects::{Gathering, Span, Subject};
use crate::config::{Attachment, Conditions, Key};
use crate::facts::Facts;
use crate::standard::Check;
use mailwright_plugin::Fault;
use mailwright_plugin::config::Network;
use std::net::Ipv4Addr;

/// A condition. Those that cost little come first in a rule.
#[derive(Debug)]
pub(crate) enum Test {
    Peer(Vec<Network>),
    SizeMin(u64),
    /// Client and envelope: helo, user, sender, recipient.
    Text(Subject, Span),
    Header(Subject, Span),
    Missing(Vec<String>),
    Result(Vec<Outcome>),
    Table(Vec<(String, Key)>),
    AttachmentsMin(usize),
    Attachment(AttachmentTest),
    Standard(Check),
    Body(Span),
    Listed(Vec<(String, Option<String>)>),
}

/// A result of verification that is wanted.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) method: String,
    pub(crate) outcome: String,
    pub(crate) domain: Option<String>,
}

/// What must hold for one attachment.
#[derive(Debug, Default)]
pub(crate) struct AttachmentTest {
    pub(crate) name: Option<Span>,
    pub(crate) kind: Option<Span>,
    pub(crate) size_min: Option<u64>,
    pub(crate) inside: Option<Span>,
}

impl Test {
    /// Whether it holds.
    pub(crate) fn holds(&self, facts: &mut Facts<'_>) -> Result<bool, Fault> {
        Ok(match self {
            Self::Peer(networks) => {
                facts.peer().is_some_and(|peer| networks.iter().any(|network| network.contains(peer)))
            }
            Self::SizeMin(least) => facts.size()? >= *least,
            Self::Text(subject, span) => span.is_among(facts.text(subject)?),
            Self::Header(subject, span) => span.is_among(facts.header(subject)?),
            Self::Missing(names) => facts.is_missing(names)?,
            Self::Result(wanted) => facts.results()?.iter().any(|found| wanted.iter().any(|one| one.is(found))),
            Self::Table(lookups) => facts.is_in_tables(lookups)?,
            Self::AttachmentsMin(least) => facts.attachments()?.list.len() >= *least,
            Self::Attachment(wanted) => facts.has_attachment(wanted)?,
            Self::Standard(check) => check.holds(facts)?,
            Self::Body(span) => span.is_among(facts.body()?),
            Self::Listed(lists) => lists.iter().any(|(zone, answer)| facts.is_listed(zone, answer.as_deref())),
        })
    }

    /// The tables that it looks things up in.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &str> {
        let lookups = if let Self::Table(lookups) = self { lookups.as_slice() } else { &[] };
        lookups.iter().map(|(table, _)| &**table)
    }

    /// Whether it can be asked before the message is there.
    fn is_of_envelope(&self) -> bool {
        matches!(self, Self::Peer(_) | Self::Text(..) | Self::Listed(_))
            || matches!(self, Self::Table(lookups) if lookups.iter().all(|(_, key)| !matches!(key, Key::From | Key::FromDomain)))
    }
}

impl Outcome {
    fn parse(text: &str) -> Option<Self> {
        let (result, domain) = match text.split_once(' ') {
            Some((result, domain)) => (result, Some(domain.trim().to_ascii_lowercase())),
            None => (text, None),
        };
        let (method, outcome) = result.split_once('=')?;
        let known = ["iprev", "spf", "dkim", "arc", "dmarc"].contains(&method);
        let outcomes = ["none", "pass", "fail", "softfail", "neutral", "policy", "temperror", "permerror"];
        let (method, outcome) = (method.to_owned(), outcome.to_owned());
        (known && outcomes.contains(&&*outcome)).then_some(Self { method, outcome, domain })
    }

    fn is(&self, found: &mailwright_plugin::message::AuthResult) -> bool {
        let domain = |wanted: &String| found.domain.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        self.method == found.method && self.outcome == found.outcome && self.domain.as_ref().is_none_or(domain)
    }
}

/// The tests of a table of conditions, in the order in which they are asked. The error says what is wrong with which key.
pub(crate) fn tests(conditions: &Conditions, gathering: &mut Gathering) -> Result<Vec<Test>, String> {
    let mut tests = Vec::new();
    if !conditions.peer.is_empty() {
        tests.push(Test::Peer(conditions.peer.clone()));
    }
    tests.extend(conditions.size_min.map(|size| Test::SizeMin(size.0)));
    let texts = [
        (Subject::User, &conditions.user),
        (Subject::Helo, &conditions.helo),
        (Subject::Sender, &conditions.sender),
        (Subject::Recipient, &conditions.recipient),
    ];
    for (subject, patterns) in texts {
        tests.extend(gathering.add(subject.clone(), patterns).map(|span| Test::Text(subject, span)));
    }
    for (name, patterns) in &conditions.header {
        let subject = Subject::Header((name != "*").then(|| name.to_ascii_lowercase()));
        tests.extend(gathering.add(subject.clone(), patterns).map(|span| Test::Header(subject, span)));
    }
    if !conditions.missing.is_empty() {
        tests.push(Test::Missing(conditions.missing.clone()));
    }
    if !conditions.result.is_empty() {
        tests.push(Test::Result(results(&conditions.result)?));
    }
    if !conditions.table.is_empty() {
        tests.push(Test::Table(conditions.table.iter().map(|(table, key)| (table.clone(), *key)).collect()));
    }
    tests.extend(conditions.attachments_min.map(|least| Test::AttachmentsMin(least as usize)));
    tests.extend(conditions.attachment.as_ref().and_then(|written| attachment(written, gathering)));
    tests.extend(gathering.add(Subject::Body, &conditions.body).map(Test::Body));
    if !conditions.dnsbl.is_empty() {
        tests.push(Test::Listed(lists(&conditions.dnsbl)?));
    }
    Ok(tests)
}

/// Says which key can't be known at RCPT.
pub(crate) fn before_the_message(tests: &[Test]) -> Result<(), &'static str> {
    match tests.iter().all(Test::is_of_envelope) {
        true => Ok(()),
        false => Err("at = \"rcpt\" knows peer, helo, user, sender, recipient, table and dnsbl alone"),
    }
}

fn results(written: &[String]) -> Result<Vec<Outcome>, String> {
    let parse = |text: &String| {
        Outcome::parse(text)
            .ok_or_else(|| format!("result: \"{text}\" is no result as \"dmarc=fail\" or \"dkim=pass a.example\""))
    };
    written.iter().map(parse).collect()
}

fn attachment(written: &Attachment, gathering: &mut Gathering) -> Option<Test> {
    let wanted = AttachmentTest {
        name: gathering.add(Subject::Name, &written.name),
        kind: gathering.add(Subject::Type, &written.kind),
        size_min: written.size_min.map(|size| size.0),
        inside: gathering.add(Subject::Inside, &written.inside),
    };
    let is_set = wanted.name.is_some() || wanted.kind.is_some() || wanted.size_min.is_some() || wanted.inside.is_some();
    is_set.then_some(Test::Attachment(wanted))
}

fn lists(written: &[String]) -> Result<Vec<(String, Option<String>)>, String> {
    let parse = |text: &String| match text.split_once('=') {
        None => Ok((text.clone(), None)),
        Some((zone, answer)) if answer.parse::<Ipv4Addr>().is_ok() => Ok((zone.to_owned(), Some(answer.to_owned()))),
        Some(_) => Err(format!("dnsbl: \"{text}\": behind the = is no answer as 127.0.0.2")),
    };
    written.iter().map(parse).collect()
}
