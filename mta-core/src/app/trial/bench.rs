//! Measures a plugin: each hook, an instance, memory.

use super::case::Case;
use super::mail::{address, content};
use super::replay::rehearsal;
use crate::app::threads;
use crate::base::flow::operator::trial::{
    Answered, Mailbox, Octets, Recorded, RecordedCall, RecordedDelivery, RecordedMessage, RecordedQuestion,
    RecordedSession, Said,
};
use crate::base::flow::placement::Priority;
use crate::base::flow::policy::Hook;
use crate::base::mail::content::Body;
use crate::base::mail::envelope::BodyType;
use crate::base::mail::id::QueueId;
use crate::config::model::Config;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Rounds through all cases at most.
const ROUNDS_MAX: u32 = 2_000;
/// Rounds that are not counted: the first calls find cold code.
const ROUNDS_WARM: u32 = 20;
/// Instances that are made anew.
const INSTANCES: u32 = 200;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// Each hook that was called, in the order of a message's life.
    pub hooks: Vec<HookMeasured>,
    /// Hooks that it has and that no case can call.
    pub not_called: Vec<String>,
    /// Making an instance and bringing it to its configuration.
    pub fresh_instance: Times,
    /// `restored` between transactions, or why each has an instance made anew.
    pub instances: String,
    /// The largest memory of an instance, in octets.
    pub memory_bytes: u64,
}

/// One hook.
#[derive(Clone, Debug, Serialize)]
pub struct HookMeasured {
    /// Its name.
    pub hook: String,
    /// One call, on an instance that is there.
    #[serde(flatten)]
    pub times: Times,
}

/// So many measurements of one thing, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// How many.
    pub count: u64,
    /// Half of them were faster.
    pub median_ns: u64,
    /// The fastest.
    pub lowest_ns: u64,
    /// The slowest.
    pub highest_ns: u64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        let nanos = |time: Option<&Duration>| time.map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        Self {
            count: times.len() as u64,
            median_ns: nanos(times.get(times.len() / 2)),
            lowest_ns: nanos(times.first()),
            highest_ns: nanos(times.last()),
        }
    }
}

/// Measures one plugin of a configuration for about so long, with these cases.
///
/// # Errors
/// In words for people: it can't be loaded, or fails.
pub fn bench(
    config: &Config,
    plugin: &str,
    cases: &[(Case, Option<Vec<u8>>)],
    time: Duration,
) -> Result<Measured, String> {
    let mut transactions = Vec::new();
    for (case, message) in cases {
        transactions.extend(recorded(case, message.as_deref(), config.limits.message_bytes_max)?);
    }
    threads::run(async {
        let mut rehearsal = rehearsal(config, plugin).await?;
        let mut times: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
        let mut memory_bytes = 0;
        let began = Instant::now();
        for round in 0..ROUNDS_MAX + ROUNDS_WARM {
            for recorded in &transactions {
                let answers = rehearsal.ask(recorded).await;
                for (call, answer) in recorded.calls.iter().zip(answers) {
                    let Some(Answered { said, took, memory_bytes: memory }) = answer else { continue };
                    let hook = call.asked.hook();
                    if said.verdict.starts_with("fault ") {
                        return Err(format!("{hook}: {}; its times would mean nothing", said.verdict));
                    }
                    memory_bytes = memory_bytes.max(memory);
                    if round >= ROUNDS_WARM {
                        times.entry(hook).or_default().push(took);
                    }
                }
            }
            if round > ROUNDS_WARM && began.elapsed() >= time {
                break;
            }
        }
        let mut made = Vec::new();
        for _ in 0..INSTANCES {
            made.push(rehearsal.fresh_instance().await?);
        }
        let names = Hook::ALL.map(Hook::name);
        let hooks = names.into_iter().filter_map(|hook| {
            Some(HookMeasured { hook: hook.to_owned(), times: Times::of(times.get(hook)?.clone()) })
        });
        let uncalled = rehearsal.hooks().iter().map(|hook| hook.name()).filter(|hook| !times.contains_key(hook));
        Ok(Measured {
            hooks: hooks.collect(),
            not_called: uncalled.map(str::to_owned).collect(),
            fresh_instance: Times::of(made),
            instances: rehearsal.instances(),
            memory_bytes,
        })
    })
}

