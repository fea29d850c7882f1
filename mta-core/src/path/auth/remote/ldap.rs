//! Asking a directory whether a password is a user's (LDAP, RFC 4511): the user's entry is searched for, and then it is bound
//! as with the password (RFC 4513 5.1.3). A machine: the directory's octets in, ours out.

use super::Said;
use super::ber::{self, Element, take, write};
use crate::base::flow::policy::password::Account;
use crate::base::sasl::sender::SenderPattern;
use crate::config::model::auth::ldap::Ldap;
use zeroize::Zeroizing;

/// What a directory may say to one question, in octets.
const SAID_BYTES_MAX: usize = 256 * 1024;

/// Entries that are asked for: two are one too many, and enough to see it.
const ENTRIES_MAX: u32 = 2;

// Operations (RFC 4511 4.2, 4.3, 4.5, 4.14) and what they end with (appendix A.1).
const BIND: u8 = 0x60;
const BOUND: u8 = 0x61;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const ENTRY: u8 = 0x64;
const SEARCHED: u8 = 0x65;
const REFERENCE: u8 = 0x73;
const SUCCESS: u64 = 0;
const SIZE_LIMIT: u64 = 4;
const INAPPROPRIATE: u64 = 48;
const INVALID: u64 = 49;

/// One question.
pub(in crate::path::auth) struct Lookup<'l> {
    ldap: &'l Ldap,
    name: &'l str,
    password: &'l str,
    /// What came and is no whole message yet.
    said: Vec<u8>,
    said_bytes: usize,
    state: State,
    /// The number of the last message of ours.
    id: u32,
    /// The entries that were found: their names, and what is asked of them.
    entries: Vec<(Vec<u8>, Account)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// We bind as ourselves.
    Ours,
    /// The entry is searched for.
    Search,
    /// We bind as the user.
    User,
}

/// What a question needs next.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::path::auth) enum Step {
    /// More of what the directory says.
    More,
    /// This is to be sent first.
    Send(Zeroizing<Vec<u8>>),
    /// It is over, and with it the connection.
    Over(Said),
}

impl<'l> Lookup<'l> {
    /// A question, and what it begins with; `secret` is ours there.
    pub(in crate::path::auth) fn new(
        ldap: &'l Ldap,
        name: &'l str,
        password: &'l str,
        secret: &[u8],
    ) -> (Self, Zeroizing<Vec<u8>>) {
        let (said, state) = (Vec::new(), State::Ours);
        let mut lookup = Self { ldap, name, password, said, said_bytes: 0, state, id: 0, entries: Vec::new() };
        let first = match &ldap.bind {
            Some((dn, _)) => lookup.bind(dn.as_bytes(), secret),
            None => lookup.search(),
        };
        (lookup, first)
    }

    /// What the directory said.
    ///
    /// # Errors
    /// It can't be said whether the password is the user's; in words for the log.
    pub(in crate::path::auth) fn receive(&mut self, octets: &[u8]) -> Result<Step, String> {
        self.said_bytes += octets.len();
        if self.said_bytes > SAID_BYTES_MAX {
            return Err("it says too much".to_owned());
        }
        self.said.extend_from_slice(octets);
        let said = std::mem::take(&mut self.said);
        let mut rest = &said[..];
        while let Some((message, behind)) = take(rest).map_err(|_| "what it says is no LDAP".to_owned())? {
            rest = behind;
            match self.message(&message)? {
                Step::More => {}
                step => return Ok(step),
            }
        }
        self.said = rest.to_vec();
        Ok(Step::More)
    }

    /// One message (RFC 4511 4.1.1): its number, an operation, and controls that we did not ask for.
    fn message(&mut self, message: &Element<'_>) -> Result<Step, String> {
        let strange = || "it answers what was not asked".to_owned();
        let mut parts = message.elements();
        let (Some(id), Some(operation)) = (parts.next(), parts.next()) else { return Err(strange()) };
        if id.number() != Some(self.id.into()) {
            return Err(strange());
        }
        match (operation.tag, self.state) {
            (BOUND, State::Ours) => match result(&operation)? {
                (SUCCESS, _) => Ok(Step::Send(self.search())),
                (code, why) => Err(format!("we may not bind there as {}: {}", self.ours(), told(code, &why))),
            },
            (ENTRY, State::Search) => {
                let entry = self.entry(&operation).ok_or_else(strange)?;
                if self.entries.len() < ENTRIES_MAX as usize {
                    self.entries.push(entry);
                }
                Ok(Step::More)
            }
            (REFERENCE, State::Search) => Ok(Step::More),
            (SEARCHED, State::Search) => match result(&operation)? {
                (SUCCESS | SIZE_LIMIT, _) => self.found(),
                (code, why) => Err(format!("the search failed: {}", told(code, &why))),
            },
            (BOUND, State::User) => match result(&operation)? {
                (SUCCESS, _) => Ok(Step::Over(Said::Yes(std::mem::take(&mut self.entries).remove(0).1))),
                (INVALID | INAPPROPRIATE, _) => Ok(Step::Over(Said::No)),
                (code, why) => Err(format!("it did not check the password: {}", told(code, &why))),
            },
            _ => Err(strange()),
        }
    }

