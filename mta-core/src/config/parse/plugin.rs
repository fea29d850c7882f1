//! `[[plugin]]`: source, grants, budgets, what failure means, and the plugin's own configuration as JSON.

use super::super::model::{Budget, CompileLimits, EditGrant, Mode, OnFailure, Plugin, PluginSource, SubmitLimits};
use super::super::places::{PLACES_MAX, Place, Places};
use super::problem::Position;
use super::scalar::{self, NAME};
use super::section::{Key, Value, Words, put};
use super::tree::{Data, Node};
use crate::base::flow::policy::Hook;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const MIB: i128 = 1 << 20;
const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);
const HOOK: &str = "a hook, as \"rcpt\"";
const SOURCE: &str = "\"builtin:NAME\" or the path of a .wasm file";
const SHA256: &str = "the sha256 of the component, 64 hexadecimal digits (`mailwright plugin inspect` prints it)";
const CAPABILITY: &str = "a capability: \"log\", \"metrics\", \"clock\", \"random\", \"dns\", \"kv:BUCKET\", \"secrets:NAME\", \"hmac:NAME\", \"tables:NAME\", \"suppression:SCOPE\", \"tenants\", \"http:HOST\", \"http-network:NETWORK\", \"submit\" or \"passwords\"";

/// A plugin before it is known to be whole.
#[derive(Default)]
pub(super) struct Draft {
    name: Option<Arc<str>>,
    source: Option<PluginSource>,
    sha256: Option<Box<str>>,
    allow: Vec<Box<str>>,
    edit: Vec<EditGrant>,
    hooks: Vec<Hook>,
    listeners: Vec<Arc<str>>,
    tenants: Vec<Arc<str>>,
    mode: Mode,
    of: Option<Arc<str>>,
    tick: Option<Duration>,
    failure: Failure,
    config: Option<Json>,
    places: BTreeMap<Box<str>, Place>,
    budget: Budget,
    compile: CompileLimits,
    submit: SubmitLimits,
    trace: bool,
    watch: bool,
}

/// What failure means: in general, and for some hooks.
#[derive(Default)]
pub(super) struct Failure {
    default: OnFailure,
    by_hook: BTreeMap<Box<str>, OnFailure>,
}

const EDITS: &Words<EditGrant> = &[
    ("headers", EditGrant::Headers),
    ("sender", EditGrant::Sender),
    ("recipients", EditGrant::Recipients),
    ("body", EditGrant::Body),
];

const FAILURES: &Words<OnFailure> =
    &[("tempfail", OnFailure::Tempfail), ("open", OnFailure::Open), ("closed", OnFailure::Closed)];

pub(super) const PLUGIN: &[Key<Draft>] = &[
    Key { name: "name", read: |d, v| d.name = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "source", read: |d, v| d.source = v.text(SOURCE, scalar::plugin_source) },
    Key { name: "sha256", read: |d, v| d.sha256 = v.text(SHA256, scalar::sha256) },
    Key {
        name: "allow",
        read: |d, v| {
            put(&mut d.allow, v.list("a list of capabilities", |item| item.text(CAPABILITY, scalar::capability)));
        },
    },
    Key {
        name: "edit",
        read: |d, v| {
            put(&mut d.edit, v.list("a list of what it may edit, as [\"headers\"]", |item| item.word(EDITS)));
        },
    },
    Key {
        name: "hooks",
        read: |d, v| {
            put(&mut d.hooks, v.list("a list of hooks, as [\"rcpt\", \"data\"]", |item| item.text(HOOK, hook)));
        },
    },
    Key { name: "listeners", read: |d, v| put(&mut d.listeners, v.names("a list of listeners' names")) },
    Key { name: "tenants", read: |d, v| put(&mut d.tenants, v.names("a list of tenants' names")) },
    Key {
        name: "mode",
        read: |d, v| match &v.node.data {
            Data::Table(_) => {
                let mut share = Share::default();
                if v.table(&mut share, MODE) {
                    v.require("canary", SHARE);
                }
                put(&mut d.mode, share.percent.map(Mode::Canary));
            }
            _ => put(&mut d.mode, v.text(MODES, mode)),
        },
    },
    Key { name: "of", read: |d, v| d.of = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "tick", read: |d, v| d.tick = v.duration(SECOND..=DAY) },
    Key {
        name: "on_failure",
        read: |d, v| match &v.node.data {
            Data::Table(_) => {
                v.table(&mut d.failure, ON_FAILURE);
            }
            _ => put(&mut d.failure.default, v.word(FAILURES)),
        },
    },
    Key {
        name: "config",
        read: |d, v| match &v.node.data {
            Data::Table(_) => {
                let path = v.path.clone();
                note(&mut d.places, &path, (v.node.position, v.node.position), v);
                d.config = Some(json(v.node, &path, v, &mut d.places));
            }
            _ => {
                v.expected::<()>("a table: the plugin's own configuration");
            }
        },
    },
    Key {
        name: "budget",
        read: |d, v| {
            v.table(&mut d.budget, BUDGET);
        },
    },
    Key {
        name: "compile",
        read: |d, v| {
            v.table(&mut d.compile, COMPILE);
        },
    },
    Key { name: "trace", read: |d, v| put(&mut d.trace, v.truth()) },
    Key { name: "watch", read: |d, v| put(&mut d.watch, v.truth()) },
    Key {
        name: "submit",
        read: |d, v| {
            v.table(&mut d.submit, SUBMIT);
        },
    },
];

