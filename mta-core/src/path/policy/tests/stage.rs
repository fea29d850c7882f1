//! What the tests stand on: a host with a real clock, kept events, and configured plugins.

use crate::base::event::Event;
use crate::base::fixtures::{Names, Web};
use crate::base::flow::Answer;
use crate::base::flow::entry::{Entry, Progress};
use crate::base::flow::operator::suppression::Suppress;
use crate::base::flow::policy::{Attempted, Outcome, Policy, SessionInfo, SessionPolicy, Submission};
use crate::base::mail::address::Address;
use crate::base::mail::content::{Body, Content};
use crate::base::mail::edits::Edits;
use crate::base::mail::envelope::{BodyType, Envelope, Recipient};
use crate::base::mail::id::QueueId;
use crate::base::time::{Now, UnixMillis};
use crate::base::world::{Clock, Dice, Observe};
use crate::config::model::{Budget, EditGrant, Plugin, PluginSource};
use crate::edge::world::ticker;
use crate::path::policy::{Host, HostSettings};
use crate::sandbox::{LoadError, Reach, Supplies};
use bytes::Bytes;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A host on a stage.
pub(super) struct Stage {
    pub(super) host: Host,
    pub(super) events: Arc<Events>,
    /// What grants may name.
    pub(super) supplies: Supplies,
}

/// The machine's clock.
struct RealClock;

impl Clock for RealClock {
    fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        Now {
            mono: Instant::now(),
            wall: UnixMillis(u64::try_from(wall.as_millis()).expect("before the year 584554051")),
        }
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        Box::pin(tokio::time::sleep_until(when.into()))
    }
}

/// Dice that count: each octet that is filled is one more than the last.
#[derive(Default)]
pub(super) struct CountingDice(AtomicU64);

impl Dice for CountingDice {
    fn roll(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn fill(&self, into: &mut [u8]) -> std::io::Result<()> {
        into.fill_with(|| self.roll().to_le_bytes()[0].wrapping_add(1));
        Ok(())
    }
}

/// An outside in which nothing is found.
pub(super) fn reach() -> Reach {
    Reach { dice: Arc::new(CountingDice::default()), dns: Arc::new(Names::default()), http: Arc::new(Web::default()) }
}

/// Events as JSON, in their order.
#[derive(Default)]
pub(super) struct Events(Mutex<Vec<serde_json::Value>>, tokio::sync::Notify);

impl Observe for Events {
    fn event(&self, event: Event<'_>) {
        let json = serde_json::to_value(&event).expect("events are data");
        self.0.lock().expect("no test panics with it").push(json);
        self.1.notify_one();
    }
}

impl Events {
    /// The events of that name since the last look.
    pub(super) fn take(&self, name: &str) -> Vec<serde_json::Value> {
        let mut all = self.0.lock().expect("no test panics with it");
        let (wanted, rest) = std::mem::take(&mut *all).into_iter().partition(|event| event["event"] == name);
        *all = rest;
        wanted
    }

    /// Waits until so many events of that name came.
    pub(super) async fn wait_for(&self, name: &str, many: usize) {
        let count = || {
            let all = self.0.lock().expect("no test panics with it");
            all.iter().filter(|event| event["event"] == name).count()
        };
        while count() < many {
            self.1.notified().await;
        }
    }

    /// The kinds and answers of all faults since the last look.
    pub(super) fn faults(&self) -> Vec<(String, String)> {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        self.take("plugin-fault").iter().map(|event| (text(&event["kind"]), text(&event["answered"]))).collect()
    }
}

impl Stage {
    /// A host with a small pool that beats.
    pub(super) fn new() -> Self {
        Self::with_instances(16)
    }

    pub(super) fn with_instances(instances_max: u32) -> Self {
        Self::reaching(reach(), instances_max)
    }

    pub(super) fn reaching(reach: Reach, instances_max: u32) -> Self {
        Self::with(|settings| HostSettings { reach, instances_max, ..settings })
    }

    pub(super) fn with_instances_of_each_tenant(instances_per_tenant_max: usize) -> Self {
        Self::with(|settings| HostSettings { instances_max: 16, instances_per_tenant_max, ..settings })
    }

