//! Whether a client may use a name: `check_host()` of RFC 7208 4.

use super::super::answers::{Answers, Sought, Unknown};
use super::macros::{DomainSpec, Words};
use super::names::{is_below, is_domain, shortened};
use super::record::{Masks, Mechanism, Record};
use crate::base::flow::policy::verify::Outcome;
use crate::base::world::dns::{DnsFault, RecordKind, reverse_name};
use std::net::IpAddr;

/// Terms that ask the DNS (RFC 7208 4.6.4).
const TERMS_MAX: usize = 10;
/// Exchangers of one `mx`, and names of an address for one `ptr` or `%{p}` (RFC 7208 4.6.4, 5.5).
const NAMES_MAX: usize = 10;
/// Questions that nothing answers (RFC 7208 4.6.4).
const VOIDS_MAX: usize = 2;

/// Who is asked about.
#[derive(Clone, Copy, Debug)]
pub(in crate::path::verify) struct Client<'a> {
    pub(in crate::path::verify) ip: IpAddr,
    /// The name that it gave in EHLO or HELO.
    pub(in crate::path::verify) helo: &'a str,
}

/// Why judging ends before its end.
enum Stop {
    /// An answer is missing.
    Unknown,
    /// The result is known at once.
    Is(Outcome),
}

impl From<Unknown> for Stop {
    fn from(_: Unknown) -> Self {
        Self::Unknown
    }
}

type Step<T> = Result<T, Stop>;

/// One judgement: the limits are those of all records together.
struct Check<'a> {
    client: Client<'a>,
    /// The sender's local part and domain.
    local: &'a str,
    origin: &'a str,
    answers: &'a Answers,
    terms: usize,
    voids: usize,
}

/// Whether the client may use `domain`, which is of the sender or its own name; `local` is the sender's local part.
pub(in crate::path::verify) fn judge(
    client: Client<'_>,
    local: &str,
    domain: &str,
    answers: &Answers,
) -> Result<Outcome, Unknown> {
    // A local part is never missing (RFC 7208 4.3).
    let local = if local.is_empty() { "postmaster" } else { local };
    let mut check = Check { client, local, origin: domain, answers, terms: 0, voids: 0 };
    match check.host(domain.trim_end_matches('.')) {
        Ok(outcome) | Err(Stop::Is(outcome)) => Ok(outcome),
        Err(Stop::Unknown) => Err(Unknown),
    }
}