/// A canary's share while it is read.
#[derive(Default)]
pub(super) struct Share {
    percent: Option<u8>,
}

const SHARE: &str = "how many of a hundred transactions are its own, as 5";
const MODES: &str = "\"full\", \"shadow\", or a share of the transactions as { canary = 5 }";

pub(super) const MODE: &[Key<Share>] = &[Key { name: "canary", read: |s, v| s.percent = v.count(0..=100) }];

fn mode(text: &str) -> Result<Mode, String> {
    match text {
        "full" => Ok(Mode::Full),
        "shadow" => Ok(Mode::Shadow),
        "canary" => Err("say its share: { canary = 5 }".to_owned()),
        _ => Err(String::new()),
    }
}

pub(super) const ON_FAILURE: &[Key<Failure>] = &[
    Key { name: "default", read: |f, v| put(&mut f.default, v.word(FAILURES)) },
    Key { name: "connect", read: |f, v| f.hook("connect", v) },
    Key { name: "helo", read: |f, v| f.hook("helo", v) },
    Key { name: "auth", read: |f, v| f.hook("auth", v) },
    Key { name: "mail", read: |f, v| f.hook("mail", v) },
    Key { name: "rcpt", read: |f, v| f.hook("rcpt", v) },
    Key { name: "data", read: |f, v| f.hook("data", v) },
    Key { name: "route", read: |f, v| f.hook("route", v) },
    Key { name: "pre-send", read: |f, v| f.hook("pre-send", v) },
];

impl Failure {
    fn hook(&mut self, hook: &str, value: &mut Value<'_, '_>) {
        if let Some(what) = value.word(FAILURES) {
            self.by_hook.insert(hook.into(), what);
        }
    }
}

pub(super) const BUDGET: &[Key<Budget>] = &[
    Key { name: "cpu_envelope", read: |b, v| put(&mut b.cpu_envelope, v.duration(MILLISECOND..=MINUTE)) },
    Key { name: "cpu_message", read: |b, v| put(&mut b.cpu_message, v.duration(MILLISECOND..=MINUTE)) },
    Key {
        name: "cpu_message_per_mib",
        read: |b, v| put(&mut b.cpu_message_per_mib, v.duration(Duration::ZERO..=MINUTE)),
    },
    Key { name: "wall", read: |b, v| put(&mut b.wall, v.duration(MILLISECOND..=MINUTE)) },
    // A guest of ours starts with 64 KiB; interpreters with some MiB.
    Key { name: "memory_bytes_max", read: |b, v| b.memory_bytes_max = v.size(MIB..=1024 * MIB) },
    Key { name: "log_lines_per_second_max", read: |b, v| put(&mut b.log_lines_per_second_max, v.count(0..=100_000)) },
    Key { name: "edits_max", read: |b, v| put(&mut b.edits_max, v.count(0..=10_000)) },
    Key { name: "faults_per_message_max", read: |b, v| put(&mut b.faults_per_message_max, v.count(1..=1_000)) },
    Key { name: "instances_max", read: |b, v| put(&mut b.instances_max, v.count(1..=5_000)) },
];

pub(super) const COMPILE: &[Key<CompileLimits>] = &[
    Key { name: "cpu", read: |c, v| put(&mut c.cpu, v.duration(SECOND..=10 * MINUTE)) },
    Key { name: "wall", read: |c, v| put(&mut c.wall, v.duration(SECOND..=60 * MINUTE)) },
    // The program itself takes some.
    Key { name: "memory_bytes_max", read: |c, v| put(&mut c.memory_bytes_max, v.size(64 * MIB..=16 * 1024 * MIB)) },
];

