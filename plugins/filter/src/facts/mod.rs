//! What is known of a message, asked of the server when a rule first wants it, and once.

pub(crate) mod archive;
pub(crate) mod attachments;
pub(crate) mod names;
mod octets;
mod tnef;

use crate::config::Key;
use crate::rules::Rules;
use crate::rules::subjects::Subject;
use crate::rules::test::AttachmentTest;
use attachments::Attachments;
use mailwright_plugin::message::{AuthResult, Error, Mailbox};
use mailwright_plugin::tables::Table;
use mailwright_plugin::{Address, Fault, dns, log, message, metrics, session};
use std::net::IpAddr;

/// Answers of lists in the DNS, by zone: a client is looked up once a transaction.
pub(crate) type Listed = Vec<(String, Vec<String>)>;

/// The facts about one transaction.
pub(crate) struct Facts<'r> {
    pub(crate) rules: &'r Rules,
    pub(crate) listed: Listed,
    session: Option<Option<session::Info>>,
    peer: Option<Option<IpAddr>>,
    envelope: Option<Envelope>,
    size: Option<u64>,
    texts: Vec<(Subject, Vec<u32>)>,
    results: Option<Vec<AuthResult>>,
    authors: Option<Vec<Mailbox>>,
    attachments: Option<Attachments>,
    body: Option<Vec<u32>>,
}

/// Who writes to whom.
struct Envelope {
    sender: Option<Address>,
    recipients: Vec<Address>,
}

impl<'r> Facts<'r> {
    /// About a whole message.
    pub(crate) fn new(rules: &'r Rules, listed: Listed) -> Self {
        Self {
            rules,
            listed,
            session: None,
            peer: None,
            envelope: None,
            size: None,
            texts: Vec::new(),
            results: None,
            authors: None,
            attachments: None,
            body: None,
        }
    }

    /// About one recipient, before there is a message.
    pub(crate) fn of_recipient(rules: &'r Rules, listed: Listed, sender: Option<&Address>, to: &Address) -> Self {
        let envelope = Some(Envelope { sender: sender.cloned(), recipients: vec![to.clone()] });
        Self { envelope, ..Self::new(rules, listed) }
    }

    /// The session; none where the message came another way.
    pub(crate) fn session(&mut self) -> Option<&session::Info> {
        self.session.get_or_insert_with(|| session::current().ok()).as_ref()
    }

    pub(crate) fn peer(&mut self) -> Option<IpAddr> {
        if self.peer.is_none() {
            self.peer = Some(session::peer_ip().ok().and_then(|peer| peer.parse().ok()));
        }
        self.peer.flatten()
    }

    fn envelope(&mut self) -> Result<&Envelope, Fault> {
        if self.envelope.is_none() {
            let info = message::current()?;
            self.size = Some(info.size);
            self.envelope = Some(Envelope { sender: info.sender, recipients: info.recipients });
        }
        self.envelope.as_ref().ok_or_else(|| Fault::Internal("no envelope".to_owned()))
    }

    pub(crate) fn size(&mut self) -> Result<u64, Fault> {
        self.envelope()?;
        Ok(self.size.unwrap_or(0))
    }

    /// How many recipients there are.
    pub(crate) fn recipients(&mut self) -> Result<&[Address], Fault> {
        Ok(&self.envelope()?.recipients)
    }

    /// What is found of the rules' patterns in a text of client or envelope.
    pub(crate) fn text(&mut self, subject: &Subject) -> Result<&[u32], Fault> {
        self.cached(subject, |facts| {
            let text = match subject {
                Subject::Helo => facts.session().and_then(|session| session.helo.clone()),
                Subject::User => facts.session().and_then(|session| session.auth_user.clone()),
                Subject::Sender => Some(facts.envelope()?.sender.as_ref().map_or_else(|| "<>".to_owned(), shown)),
                _ => Some(facts.envelope()?.recipients.iter().map(shown).collect::<Vec<_>>().join("\n")),
            };
            Ok(text.map_or_else(Vec::new, |text| facts.rules.sets.found(subject, &text)))
        })
    }

    /// What is found of the rules' patterns in header fields.
    pub(crate) fn header(&mut self, subject: &Subject) -> Result<&[u32], Fault> {
        self.cached(subject, |facts| {
            let (Some(set), Subject::Header(name)) = (facts.rules.sets.of(subject), subject) else {
                return Ok(Vec::new());
            };
            Ok(message::matches_header(set, name.as_deref())?)
        })
    }

    fn cached(
        &mut self,
        subject: &Subject,
        find: impl FnOnce(&mut Self) -> Result<Vec<u32>, Fault>,
    ) -> Result<&[u32], Fault> {
        let place = match self.texts.iter().position(|(known, _)| known == subject) {
            Some(place) => place,
            None => {
                let found = find(self)?;
                self.texts.push((subject.clone(), found));
                self.texts.len() - 1
            }
        };
        Ok(&self.texts[place].1)
    }