impl Check<'_> {
    /// RFC 7208 4.3 to 4.7.
    fn host(&mut self, domain: &str) -> Step<Outcome> {
        if !is_domain(domain) {
            return Ok(Outcome::None);
        }
        let Some(record) = self.record(domain)? else { return Ok(Outcome::None) };
        for (outcome, mechanism) in &record.directives {
            if self.matches(mechanism, domain)? {
                return Ok(*outcome);
            }
        }
        // RFC 7208 6.1.
        let Some(redirect) = &record.redirect else { return Ok(Outcome::Neutral) };
        self.term()?;
        let target = self.target(Some(redirect), domain)?;
        match self.host(&target)? {
            Outcome::None => Ok(Outcome::PermError),
            outcome => Ok(outcome),
        }
    }

    /// The one record of a domain (RFC 7208 4.4, 4.5).
    fn record(&self, domain: &str) -> Step<Option<Record>> {
        let texts = match self.answers.texts(domain)? {
            Ok(texts) => texts,
            Err(DnsFault::Failed) => return Err(Stop::Is(Outcome::TempError)),
            Err(DnsFault::NoSuchDomain | DnsFault::NoRecord) => return Ok(None),
        };
        let mut records = texts.iter().filter(|text| Record::is_one(text));
        match (records.next(), records.next()) {
            (None, _) => Ok(None),
            (Some(_), Some(_)) => Err(Stop::Is(Outcome::PermError)),
            (Some(text), None) => Record::read(text).map(Some).ok_or(Stop::Is(Outcome::PermError)),
        }
    }

    /// Whether a mechanism matches (RFC 7208 5).
    fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Step<bool> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(address, v4) => Ok(within(self.client.ip, IpAddr::V4(*address), Masks { v4: *v4, v6: 0 })),
            Mechanism::Ip6(address, v6) => Ok(within(self.client.ip, IpAddr::V6(*address), Masks { v4: 0, v6: *v6 })),
            Mechanism::A(name, masks) => {
                self.term()?;
                let target = self.target(name.as_ref(), domain)?;
                self.is_at(&target, *masks)
            }
            Mechanism::Mx(name, masks) => {
                self.term()?;
                let target = self.target(name.as_ref(), domain)?;
                self.is_exchanger(&target, *masks)
            }
            Mechanism::Include(name) => {
                self.term()?;
                let target = self.target(Some(name), domain)?;
                // RFC 7208 5.2.
                match self.host(&target)? {
                    Outcome::Pass => Ok(true),
                    Outcome::Fail | Outcome::SoftFail | Outcome::Neutral => Ok(false),
                    Outcome::TempError => Err(Stop::Is(Outcome::TempError)),
                    Outcome::PermError | Outcome::Policy | Outcome::None => Err(Stop::Is(Outcome::PermError)),
                }
            }
            Mechanism::Exists(name) => {
                self.term()?;
                let target = self.target(Some(name), domain)?;
                // RFC 7208 5.7: always the A records, whatever the client's family.
                let answer = self.answers.addresses(&target, true)?.map(<[IpAddr]>::len);
                Ok(self.there(answer)?.is_some_and(|addresses| addresses > 0))
            }
            Mechanism::Ptr(name) => {
                self.term()?;
                let target = self.target(name.as_ref(), domain)?;
                let names = self.validated()?;
                Ok(names.iter().any(|name| is_below(name, &target)))
            }
        }
    }

    /// One term more that asks the DNS.
    fn term(&mut self) -> Step<()> {
        self.terms += 1;
        if self.terms > TERMS_MAX { Err(Stop::Is(Outcome::PermError)) } else { Ok(()) }
    }

    /// What was found; nothing counts as a void look-up (RFC 7208 4.6.4), and failure ends it (RFC 7208 5).
    fn there<T>(&mut self, answer: Result<T, DnsFault>) -> Step<Option<T>> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(DnsFault::Failed) => Err(Stop::Is(Outcome::TempError)),
            Err(DnsFault::NoSuchDomain | DnsFault::NoRecord) => {
                self.voids += 1;
                if self.voids > VOIDS_MAX { Err(Stop::Is(Outcome::PermError)) } else { Ok(None) }
            }
        }
    }

    fn is_at(&mut self, name: &str, masks: Masks) -> Step<bool> {
        let ip = self.client.ip;
        let answer = self.answers.addresses(name, ip.is_ipv4())?;
        let found = answer.map(|found| found.iter().any(|address| within(ip, *address, masks)));
        Ok(self.there(found)?.unwrap_or(false))
    }

    /// RFC 7208 5.4.
    fn is_exchanger(&mut self, name: &str, masks: Masks) -> Step<bool> {
        let answer = self.answers.names(Sought::Exchangers, name)?;
        let Some(hosts) = self.there(answer.map(<[Box<str>]>::to_vec))? else { return Ok(false) };
        if hosts.len() > NAMES_MAX {
            return Err(Stop::Is(Outcome::PermError));
        }
        // All are asked for before one of them is waited for.
        for host in &hosts {
            let _ = self.answers.addresses(host, self.client.ip.is_ipv4());
        }
        for host in &hosts {
            if self.is_at(host, masks)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The client's names that have its address (RFC 7208 5.5). What fails here is no name.
    fn validated(&mut self) -> Step<Vec<Box<str>>> {
        let ip = self.client.ip;
        let answer = self.answers.names(Sought::Records(RecordKind::Ptr), &reverse_name(ip))?;
        let names = match answer {
            Ok(names) => names.iter().take(NAMES_MAX).cloned().collect(),
            Err(DnsFault::Failed) => Vec::new(),
            Err(fault) => self.there::<Vec<Box<str>>>(Err(fault))?.unwrap_or_default(),
        };
        let mut validated = Vec::new();
        for name in names {
            if self.answers.addresses(&name, ip.is_ipv4())?.is_ok_and(|found| found.contains(&ip)) {
                validated.push(name);
            }
        }
        Ok(validated)
    }

    /// The name that a term is about (RFC 7208 4.8, 7.3).
    fn target(&mut self, name: Option<&DomainSpec>, domain: &str) -> Step<String> {
        let Some(name) = name else { return Ok(domain.to_owned()) };
        let validated = if name.needs_validated() { self.validated()? } else { Vec::new() };
        // The domain itself, or one below it, or any.
        let same = validated.iter().find(|name| ***name == *domain);
        let below = || validated.iter().find(|name| is_below(name, domain));
        let found = same.or_else(below).or_else(|| validated.first());
        let Self { client: Client { ip, helo }, local, origin, .. } = *self;
        let validated = found.map_or("unknown", |name| name);
        let name = name.expand(Words { ip, local, origin, domain, helo, validated });
        Ok(shortened(name.trim_end_matches('.')).to_ascii_lowercase())
    }
}

/// Whether an address is the client's, as far as the mask of its family goes (RFC 7208 5.6).
fn within(ip: IpAddr, other: IpAddr, masks: Masks) -> bool {
    match (ip, other) {
        (IpAddr::V4(ip), IpAddr::V4(other)) => ip.to_bits() & masks.v4 == other.to_bits() & masks.v4,
        (IpAddr::V6(ip), IpAddr::V6(other)) => ip.to_bits() & masks.v6 == other.to_bits() & masks.v6,
        _ => false,
    }
}
