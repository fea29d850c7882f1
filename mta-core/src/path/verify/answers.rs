//! What the DNS has answered about one message, and what is still to be asked.

use crate::base::flow::policy::dmarc::DMARC;
use crate::base::world::dns::{DnsFault, RecordKind};
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dmarc::Dmarc;
use mail_auth::{DnsError, DnssecStatus, Error, RecordSet, ResolverCache, Txt};
use std::borrow::Borrow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

/// Longest domain name in octets, without the final dot (RFC 1035 2.3.4).
pub(super) const NAME_BYTES_MAX: usize = 253;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Sought {
    /// Records of one type.
    Records(RecordKind),
    /// Mail exchangers.
    Exchangers,
}

/// A question: what, and of which name, in lower case and without a final dot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) sought: Sought,
    pub(super) name: Box<str>,
}

/// What records say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    Texts(Vec<Vec<u8>>),
    Addresses(Vec<IpAddr>),
    /// Of exchangers, or of an address.
    Names(Vec<Box<str>>),
}

/// An answer is missing; it was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unknown;

/// Everything that is known.
#[derive(Default)]
pub(super) struct Answers {
    known: HashMap<Question, Result<Found, DnsFault>>,
    /// TXT records as the library reads them, by name.
    read: HashMap<Box<str>, Txt>,
    missing: RefCell<Vec<Question>>,
    /// The name of which the library wanted to know whether it exists.
    doubted: RefCell<Option<Box<str>>>,
}

impl Question {
    pub(super) fn new(sought: Sought, name: &str) -> Self {
        Self { sought, name: name.trim_end_matches('.').to_ascii_lowercase().into() }
    }

    pub(super) fn texts(name: &str) -> Self {
        Self::new(Sought::Records(RecordKind::Txt), name)
    }
}

impl Answers {
    /// An answer has come.
    pub(super) fn learn(&mut self, question: Question, answer: Result<Found, DnsFault>) {
        if question.sought == Sought::Records(RecordKind::Txt) {
            self.read.insert(question.name.clone(), read(&question.name, &answer));
        }
        self.known.insert(question, answer);
    }

    /// What was missed since the last time, each once.
    pub(super) fn missing(&mut self) -> Vec<Question> {
        let mut missing: Vec<Question> = Vec::new();
        for question in self.missing.take() {
            if !missing.contains(&question) && !self.known.contains_key(&question) {
                missing.push(question);
            }
        }
        missing
    }

    /// Is there an answer to all that was asked?
    ///
    /// # Errors
    /// Something was noted.
    pub(super) fn complete(&self) -> Result<(), Unknown> {
        if self.missing.borrow().is_empty() { Ok(()) } else { Err(Unknown) }
    }

    /// The answer to this question; a name that can't exist is not asked for.
    pub(super) fn ask(&self, question: Question) -> Result<Result<&Found, DnsFault>, Unknown> {
        if !can_exist(&question.name) {
            return Ok(Err(DnsFault::NoSuchDomain));
        }
        match self.known.get(&question) {
            Some(Ok(found)) => Ok(Ok(found)),
            Some(Err(fault)) => Ok(Err(*fault)),
            None => {
                self.missing.borrow_mut().push(question);
                Err(Unknown)
            }
        }
    }

    /// The texts of a name.
    pub(super) fn texts(&self, name: &str) -> Result<Result<&[Vec<u8>], DnsFault>, Unknown> {
        Ok(self.ask(Question::texts(name))?.map(|found| match found {
            Found::Texts(texts) => &texts[..],
            Found::Addresses(_) | Found::Names(_) => &[],
        }))
    }

    /// The addresses of a name, of one family.
    pub(super) fn addresses(&self, name: &str, v4: bool) -> Result<Result<&[IpAddr], DnsFault>, Unknown> {
        let kind = if v4 { RecordKind::A } else { RecordKind::Aaaa };
        Ok(self.ask(Question::new(Sought::Records(kind), name))?.map(|found| match found {
            Found::Addresses(addresses) => &addresses[..],
            Found::Texts(_) | Found::Names(_) => &[],
        }))
    }

    /// The names that this question leads to.
    pub(super) fn names(&self, sought: Sought, name: &str) -> Result<Result<&[Box<str>], DnsFault>, Unknown> {
        Ok(self.ask(Question::new(sought, name))?.map(|found| match found {
            Found::Names(names) => &names[..],
            Found::Texts(_) | Found::Addresses(_) => &[],
        }))
    }

    /// A text for the library; what is missing is noted, and said to be absent.
    fn text(&self, name: &str) -> Txt {
        let question = Question::texts(name);
        // What third parties may sign (RFC 6541) and where failures may be told (RFC 6651) is nothing to us.
        let is_key = question.name.contains("._domainkey.") && !question.name.starts_with("_report.");
        let is_wanted = is_key || question.name.starts_with(DMARC);
        if !is_wanted || !can_exist(&question.name) {
            return absent();
        }
        if let Some(read) = self.read.get(&question.name) {
            return read.clone();
        }
        self.missing.borrow_mut().push(question);
        absent()
    }