    fn ours(&self) -> &str {
        self.ldap.bind.as_ref().map_or("nobody", |(dn, _)| dn)
    }

    /// The search is over.
    fn found(&mut self) -> Result<Step, String> {
        match &self.entries[..] {
            [] => Ok(Step::Over(Said::No)),
            [(dn, _)] if !dn.is_empty() && !self.password.is_empty() => {
                let (dn, password) = (dn.clone(), self.password.as_bytes());
                self.state = State::User;
                Ok(Step::Send(self.bind(&dn, password)))
            }
            // RFC 4513 5.1.1 and 5.1.2: with either empty everybody is let in, as nobody.
            [_] => Ok(Step::Over(Said::No)),
            _ => Err(format!("the filter finds more than one entry for {}", self.name)),
        }
    }

    /// An entry: its name, and its attributes with their values (RFC 4511 4.5.2).
    fn entry(&self, operation: &Element<'_>) -> Option<(Vec<u8>, Account)> {
        let mut parts = operation.elements();
        let (dn, attributes) = (parts.next()?, parts.next()?);
        let mut found = Account::default();
        for attribute in attributes.elements() {
            let mut parts = attribute.elements();
            let (kind, values) = (parts.next()?, parts.next()?);
            let is = |wanted: &Option<Box<str>>| {
                wanted.as_deref().is_some_and(|wanted| kind.content.eq_ignore_ascii_case(wanted.as_bytes()))
            };
            let texts = || values.elements().filter_map(|value| std::str::from_utf8(value.content).ok());
            if is(&self.ldap.senders_attribute) {
                // What is no pattern is an address of another kind, and lets nobody send.
                found.senders.extend(texts().filter_map(|text| SenderPattern::parse(text).ok()));
            }
            if is(&self.ldap.tenant_attribute) {
                found.tenant = texts().next().map(Into::into);
            }
        }
        Some((dn.content.to_vec(), found))
    }

    /// A message of ours around an operation.
    fn said(&mut self, operation: &[u8]) -> Zeroizing<Vec<u8>> {
        self.id += 1;
        Zeroizing::new(write(ber::SEQUENCE, &[&ber::number(ber::INTEGER, self.id), operation]))
    }

    /// RFC 4511 4.2, with a simple password.
    fn bind(&mut self, dn: &[u8], password: &[u8]) -> Zeroizing<Vec<u8>> {
        let (dn, password) = (write(ber::OCTETS, &[dn]), Zeroizing::new(write(0x80, &[password])));
        let operation = Zeroizing::new(write(BIND, &[&ber::number(ber::INTEGER, 3), &dn, &password]));
        self.said(&operation)
    }

    /// RFC 4511 4.5.1: the whole tree below the base, aliases as they are.
    fn search(&mut self) -> Zeroizing<Vec<u8>> {
        self.state = State::Search;
        let ldap = self.ldap;
        let wanted = [&ldap.senders_attribute, &ldap.tenant_attribute].into_iter().flatten();
        let mut attributes: Vec<u8> = wanted.flat_map(|name| write(ber::OCTETS, &[name.as_bytes()])).collect();
        if attributes.is_empty() {
            // RFC 4511 4.5.1.8: none at all.
            attributes = write(ber::OCTETS, &[b"1.1"]);
        }
        let seconds = u32::try_from(ldap.wait.as_secs()).unwrap_or(u32::MAX);
        let operation = write(
            SEARCH,
            &[
                &write(ber::OCTETS, &[ldap.base.as_bytes()]),
                &ber::number(ber::ENUMERATED, 2),
                &ber::number(ber::ENUMERATED, 0),
                &ber::number(ber::INTEGER, ENTRIES_MAX),
                &ber::number(ber::INTEGER, seconds),
                &write(ber::BOOLEAN, &[&[0]]),
                &ber::filter(&ldap.filter, self.name),
                &write(ber::SEQUENCE, &[&attributes]),
            ],
        );
        self.said(&operation)
    }

    /// What is said at the end (RFC 4511 4.3).
    pub(in crate::path::auth) fn farewell(&mut self) -> Zeroizing<Vec<u8>> {
        self.said(&write(UNBIND, &[]))
    }
}

/// A result's code, and what is said of it (RFC 4511 4.1.9).
fn result(operation: &Element<'_>) -> Result<(u64, String), String> {
    let mut parts = operation.elements();
    let code = parts.next().and_then(|code| code.number()).ok_or_else(|| "its result is none".to_owned())?;
    let why = parts.nth(1).map(|why| String::from_utf8_lossy(why.content).into_owned()).unwrap_or_default();
    Ok((code, why))
}

fn told(code: u64, why: &str) -> String {
    // What the directory says goes to the log: no longer than a line, and printable.
    let why: String = why.chars().filter(|c| !c.is_control()).take(200).collect();
    if why.is_empty() { format!("code {code}") } else { format!("code {code}, {why}") }
}
