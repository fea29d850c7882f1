//! The sections of the file: each a table of its keys, with the range of every value.

pub(in crate::config::parse) mod acme;
pub(in crate::config::parse) mod feedback;
mod listener;
mod public;
pub(in crate::config::parse) mod report;
mod route;
pub(in crate::config::parse) mod srs;
#[cfg(test)]
mod tests;
pub(in crate::config::parse) mod threads;
pub(in crate::config::parse) mod verify;

pub(in crate::config::parse) use listener::{CERTIFICATE, LISTENER, TLS};
pub(in crate::config::parse) use public::HTTP;
pub(in crate::config::parse) use route::ROUTE;

use crate::base::event::Level;
use crate::base::flow::attempt::NextHop;
use crate::config::model::auth::Auth;
use crate::config::model::listener::Tls;
use crate::config::model::{
    Addresses, ClientTimeouts, Config, DaneMode, Delivery, Engine, Limits, Log, LogFormat, LogOutput, Metrics, Mode,
    Plugin, Pool, Queue, Relay, Storage, Threads,
};
use crate::config::parse::scalar::{self, NAME, NETWORK, PATTERN};
use crate::config::parse::section::{Key, Value, Words, duplicates, put};
use crate::config::parse::supplies;
use crate::config::parse::tree::Data;
use crate::config::parse::users;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

const KIB: i128 = 1 << 10;
const MIB: i128 = 1 << 20;
const GIB: i128 = 1 << 30;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const HOSTNAME: &str = "this server's full host name, as \"mx.example.org\"";
/// Waits of a server or client: shorter cuts healthy peers off, longer keeps dead ones.
const PATIENCE: RangeInclusive<Duration> = SECOND..=DAY;

/// A configuration in which nothing has been set.
pub(in crate::config) fn unset() -> Config {
    Config {
        hostname: "".into(),
        data_dir: PathBuf::new(),
        listeners: Vec::new(),
        tls: Tls::default(),
        acme: None,
        http: Vec::new(),
        relay: Relay::default(),
        auth: Auth::default(),
        routes: Vec::new(),
        pools: Vec::new(),
        delivery: Delivery::default(),
        queue: Queue::default(),
        storage: Storage::default(),
        limits: Limits::default(),
        threads: Threads::default(),
        secrets: Vec::new(),
        tables: Vec::new(),
        dkim: Vec::new(),
        arc: None,
        tenants: Vec::new(),
        feedback: None,
        srs: None,
        plugins: Vec::new(),
        log: Log::default(),
        metrics: Metrics::default(),
        verify: crate::config::model::verify::Verification::default(),
        report: None,
    }
}

/// The whole file.
pub(in crate::config::parse) fn config(config: &mut Config, root: &mut Value<'_, '_>) {
    root.table(config, CONFIG);
    root.require("hostname", HOSTNAME);
    root.require("data_dir", DATA_DIR);
    match root.below("listener").map(|node| &node.data) {
        None => root.missing("listener", "at least one [[listener]] with name and bind"),
        Some(Data::List(items)) if items.is_empty() => root.missing("listener", "at least one [[listener]]"),
        Some(_) => {}
    }
    names_are_unique(root, "listener");
    names_are_unique(root, "http");
    names_are_unique(root, "route");
    names_are_unique(root, "pool");
    names_are_unique(root, "plugin");
    names_are_unique(root, "tenant");
    names_are_unique(root, "secret");
    names_are_unique(root, "table");
    // A relative Maildir is mail, and lies with the rest of it.
    for route in &mut config.routes {
        if let NextHop::Maildir(path) = &mut route.via {
            *path = config.data_dir.join(&*path);
        }
    }
    listener::agree(config, root);
    route::agree(config, root);
    users::back_end(config);
    agreement(config, root);
}

/// Checks between keys, made when each of them is right by itself.
fn agreement(config: &Config, root: &mut Value<'_, '_>) {
    if !root.gathered.is_empty() {
        return;
    }
    supplies::are_there(config, root);
    users::agree(config, root);
    if config.limits.header_bytes_max as u64 > config.limits.message_bytes_max {
        let most = scalar::shown_size(config.limits.message_bytes_max.into());
        let what =
            format!("expected at most limits.message_bytes_max, which is {most}: a header is part of its message");
        root.wrong_below(&["limits", "header_bytes_max"], &what);
    }
    names_are_there(config, root);
    verify::agrees(config, root);
    if config.queue.delay_notice.is_some_and(|notice| notice >= config.queue.age_max) {
        let age = scalar::shown_duration(config.queue.age_max);
        let what =
            format!("expected less than queue.age_max, which is \"{age}\", or \"never\": at that age mail bounces");
        root.wrong_below(&["queue", "delay_notice"], &what);
    }
}

