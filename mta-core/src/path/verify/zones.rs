//! A DNS of a few lines, for tests: `NAME TYPE VALUE` on each.

use super::answers::{Answers, Found, Question, Sought, Unknown};
use crate::base::flow::Answer;
use crate::base::world::dns::{Dns, DnsFault, Mx, RecordData, RecordKind};
use std::collections::HashMap;
use std::future::{pending, ready};
use std::net::IpAddr;
use std::sync::Mutex;

/// Names with their records; a name without any does not exist. `FAILS` has the servers fail, `HANGS` says nothing.
#[derive(Debug, Default)]
pub(super) struct Zones {
    records: HashMap<String, Vec<(String, String)>>,
    /// What was asked of it as [`Dns`].
    pub(super) asked: Mutex<Vec<String>>,
}

impl Zones {
    pub(super) fn new(lines: &str) -> Self {
        let mut records: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for line in lines.lines() {
            let mut words = line.trim().splitn(3, ' ');
            let (Some(name), Some(kind)) = (words.next(), words.next()) else { continue };
            let value = words.next().unwrap_or_default().to_owned();
            records.entry(name.to_ascii_lowercase()).or_default().push((kind.to_owned(), value));
        }
        Self { records, asked: Mutex::default() }
    }

    pub(super) fn look_up(&self, question: &Question) -> Result<Found, DnsFault> {
        let records = self.records.get(&*question.name).ok_or(DnsFault::NoSuchDomain)?;
        if records.iter().any(|(kind, _)| kind == "FAILS") {
            return Err(DnsFault::Failed);
        }
        let of = |kind: &str| -> Vec<String> {
            records.iter().filter(|(known, _)| known == kind).map(|(_, value)| value.clone()).collect()
        };
        let ips = |kind| of(kind).iter().map(|ip| ip.parse::<IpAddr>().expect("an address")).collect::<Vec<_>>();
        let names = |kind| of(kind).into_iter().map(Into::into).collect::<Vec<Box<str>>>();
        let found = match question.sought {
            Sought::Exchangers => Found::Names(names("MX")),
            Sought::Records(RecordKind::Txt) => Found::Texts(of("TXT").into_iter().map(String::into_bytes).collect()),
            Sought::Records(RecordKind::A) => Found::Addresses(ips("A")),
            Sought::Records(RecordKind::Aaaa) => Found::Addresses(ips("AAAA")),
            Sought::Records(RecordKind::Ptr) => Found::Names(names("PTR")),
        };
        let empty = match &found {
            Found::Texts(texts) => texts.is_empty(),
            Found::Addresses(addresses) => addresses.is_empty(),
            Found::Names(names) => names.is_empty(),
        };
        if empty { Err(DnsFault::NoRecord) } else { Ok(found) }
    }

    pub(super) fn answer(&self, answers: &mut Answers, question: Question) {
        let found = self.look_up(&question);
        answers.learn(question, found);
    }

    /// Has it judged until nothing is missing.
    pub(super) fn settle<T>(&self, judge: impl Fn(&Answers) -> Result<T, Unknown>) -> T {
        let mut answers = Answers::default();
        loop {
            if let Ok(judged) = judge(&answers) {
                return judged;
            }
            let missing = answers.missing();
            assert!(!missing.is_empty(), "who does not know says what is missing");
            missing.into_iter().for_each(|question| self.answer(&mut answers, question));
        }
    }

    fn hangs(&self, name: &str) -> bool {
        self.asked.lock().expect("no panic").push(name.to_owned());
        self.records.get(name).is_some_and(|records| records.iter().any(|(kind, _)| kind == "HANGS"))
    }
}

impl Dns for Zones {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Vec<Mx>, DnsFault>> {
        if self.hangs(domain) {
            return Box::pin(pending());
        }
        let found = self.look_up(&Question::new(Sought::Exchangers, domain));
        Box::pin(ready(found.map(|found| match found {
            Found::Names(names) => names.into_iter().map(|host| Mx { preference: 0, host }).collect(),
            Found::Texts(_) | Found::Addresses(_) => Vec::new(),
        })))
    }

    fn records<'a>(&'a self, name: &'a str, kind: RecordKind) -> Answer<'a, Result<Vec<RecordData>, DnsFault>> {
        if self.hangs(name) {
            return Box::pin(pending());
        }
        let found = self.look_up(&Question::new(Sought::Records(kind), name));
        Box::pin(ready(found.map(|found| {
            match found {
                Found::Texts(texts) => texts.into_iter().map(RecordData::Txt).collect(),
                Found::Names(names) => names.into_iter().map(RecordData::Ptr).collect(),
                Found::Addresses(ips) => ips
                    .into_iter()
                    .map(|ip| match ip {
                        IpAddr::V4(ip) => RecordData::A(ip),
                        IpAddr::V6(ip) => RecordData::Aaaa(ip),
                    })
                    .collect(),
            }
        })))
    }

    fn addresses<'a>(&'a self, _: &'a str) -> Answer<'a, Result<Vec<IpAddr>, DnsFault>> {
        Box::pin(ready(Err(DnsFault::Failed)))
    }
}