pub(super) const SUBMIT: &[Key<SubmitLimits>] = &[
    Key { name: "messages_per_minute_max", read: |s, v| put(&mut s.messages_per_minute_max, v.count(1..=100_000)) },
    Key { name: "outstanding_max", read: |s, v| put(&mut s.outstanding_max, v.count(1..=1_000_000)) },
    // A guest sends the host at most 1 MiB in one call, and addresses take some of it.
    Key { name: "message_bytes_max", read: |s, v| put(&mut s.message_bytes_max, v.size(1024..=MIB)) },
    Key { name: "recipients_per_message_max", read: |s, v| put(&mut s.recipients_per_message_max, v.count(1..=1000)) },
];

/// A hook's name, with or without `on-`.
fn hook(text: &str) -> Result<Hook, String> {
    let hook = Hook::named(text.strip_prefix("on-").unwrap_or(text));
    hook.ok_or_else(|| format!("hooks are {}", Hook::ALL.map(Hook::name).join(", ")))
}

/// One `[[plugin]]`.
pub(super) fn plugin(value: &mut Value<'_, '_>) -> Option<Plugin> {
    let mut draft = Draft::default();
    if value.table(&mut draft, PLUGIN) {
        value.require("name", NAME);
        value.require("source", SOURCE);
    }
    let root = format!("{}.config", value.path);
    // What is missing from a configuration that is not there is told where the plugin is.
    note(&mut draft.places, &root, (value.node.position, value.node.position), value);
    let plain = Plugin::new(draft.name?, draft.source?);
    Some(Plugin {
        config_places: Places { root: root.into(), at: Arc::new(draft.places) },
        sha256: draft.sha256,
        allow: draft.allow,
        edit: draft.edit,
        hooks: draft.hooks,
        listeners: draft.listeners,
        tenants: draft.tenants,
        mode: draft.mode,
        of: draft.of,
        tick: draft.tick.unwrap_or(plain.tick),
        on_failure: draft.failure.default,
        config_json: draft.config.map_or(plain.config_json, |config| config.to_string()),
        budget: draft.budget,
        compile: draft.compile,
        submit: draft.submit,
        on_failure_by_hook: draft.failure.by_hook,
        trace: draft.trace,
        watch: draft.watch,
        ..plain
    })
}

/// Keeps where a key and its value stand.
fn note(places: &mut BTreeMap<Box<str>, Place>, path: &str, at: (Position, Position), value: &Value<'_, '_>) {
    if places.len() < PLACES_MAX && !places.contains_key(path) {
        let (key, value) = (value.gathered.place(at.0).into(), value.gathered.place(at.1).into());
        places.insert(path.into(), Place { key, value });
    }
}

/// TOML as JSON: dates become text; what JSON can't say is a problem.
fn json(node: &Node, path: &str, value: &mut Value<'_, '_>, places: &mut BTreeMap<Box<str>, Place>) -> Json {
    let unsaid = |what: &str, value: &mut Value<'_, '_>| {
        value.gathered.add(node.position, path, what);
        Json::Null
    };
    match &node.data {
        Data::Text(text) | Data::Datetime(text) => Json::String(text.clone()),
        Data::Bool(truth) => Json::Bool(*truth),
        Data::Integer { value: number, .. } => match i64::try_from(*number) {
            Ok(number) => Json::from(number),
            Err(_) => unsaid("expected an integer of at most 64 bits", value),
        },
        Data::Float(text) => match text.parse().ok().and_then(serde_json::Number::from_f64) {
            Some(number) => Json::Number(number),
            None => unsaid("expected a number that JSON can say: plugins are given their configuration as JSON", value),
        },
        Data::List(items) => {
            let item = |(index, item): (usize, &Node)| {
                let path = format!("{path}.{index}");
                note(places, &path, (item.position, item.position), value);
                json(item, &path, value, places)
            };
            Json::Array(items.iter().enumerate().map(item).collect())
        }
        Data::Table(entries) => {
            let entry = |entry: &super::tree::Entry| {
                let path = format!("{path}.{}", entry.key);
                note(places, &path, (entry.position, entry.node.position), value);
                (entry.key.clone(), json(&entry.node, &path, value, places))
            };
            Json::Object(entries.iter().map(entry).collect())
        }
    }
}