/// What names a listener or a tenant names one that is there.
fn names_are_there(config: &Config, root: &mut Value<'_, '_>) {
    let listeners: Vec<&str> = config.listeners.iter().map(|listener| &*listener.name).collect();
    let tenants: Vec<&str> = config.tenants.iter().map(|tenant| &*tenant.name).collect();
    let mut check = |section: &str, index: usize, key: &str, named: &[std::sync::Arc<str>], known: &[&str]| {
        for name in named.iter().filter(|name| !known.contains(&&***name)) {
            let there = if known.is_empty() { "there is none".to_owned() } else { known.join(", ") };
            let what = format!(
                "\"{name}\" is no {}: expected names of those that are there ({there})",
                key.trim_end_matches('s')
            );
            root.wrong_below(&[section, &index.to_string(), key], &what);
        }
    };
    for (index, tenant) in config.tenants.iter().enumerate() {
        check("tenant", index, "listeners", &tenant.listeners, &listeners);
    }
    for (index, key) in config.dkim.iter().enumerate() {
        check("dkim", index, "tenants", &key.tenants, &tenants);
    }
    for (index, plugin) in config.plugins.iter().enumerate() {
        check("plugin", index, "listeners", &plugin.listeners, &listeners);
        check("plugin", index, "tenants", &plugin.tenants, &tenants);
    }
    for (index, plugin) in config.plugins.iter().enumerate() {
        if let Some(what) = stands_against(config, plugin) {
            root.wrong_below(&["plugin", &index.to_string(), "of"], &what);
        }
    }
}

/// What is wrong with the plugin's `of`.
fn stands_against(config: &Config, plugin: &Plugin) -> Option<String> {
    let of = plugin.of.as_deref()?;
    if plugin.mode == Mode::Full {
        return Some("it is for a shadow and a canary: say mode = \"shadow\" or mode = { canary = 5 } too".to_owned());
    }
    match config.plugins.iter().find(|other| *other.name == *of) {
        Some(other) if other.mode == Mode::Full => None,
        Some(_) => Some(format!("\"{of}\" is a shadow or a canary itself: name a plugin that is asked in full")),
        None => Some(format!("expected the name of another [[plugin]], found \"{of}\"; there is none of that name")),
    }
}

/// Names of logs and kv spaces must tell their owners apart.
fn names_are_unique(root: &mut Value<'_, '_>, section: &str) {
    let Some(Data::List(items)) = root.below(section).map(|node| &node.data) else { return };
    let mut named = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let Data::Table(entries) = &item.data else { continue };
        let Some(entry) = entries.iter().find(|entry| entry.key == "name") else { continue };
        if let Data::Text(text) = &entry.node.data {
            named.push((text.as_str(), entry.node.position, format!("{section}.{index}.name")));
        }
    }
    duplicates(named.into_iter(), &format!("a name of its own for each [[{section}]]"), root.gathered);
}

const DATA_DIR: &str = "the directory of the spool, as \"/var/lib/mailwright\"";