    pub(crate) fn is_missing(&self, names: &[String]) -> Result<bool, Fault> {
        for name in names {
            if message::header(name)?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the server's verification came to.
    pub(crate) fn results(&mut self) -> Result<&[AuthResult], Fault> {
        if self.results.is_none() {
            self.results = Some(message::auth_results()?);
        }
        Ok(self.results.as_deref().unwrap_or_default())
    }

    /// The mailboxes of `From`.
    pub(crate) fn authors(&mut self) -> Result<&[Mailbox], Fault> {
        if self.authors.is_none() {
            self.authors = Some(message::mailboxes("From")?);
        }
        Ok(self.authors.as_deref().unwrap_or_default())
    }

    pub(crate) fn attachments(&mut self) -> Result<&mut Attachments, Fault> {
        if self.attachments.is_none() {
            self.attachments = Some(Attachments::read(&self.rules.sets)?);
        }
        self.attachments.as_mut().ok_or_else(|| Fault::Internal("no parts".to_owned()))
    }

    /// Whether one attachment is all that is wanted.
    pub(crate) fn has_attachment(&mut self, wanted: &AttachmentTest) -> Result<bool, Fault> {
        let rules = self.rules;
        self.attachments()?.has(wanted, &rules.sets)
    }

    /// What is found of the rules' patterns in the text parts.
    pub(crate) fn body(&mut self) -> Result<&[u32], Fault> {
        if self.body.is_none() {
            let mut found = Vec::new();
            if let Some(set) = self.rules.sets.of(&Subject::Body) {
                for id in self.attachments()?.texts.clone() {
                    match message::matches_part(set, id) {
                        // What the server does not search nobody has read either: it is told as unreadable.
                        Err(Error::TooLarge) => self.attachments()?.is_unreadable = true,
                        matches => found.extend(matches?),
                    }
                }
                found.sort_unstable();
            }
            self.body = Some(found);
        }
        Ok(self.body.as_deref().unwrap_or_default())
    }

    /// Whether a list has the client, with that answer if one is wanted.
    pub(crate) fn is_listed(&mut self, zone: &str, wanted: Option<&str>) -> bool {
        if !self.listed.iter().any(|(known, _)| known == zone) {
            let found = self.asked(zone);
            self.listed.push((zone.to_owned(), found));
        }
        let answers = self.listed.iter().find(|(known, _)| known == zone).map(|(_, answers)| answers.as_slice());
        // In 127.255.255.0/24 a list complains of the question itself.
        let mut told = answers.unwrap_or_default().iter().filter(|answer| !answer.starts_with("127.255.255."));
        told.any(|answer| wanted.is_none_or(|wanted| wanted == answer))
    }

    fn asked(&mut self, zone: &str) -> Vec<String> {
        let Some(peer) = self.peer() else { return Vec::new() };
        dns::dnsbl(zone, &peer.to_string()).unwrap_or_else(|error| {
            // A list that is down must not stop the mail.
            if let Fault::Unavailable(why) = Fault::from(error) {
                log!(Warn, "the list {zone} does not answer ({why})");
            }
            metrics::add("lists_failed", &[("list", zone)], 1);
            Vec::new()
        })
    }

    pub(crate) fn is_in_tables(&mut self, lookups: &[(String, Key)]) -> Result<bool, Fault> {
        for (table, key) in lookups {
            for value in self.keys(*key)? {
                if Table(table).has(&value)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    fn keys(&mut self, key: Key) -> Result<Vec<String>, Fault> {
        let one = |value: Option<String>| value.into_iter().collect();
        Ok(match key {
            Key::Peer => one(self.peer().map(|peer| peer.to_string())),
            Key::Helo => one(self.session().and_then(|session| session.helo.clone())),
            Key::User => one(self.session().and_then(|session| session.auth_user.clone())),
            Key::Sender => one(self.envelope()?.sender.as_ref().map(shown)),
            Key::SenderDomain => one(self.envelope()?.sender.as_ref().map(|sender| sender.domain.clone())),
            Key::Recipient => self.recipients()?.iter().map(shown).collect(),
            Key::RecipientDomain => self.recipients()?.iter().map(|to| to.domain.clone()).collect(),
            Key::From => self.authors()?.iter().map(|author| author.address.clone()).collect(),
            Key::FromDomain => self.authors()?.iter().map(|author| domain(&author.address).to_owned()).collect(),
        })
    }
}

/// An address as people write it.
fn shown(address: &Address) -> String {
    format!("{}@{}", address.local, address.domain)
}

/// What is behind an address's last `@`.
pub(crate) fn domain(address: &str) -> &str {
    address.rsplit_once('@').map_or("", |(_, domain)| domain)
}