/// The case as calls: connect, helo, the transaction, and a way and an attempt for each recipient.
fn recorded(case: &Case, message: Option<&[u8]>, size_bytes_max: u64) -> Result<Vec<Recorded>, String> {
    let session = RecordedSession {
        id: "bench".to_owned(),
        listener: case.session.listener.clone(),
        peer: case.session.peer.ip(),
        helo: Some(case.session.helo.clone()),
        user: None,
    };
    let call = |asked, message| RecordedCall { asked, message, said: Said::next() };
    let of = |session: Option<&RecordedSession>, calls| Recorded { session: session.cloned(), tenant: None, calls };
    let sender = (!case.sender.is_empty()).then(|| mailbox(&case.sender)).transpose()?;
    let mut transaction = vec![call(RecordedQuestion::Mail { sender: sender.clone(), params: Vec::new() }, None)];
    for to in &case.recipients {
        let (sender, to) = (sender.clone(), mailbox(to)?);
        transaction.push(call(RecordedQuestion::Rcpt { sender, to, params: Vec::new() }, None));
    }
    let mut attempts = Vec::new();
    if let Some(message) = message.filter(|_| !case.recipients.is_empty()) {
        let whole = written(case, message, size_bytes_max)?;
        for to in &whole.recipients {
            let one = RecordedMessage { recipients: vec![to.clone()], whole: false, ..whole.clone() };
            let delivery = RecordedDelivery {
                id: whole.id,
                recipient: to.clone(),
                attempt: 1,
                accepted_ms: 0,
                last_reply: None,
                site: None,
                campaign: None,
                priority: Priority::default(),
            };
            let to = RecordedDelivery { site: Some("bench.example".to_owned()), ..delivery.clone() };
            for asked in [RecordedQuestion::Route(delivery), RecordedQuestion::PreSend(to)] {
                attempts.push(of(None, vec![call(asked, Some(Box::new(one.clone())))]));
            }
        }
        transaction.push(call(RecordedQuestion::Data, Some(Box::new(whole))));
    }
    let helo = RecordedQuestion::Helo { name: case.session.helo.clone() };
    let mut all = vec![
        of(Some(&session), vec![call(RecordedQuestion::Connect, None)]),
        of(Some(&session), vec![call(helo, None)]),
        of(Some(&session), transaction),
    ];
    all.append(&mut attempts);
    Ok(all)
}

fn written(case: &Case, message: &[u8], size_bytes_max: u64) -> Result<RecordedMessage, String> {
    let content = content(message);
    let body = match content.body {
        Body::Memory(body) => body.to_vec(),
        Body::Stored { .. } => Vec::new(),
    };
    Ok(RecordedMessage {
        results: case.results.clone(),
        is_ours: case.ours,
        id: QueueId(1),
        sender: (!case.sender.is_empty()).then(|| address(&case.sender)).transpose()?,
        recipients: case.recipients.iter().map(|text| address(text)).collect::<Result<_, _>>()?,
        whole: true,
        body_type: BodyType::default(),
        size_bytes_max: Some(size_bytes_max),
        head: Octets(content.head.to_vec()),
        body_bytes: body.len() as u64,
        body: Octets(body),
        edits: Vec::new(),
        tags: Vec::new(),
    })
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    let address = address(text)?;
    let domain = address.domain().map_or_else(String::new, ToString::to_string);
    Ok(Mailbox { local: address.local().to_owned(), domain })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_middle_and_their_ends() {
        let times = [5, 1, 9].map(Duration::from_nanos);
        let told = Times { count: 3, median_ns: 5, lowest_ns: 1, highest_ns: 9 };
        assert_eq!(Times::of(times.to_vec()), told);
        assert_eq!(Times::of(Vec::new()), Times::default());
    }
}