    pub(super) fn with_lists(lists: Arc<dyn Suppress>) -> Self {
        Self::with(|settings| HostSettings { instances_max: 16, suppress: Some(lists), ..settings })
    }

    fn with(change: impl FnOnce(HostSettings) -> HostSettings) -> Self {
        let events = Arc::new(Events::default());
        let settings = change(HostSettings::new(Arc::new(RealClock), events.clone(), reach()));
        let host = Host::new(settings).expect("the engine is set up");
        ticker::spawn(host.pulse()).expect("a thread");
        Self { host, events, supplies: Supplies::default() }
    }

    /// Loads plugins with their components.
    pub(super) async fn load(&self, plugins: &[(Plugin, Bytes)]) -> Result<(), LoadError> {
        let configured: Vec<Plugin> = plugins.iter().map(|(plugin, _)| plugin.clone()).collect();
        let octets: Vec<(PluginSource, Bytes)> =
            plugins.iter().map(|(plugin, octets)| (plugin.source.clone(), octets.clone())).collect();
        let read = move |source: &PluginSource| {
            let found = octets.iter().find(|(other, _)| other == source);
            found.map(|(_, octets)| octets.clone()).ok_or_else(|| "not on the stage".to_owned())
        };
        self.host.load(&configured, &self.supplies, &read).await
    }

    pub(super) fn session(&self) -> Box<dyn SessionPolicy> {
        self.host.session(SessionInfo {
            id: "s1".into(),
            listener: "mx".into(),
            peer: "192.0.2.7:4711".parse().expect("a literal"),
            helo: None,
            tls: None,
            user: None,
        })
    }
}

/// A configured plugin, with budgets that fit a slow machine.
pub(super) fn plugin(name: &str) -> Plugin {
    let budget = Budget {
        cpu_envelope: Duration::from_millis(200),
        cpu_message: Duration::from_millis(200),
        wall: Duration::from_secs(10),
        ..Budget::default()
    };
    Plugin { budget, ..Plugin::new(name, PluginSource::Builtin(name.into())) }
}

/// The example plugin as `config/dev.toml` has it.
pub(super) fn hello() -> (Plugin, Bytes) {
    let mut hello = plugin("hello");
    hello.allow = vec!["log".into()];
    hello.edit = vec![EditGrant::Headers];
    hello.config_json = r#"{"header":"X-Hello"}"#.to_owned();
    let octets = crate::edge::plugins::read(&hello.source).expect("it is built in");
    (hello, octets)
}

pub(super) fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

pub(super) fn recipient(text: &str) -> Recipient {
    Recipient { address: address(text), notify: None, orcpt: None }
}

pub(super) fn envelope(to: &[&str]) -> Envelope {
    Envelope {
        sender: Some(address("from@example.org")),
        recipients: to.iter().map(|to| recipient(to)).collect(),
        body: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
    }
}

pub(super) fn content(head: &'static str, body: &'static str) -> Content {
    Content { head: Bytes::from_static(head.as_bytes()), body: Body::Memory(Bytes::from_static(body.as_bytes())) }
}

pub(super) const ID: QueueId = QueueId(7);

/// A stranger's message, of which nothing was found out.
pub(super) fn submission<'a>(envelope: &'a Envelope, content: &'a Content) -> Submission<'a> {
    Submission { id: ID, envelope, content, size_bytes_max: 1 << 20, verified: None, is_ours: false }
}

pub(super) fn entry(to: &[&str]) -> Entry {
    Entry {
        id: ID,
        accepted: UnixMillis(1_000),
        envelope: envelope(to),
        trace: "".into(),
        edits: Edits::default(),
        size_bytes: 0,
        head_bytes: 0,
        tenant: None,
        tags: Vec::new(),
        progress: to.iter().map(|_| Progress::fresh(UnixMillis(1_000))).collect(),
        placements: Vec::new(),
    }
}

/// What became of its first recipient at the first attempt.
pub(super) fn ended(entry: Entry, outcome: Outcome) -> Attempted {
    Attempted {
        entry: entry.into(),
        content: Some(content("Subject: x\r\n\r\n", "text\r\n")),
        recipient: 0,
        attempt: 1,
        site: "mx:example.net".into(),
        outcome,
    }
}