pub(in crate::config::parse) const CONFIG: &[Key<Config>] = &[
    Key { name: "hostname", read: |c, v| put(&mut c.hostname, v.text(HOSTNAME, scalar::host_name).map(Into::into)) },
    Key { name: "data_dir", read: |c, v| put(&mut c.data_dir, v.text(DATA_DIR, directory)) },
    Key { name: "listener", read: |c, v| put(&mut c.listeners, v.list("a [[listener]] table", listener::listener)) },
    Key {
        name: "tls",
        read: |c, v| {
            v.table(&mut c.tls, TLS);
        },
    },
    Key { name: "acme", read: |c, v| c.acme = acme::acme(v) },
    Key { name: "http", read: |c, v| put(&mut c.http, v.list("an [[http]] table", public::http)) },
    Key {
        name: "relay",
        read: |c, v| {
            v.table(&mut c.relay, RELAY);
        },
    },
    Key { name: "auth", read: users::auth },
    Key { name: "route", read: |c, v| put(&mut c.routes, v.list("a [[route]] table", route::route)) },
    Key { name: "pool", read: |c, v| put(&mut c.pools, v.list("a [[pool]] table", pool)) },
    Key {
        name: "delivery",
        read: |c, v| {
            v.table(&mut c.delivery, DELIVERY);
        },
    },
    Key {
        name: "queue",
        read: |c, v| {
            v.table(&mut c.queue, QUEUE);
        },
    },
    Key {
        name: "storage",
        read: |c, v| {
            v.table(&mut c.storage, STORAGE);
        },
    },
    Key {
        name: "limits",
        read: |c, v| {
            v.table(&mut c.limits, LIMITS);
        },
    },
    Key {
        name: "threads",
        read: |c, v| {
            v.table(&mut c.threads, threads::KEYS);
        },
    },
    Key { name: "secret", read: |c, v| put(&mut c.secrets, v.list("a [[secret]] table", supplies::secret)) },
    Key { name: "table", read: |c, v| put(&mut c.tables, v.list("a [[table]] table", supplies::table)) },
    Key { name: "dkim", read: |c, v| put(&mut c.dkim, v.list("a [[dkim]] table", supplies::dkim)) },
    Key { name: "arc", read: |c, v| c.arc = supplies::arc(v) },
    Key { name: "tenant", read: |c, v| put(&mut c.tenants, v.list("a [[tenant]] table", users::tenant)) },
    Key { name: "feedback", read: |c, v| c.feedback = feedback::feedback(v) },
    Key { name: "srs", read: |c, v| c.srs = srs::srs(v) },
    Key {
        name: "plugin",
        read: |c, v| put(&mut c.plugins, v.list("a [[plugin]] table", crate::config::parse::plugin::plugin)),
    },
    Key {
        name: "log",
        read: |c, v| {
            v.table(&mut c.log, LOG);
        },
    },
    Key {
        name: "metrics",
        read: |c, v| {
            v.table(&mut c.metrics, METRICS);
        },
    },
    Key { name: "verify", read: verify::verify },
    Key { name: "report", read: |c, v| c.report = report::report(v) },
];

fn directory(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text.contains('\0') { Err(String::new()) } else { Ok(text.into()) }
}

pub(in crate::config::parse) const RELAY: &[Key<Relay>] = &[
    Key {
        name: "networks",
        read: |r, v| {
            put(&mut r.networks, v.list("a list of networks", |item| item.text(NETWORK, scalar::network)));
        },
    },
    Key {
        name: "domains",
        read: |r, v| {
            put(&mut r.domains, v.list("a list of domains", |item| item.text(PATTERN, scalar::domain_pattern)));
        },
    },
];

const SOURCES: &str = "a list of addresses of this machine, as [\"192.0.2.25\", \"2001:db8::25\"]";

/// A pool before it is known to be whole.
#[derive(Default)]
pub(in crate::config::parse) struct PoolDraft {
    name: Option<std::sync::Arc<str>>,
    addresses: Vec<std::net::IpAddr>,
}