    /// At which of these names this policy was found.
    pub(super) fn place_of<'n>(&self, names: &'n [String], policy: &Dmarc) -> Option<&'n str> {
        // Of two that say the same the one that was used counts, which is the very same.
        let is_it = |name: &&String| matches!(self.read.get(name.as_str()), Some(Txt::Dmarc(found)) if std::ptr::eq(&**found, policy));
        names.iter().find(is_it).map(String::as_str)
    }

    /// The name of which the library wanted to know whether it exists, if it did.
    pub(super) fn take_doubted(&self) -> Option<Box<str>> {
        self.doubted.take()
    }
}

/// Whether the DNS can have such a name (RFC 1035 2.3.4).
fn can_exist(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX && name.split('.').all(|label| (1..=63).contains(&label.len()))
}

/// TXT records as the library wants them: what they are is known by where they are. Several policies at one name are
/// none (RFC 9989 4.10.1); of several keys the first that is one is used (RFC 6376 3.6.2.2 leaves it open).
fn read(name: &str, answer: &Result<Found, DnsFault>) -> Txt {
    let texts = match answer {
        Ok(Found::Texts(texts)) => texts,
        Err(DnsFault::Failed) => return Txt::Error(Error::Dns(DnsError::Resolver(String::new()))),
        _ => return absent(),
    };
    if name.starts_with(DMARC) {
        let mut policies = texts.iter().filter_map(|text| Dmarc::parse(text).ok());
        return match (policies.next(), policies.next()) {
            (Some(only), None) => only.into(),
            _ => absent(),
        };
    }
    let mut wrong = Error::Dns(DnsError::InvalidRecordType);
    for text in texts {
        match DomainKey::parse(text) {
            Ok(key) => return key.into(),
            Err(error) => wrong = error,
        }
    }
    Txt::Error(wrong)
}

fn absent() -> Txt {
    use mail_auth::hickory_resolver::proto::op::ResponseCode;
    Txt::Error(Error::Dns(DnsError::RecordNotFound(ResponseCode::NXDomain)))
}

/// The library looks here before it would ask its own resolver, which therefore is never asked: it is told that what is
/// missing is absent, so that it goes on to what it would ask next.
impl ResolverCache<Box<str>, Txt> for Answers {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        Some(self.text(&spelt(name)))
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// DMARC's question whether the author's domain exists at all. Here it always does; the name is kept for whoever can
/// answer better.
impl ResolverCache<Box<str>, RecordSet<Ipv4Addr>> for Answers {
    fn get<Q>(&self, name: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.doubted.replace(Some(spelt(name).into()));
        Some(RecordSet { rrset: [].into(), dnssec_status: DnssecStatus::Indeterminate })
    }

    fn remove<Q>(&self, _: &Q) -> Option<RecordSet<Ipv4Addr>>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: RecordSet<Ipv4Addr>, _: Instant) {}
}

/// The name behind the library's key: of that it says no more than that it can be hashed, so it is, into its letters.
fn spelt<Q: Hash + ?Sized>(name: &Q) -> String {
    let mut letters = Letters::default();
    name.hash(&mut letters);
    // A text ends with an octet that is in no text.
    letters.0.retain(|octet| *octet != 0xff);
    String::from_utf8(letters.0).unwrap_or_default()
}

#[derive(Default)]
struct Letters(Vec<u8>);

impl Hasher for Letters {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, octets: &[u8]) {
        self.0.extend_from_slice(octets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_spelt_as_it_was_meant() {
        assert_eq!(spelt("s._domainkey.example.org."), "s._domainkey.example.org.");
        assert_eq!(spelt("bücher"), "bücher");
    }

    #[test]
    fn what_is_missing_is_noted_once() {
        let mut answers = Answers::default();
        assert_eq!(answers.texts("Example.org."), Err(Unknown));
        assert_eq!(answers.texts("example.org"), Err(Unknown));
        assert_eq!(answers.missing(), [Question::texts("example.org")]);
        answers.learn(Question::texts("example.org"), Err(DnsFault::Failed));
        assert_eq!(answers.texts("example.org"), Ok(Err(DnsFault::Failed)));
        assert_eq!(answers.missing(), []);
    }

    #[test]
    fn names_that_cannot_be_are_not_asked_for_rfc1035_2_3_4() {
        for name in ["a..example", &format!("{}.example", "x".repeat(64)), &"a.".repeat(128)] {
            assert_eq!(Answers::default().texts(name), Ok(Err(DnsFault::NoSuchDomain)), "{name}");
        }
    }

    #[test]
    fn two_policies_are_none_rfc9989_4_10_1() {
        let policy = || b"v=DMARC1; p=reject".to_vec();
        let found = |texts| read("_dmarc.example", &Ok(Found::Texts(texts)));
        assert!(matches!(found(vec![policy()]), Txt::Dmarc(_)));
        assert!(matches!(found(vec![policy(), b"v=spf1".to_vec()]), Txt::Dmarc(_)));
        assert!(matches!(found(vec![policy(), policy()]), Txt::Error(_)));
    }
}