pub(in crate::config::parse) const POOL: &[Key<PoolDraft>] = &[
    Key { name: "name", read: |d, v| d.name = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key {
        name: "addresses",
        read: |d, v| {
            let one = |text: &str| text.parse().map_err(|_| String::new());
            put(&mut d.addresses, v.list(SOURCES, |item| item.text("an address, as \"192.0.2.25\"", one)));
        },
    },
];

fn pool(value: &mut Value<'_, '_>) -> Option<Pool> {
    let mut draft = PoolDraft::default();
    if value.table(&mut draft, POOL) {
        value.require("name", NAME);
        match value.below("addresses").map(|node| &node.data) {
            None => value.missing("addresses", SOURCES),
            Some(Data::List(items)) if items.is_empty() => {
                value.wrong_below(&["addresses"], &format!("expected {SOURCES}"));
            }
            Some(_) => {}
        }
    }
    Some(Pool { name: draft.name?, addresses: draft.addresses })
}

pub(in crate::config::parse) const DELIVERY: &[Key<Delivery>] = &[
    Key { name: "tls", read: |d, v| put(&mut d.tls, v.word(route::DELIVERY_TLS).map(|wish| wish())) },
    Key { name: "paused", read: |d, v| put(&mut d.paused, v.truth()) },
    Key { name: "attempts_max", read: |d, v| put(&mut d.attempts_max, v.count(1..=100_000)) },
    Key {
        name: "attempts_per_destination_max",
        read: |d, v| put(&mut d.attempts_per_destination_max, v.count(1..=10_000)),
    },
    Key {
        name: "connection_idle",
        // RFC 5321 4.5.3.2.7 lets servers cut after five minutes.
        read: |d, v| put(&mut d.connection_idle, v.duration(Duration::ZERO..=5 * MINUTE)),
    },
    Key {
        name: "messages_per_connection_max",
        read: |d, v| put(&mut d.messages_per_connection_max, v.count(1..=1_000_000)),
    },
    Key {
        name: "recipients_per_transaction_max",
        read: |d, v| put(&mut d.recipients_per_transaction_max, v.count(1..=10_000)),
    },
    Key {
        name: "timeouts",
        read: |d, v| {
            v.table(&mut d.timeouts, TIMEOUTS);
        },
    },
    Key { name: "mx_port", read: |d, v| put(&mut d.mx_port, v.count(1..=65_535)) },
    Key {
        name: "dns_servers",
        read: |d, v| {
            let what = "an address, as \"192.0.2.53\" or \"127.0.0.1:5353\"";
            put(&mut d.dns_servers, v.list("a list of addresses", |item| item.text(what, scalar::name_server)));
        },
    },
    Key {
        name: "dns_trust_anchor",
        read: |d, v| d.dns_trust_anchor = v.text("the path of a file of DNSKEY records", route::path),
    },
    Key {
        name: "dane",
        read: |d, v| {
            put(&mut d.dane, v.word(&[("off", DaneMode::Off), ("auto", DaneMode::Auto), ("on", DaneMode::On)]));
        },
    },
    Key { name: "mta_sts", read: |d, v| put(&mut d.mta_sts, v.truth()) },
    Key { name: "mta_sts_port", read: |d, v| put(&mut d.mta_sts_port, v.count(1..=65_535)) },
];

pub(in crate::config::parse) const TIMEOUTS: &[Key<ClientTimeouts>] = &[
    Key { name: "connect", read: |t, v| put(&mut t.connect, v.duration(PATIENCE)) },
    Key { name: "greeting", read: |t, v| put(&mut t.greeting, v.duration(PATIENCE)) },
    Key { name: "command", read: |t, v| put(&mut t.command, v.duration(PATIENCE)) },
    Key { name: "data", read: |t, v| put(&mut t.data, v.duration(PATIENCE)) },
    Key { name: "content", read: |t, v| put(&mut t.content, v.duration(PATIENCE)) },
    Key { name: "final_reply", read: |t, v| put(&mut t.final_reply, v.duration(PATIENCE)) },
];

/// Shorter waits than this between attempts are an attack on the next hop.
const RETRY: RangeInclusive<Duration> = SECOND..=Duration::from_secs(30 * 86_400);

pub(in crate::config::parse) const QUEUE: &[Key<Queue>] = &[
    Key {
        name: "retry",
        read: |q, v| match v.list("a list of durations, as [\"1m\", \"5m\", \"1h\"]", |item| item.duration(RETRY)) {
            Some(waits) if waits.is_empty() && v.is_empty_list() => v.wrong("expected at least one wait, as [\"1m\"]"),
            waits => put(&mut q.retry, waits),
        },
    },
    Key { name: "jitter_percent", read: |q, v| put(&mut q.jitter_percent, v.count(0..=50)) },
    Key { name: "age_max", read: |q, v| put(&mut q.age_max, v.duration(RETRY)) },
    Key { name: "notification_age_max", read: |q, v| put(&mut q.notification_age_max, v.duration(RETRY)) },
    Key {
        name: "delay_notice",
        read: |q, v| match &v.node.data {
            Data::Text(text) if text == "never" => q.delay_notice = None,
            _ => put(&mut q.delay_notice, v.duration(RETRY).map(Some)),
        },
    },
];

pub(in crate::config::parse) const STORAGE: &[Key<Storage>] = &[
    Key {
        name: "engine",
        read: |s, v| put(&mut s.engine, v.word(&[("sled", Engine::Sled), ("danger_memory", Engine::Memory)])),
    },
    Key { name: "free_bytes_min", read: |s, v| put(&mut s.free_bytes_min, v.size(0..=1024 * GIB)) },
    Key { name: "cache_bytes", read: |s, v| put(&mut s.cache_bytes, v.size(MIB..=1024 * GIB)) },
    Key { name: "segment_bytes", read: |s, v| put(&mut s.segment_bytes, v.size(MIB..=4 * GIB)) },
    Key { name: "blob_bytes_min", read: |s, v| put(&mut s.blob_bytes_min, v.size(4 * KIB..=GIB)) },
    Key { name: "direct", read: |s, v| put(&mut s.direct, v.truth()) },
];

pub(in crate::config::parse) const LIMITS: &[Key<Limits>] = &[
    Key { name: "sessions_max", read: |l, v| put(&mut l.sessions_max, v.count(1..=1_000_000)) },
    Key { name: "sessions_per_peer_max", read: |l, v| put(&mut l.sessions_per_peer_max, v.count(1..=1_000_000)) },
    // RFC 5321 4.5.3.1.4: at least 512.
    Key { name: "command_line_bytes_max", read: |l, v| put(&mut l.command_line_bytes_max, v.size(512..=64 * KIB)) },
    Key {
        name: "commands_per_session_max",
        read: |l, v| put(&mut l.commands_per_session_max, v.count(10..=1_000_000_000)),
    },
    Key { name: "errors_per_session_max", read: |l, v| put(&mut l.errors_per_session_max, v.count(1..=1_000_000)) },
    Key {
        name: "messages_per_session_max",
        read: |l, v| put(&mut l.messages_per_session_max, v.count(1..=1_000_000_000)),
    },
    // RFC 5321 4.5.3.1.8: at least 100.
    Key {
        name: "recipients_per_message_max",
        read: |l, v| put(&mut l.recipients_per_message_max, v.count(100..=100_000)),
    },
    // RFC 5321 4.5.3.1.7: at least 64K.
    Key { name: "message_bytes_max", read: |l, v| put(&mut l.message_bytes_max, v.size(64 * KIB..=4 * GIB)) },
    Key { name: "header_bytes_max", read: |l, v| put(&mut l.header_bytes_max, v.size(4 * KIB..=16 * MIB)) },
    // RFC 5321 6.3: simple counting needs a large threshold, at least 100 is its advice; fewer serves small nets.
    Key { name: "received_hops_max", read: |l, v| put(&mut l.received_hops_max, v.count(5..=1000)) },
    Key {
        name: "content_memory_bytes_max",
        read: |l, v| put(&mut l.content_memory_bytes_max, v.size(MIB..=1024 * GIB)),
    },
    Key { name: "proxy_header", read: |l, v| put(&mut l.proxy_header, v.duration(PATIENCE)) },
    Key { name: "tls_handshake", read: |l, v| put(&mut l.tls_handshake, v.duration(PATIENCE)) },
    Key { name: "command_idle", read: |l, v| put(&mut l.command_idle, v.duration(PATIENCE)) },
    Key { name: "data_idle", read: |l, v| put(&mut l.data_idle, v.duration(PATIENCE)) },
    Key { name: "data_total", read: |l, v| put(&mut l.data_total, v.duration(PATIENCE)) },
    Key { name: "session_total", read: |l, v| put(&mut l.session_total, v.duration(PATIENCE)) },
    Key { name: "drain", read: |l, v| put(&mut l.drain, v.duration(Duration::ZERO..=HOUR)) },
];

const LEVELS: &Words<Level> =
    &[("error", Level::Error), ("warn", Level::Warn), ("info", Level::Info), ("debug", Level::Debug)];

const ADDRESSES: &Words<Addresses> =
    &[("plain", Addresses::Plain), ("hashed", Addresses::Hashed), ("domain", Addresses::Domain)];

pub(in crate::config::parse) const LOG: &[Key<Log>] = &[
    Key {
        name: "format",
        read: |l, v| put(&mut l.format, v.word(&[("text", LogFormat::Text), ("json", LogFormat::Json)])),
    },
    Key { name: "level", read: |l, v| put(&mut l.level, v.word(LEVELS)) },
    Key {
        name: "output",
        read: |l, v| put(&mut l.output, v.word(&[("stderr", LogOutput::Stderr), ("stdout", LogOutput::Stdout)])),
    },
    Key { name: "addresses", read: |l, v| put(&mut l.addresses, v.word(ADDRESSES)) },
];

pub(in crate::config::parse) const METRICS: &[Key<Metrics>] = &[Key {
    name: "bind",
    read: |m, v| m.bind = v.text("an address with its port, as \"127.0.0.1:9925\"", scalar::bind_address),
}];
