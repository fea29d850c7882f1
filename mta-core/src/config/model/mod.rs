//! The configuration after its check: every value is in range, every name resolves.

pub mod acme;
pub mod auth;
mod dkim;
pub mod feedback;
mod http;
pub mod listener;
mod log;
pub mod report;
mod srs;
pub mod verify;

pub use super::matching::{DomainPattern, Network, UserPattern};

use super::places::Places;
use crate::base::flow::attempt::NextHop;
use crate::base::flow::policy::Hook;
use crate::base::world::tls::Outgoing;
use acme::Acme;
use auth::Auth;
pub use dkim::DkimKey;
pub use feedback::Feedback;
pub use http::HttpListener;
use listener::{Listener, Tls};
pub use log::{Addresses, Log, LogFormat, LogOutput};
use report::Reporting;
pub use srs::Srs;
use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use verify::Verification;

/// All of it.
#[derive(Clone, Debug)]
pub struct Config {
    /// Our name: greeting, EHLO, trace headers, notifications.
    pub hostname: Arc<str>,
    /// Where the spool lives; relative paths are relative to the working directory.
    pub data_dir: PathBuf,
    /// Ports to serve.
    pub listeners: Vec<Arc<Listener>>,
    /// What holds for listeners that say nothing else; each has taken from it what it needs.
    pub tls: Tls,
    /// Who issues a certificate for `[tls]` by itself; none: nobody.
    pub acme: Option<Acme>,
    /// Public HTTP ports to serve.
    pub http: Vec<HttpListener>,
    /// Who may send where.
    pub relay: Relay,
    /// Where users are known from.
    pub auth: Auth,
    /// Ways out; the first match wins.
    pub routes: Vec<Route>,
    /// Addresses that connections may come from.
    pub pools: Vec<Pool>,
    /// How mail is delivered.
    pub delivery: Delivery,
    /// When mail is tried again and given up.
    pub queue: Queue,
    /// The spool's thresholds.
    pub storage: Storage,
    /// Limits of the SMTP server.
    pub limits: Limits,
    /// How many threads serve.
    pub threads: Threads,
    /// Secrets that plugins may be granted.
    pub secrets: Vec<Secret>,
    /// Tables that plugins may be granted.
    pub tables: Vec<Table>,
    /// Keys that sign what goes out.
    pub dkim: Vec<DkimKey>,
    /// The key that seals what is forwarded; none: nothing is sealed.
    pub arc: Option<DkimKey>,
    /// Whose mail is whose; the first match wins.
    pub tenants: Vec<Tenant>,
    /// Where reports about our own mail come back; none: nowhere.
    pub feedback: Option<Feedback>,
    /// How reverse paths of forwarded mail are rewritten; none: they are not.
    pub srs: Option<Srs>,
    /// Plugins, in the order of their chains.
    pub plugins: Vec<Plugin>,
    /// What is logged, and how.
    pub log: Log,
    /// Where metrics are read over HTTP; none: nowhere.
    pub metrics: Metrics,
    /// How mail from outside is verified.
    pub verify: Verification,
    /// What other domains are told; none: nothing.
    pub report: Option<Reporting>,
}

/// One of several that share this server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    /// Its name: in logs and the queue, and of its part of plugins' buckets.
    pub name: Arc<str>,
    /// Listeners whose clients are the tenant's.
    pub listeners: Vec<Arc<str>>,
    /// Users who are the tenant's.
    pub users: Vec<UserPattern>,
    /// Networks whose clients are the tenant's.
    pub networks: Vec<Network>,
    /// Domains that are the tenant's: mail to them, and mail from them where the client may relay.
    pub domains: Vec<DomainPattern>,
}

/// Relay rules: without them nobody may relay (RFC 5321 7.1 and 7.9).
#[derive(Clone, Debug, Default)]
pub struct Relay {
    /// Networks that may send to any domain.
    pub networks: Vec<Network>,
    /// Domain patterns accepted from anyone.
    pub domains: Vec<DomainPattern>,
}

/// One way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// What plugins choose it by.
    pub name: Option<Arc<str>>,
    /// Which recipient domains; none: only those that a plugin sends this way.
    pub to: Option<DomainPattern>,
    /// Where they go.
    pub via: NextHop,
    /// What connections there want of TLS; none: what `[delivery]` says.
    pub tls: Option<Outgoing>,
    /// The server there is one of ours: what strangers send to its users is not forwarded.
    pub inside: bool,
}

/// `[[pool]]`: addresses of this machine that connections to next hops come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// What plugins choose it by.
    pub name: Arc<str>,
    /// Used in turn, those of the next hop's own family. Never empty.
    pub addresses: Vec<IpAddr>,
}

/// `[delivery]`.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// Accept and queue, deliver nothing.
    pub paused: bool,
    /// Transactions under way at once, in all.
    pub attempts_max: usize,
    /// Transactions under way at once to one next hop.
    pub attempts_per_destination_max: usize,
    /// What connections want of TLS where no route says else.
    pub tls: Outgoing,
    /// How long an unused connection is kept for the next message.
    pub connection_idle: Duration,
    /// Messages over one connection.
    pub messages_per_connection_max: u32,
    /// Recipients in one transaction (RFC 5321 4.5.3.1.8 asks servers for at least 100).
    pub recipients_per_transaction_max: usize,
    /// Limits of each step, by the step's name in RFC 5321 4.5.3.2.
    pub timeouts: ClientTimeouts,
    /// The port of mail exchangers: 25, but for tests.
    pub mx_port: u16,
    /// Name servers to ask instead of the system's.
    pub dns_servers: Vec<SocketAddr>,
    /// Keys of zones to believe instead of the root's: a file of DNSKEY records.
    pub dns_trust_anchor: Option<PathBuf>,
    /// Whether exchangers are known by their signed zones (RFC 7672).
    pub dane: DaneMode,
    /// Whether domains' MTA-STS policies are kept to (RFC 8461).
    pub mta_sts: bool,
    /// The port where those policies are fetched: 443, but for tests.
    pub mta_sts_port: u16,
}

/// Whether exchangers are known by their signed zones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DaneMode {
    /// No.
    Off,
    /// Where the name servers pass signatures on.
    #[default]
    Auto,
    /// Always: name servers that don't look like forgers.
    On,
}

/// How long the client waits (RFC 5321 4.5.3.2).
#[derive(Clone, Copy, Debug)]
pub struct ClientTimeouts {
    /// TCP.
    pub connect: Duration,
    /// The greeting and the answer to EHLO.
    pub greeting: Duration,
    /// The answers to MAIL, RCPT, RSET and QUIT.
    pub command: Duration,
    /// The answer to DATA.
    pub data: Duration,
    /// Any progress while content is sent.
    pub content: Duration,
    /// The answer to the final dot.
    pub final_reply: Duration,
}

/// `[queue]`.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Waits between attempts; the last repeats. Never empty.
    pub retry: Vec<Duration>,
    /// How far a wait is spread to either side, in per cent.
    pub jitter_percent: u8,
    /// After this age what is left bounces.
    pub age_max: Duration,
    /// The same for notifications.
    pub notification_age_max: Duration,
    /// After this age the sender is told of the delay, once; none: never (RFC 3461 5.2.3).
    pub delay_notice: Option<Duration>,
}

/// `[storage]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Storage {
    /// The engine.
    pub engine: Engine,
    /// Below this much free space new mail gets 452.
    pub free_bytes_min: u64,
    /// Memory for sled's cache, in bytes.
    pub cache_bytes: u64,
    /// The size of a journal segment, in bytes.
    pub segment_bytes: u64,
    /// Content above this goes to a blob of its own, in bytes.
    pub blob_bytes_min: u64,
    /// The journal is written past the page cache.
    pub direct: bool,
}

/// Storage engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Journal and sled; survives power cuts.
    Sled,
    /// Nothing survives; for tests and as the benchmarks' floor. Named `danger_memory` in the file.
    Memory,
}

/// `[threads]`: what is not said is chosen by the machine's cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Threads {
    /// Those that mail comes in by, and all that is neither in nor out.
    pub receive: Option<usize>,
    /// Those that mail goes out by.
    pub deliver: Option<usize>,
}

/// `[limits]`: the SMTP server's. Beyond each of them the answer is 421, 452 or 552.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sessions at once, in all.
    pub sessions_max: usize,
    /// Sessions at once from one address.
    pub sessions_per_peer_max: usize,
    /// A command line, in octets with CRLF (RFC 5321 4.5.3.1.4 asks for 512, extensions for more).
    pub command_line_bytes_max: usize,
    /// Commands in a session.
    pub commands_per_session_max: u32,
    /// Commands answered with 5xx in a session since its last accepted message: a sender whose mail goes through may
    /// have as many bad recipients as it likes.
    pub errors_per_session_max: u32,
    /// Messages in a session.
    pub messages_per_session_max: u32,
    /// Recipients of a message; at least 100 (RFC 5321 4.5.3.1.8).
    pub recipients_per_message_max: usize,
    /// A message, in octets; announced by SIZE (RFC 1870).
    pub message_bytes_max: u64,
    /// A message's header section, in octets.
    pub header_bytes_max: usize,
    /// Received fields in a message; more is a loop (RFC 5321 6.3).
    pub received_hops_max: usize,
    /// Content kept in memory by all sessions together, in octets; beyond, it goes to disk as it arrives.
    pub content_memory_bytes_max: usize,
    /// From accept to the end of a trusted proxy's header.
    pub proxy_header: Duration,
    /// A TLS handshake.
    pub tls_handshake: Duration,
    /// Between two commands (RFC 5321 4.5.3.2.7).
    pub command_idle: Duration,
    /// Between two pieces of content.
    pub data_idle: Duration,
    /// From DATA to its end.
    pub data_total: Duration,
    /// From accept to close.
    pub session_total: Duration,
    /// How long running transactions may go on when the server is told to end.
    pub drain: Duration,
}

/// `[[secret]]`: what a plugin may be granted to see or to sign with. Its value is not part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its name in grants.
    pub name: Arc<str>,
    /// Where its value is.
    pub source: SecretSource,
}

/// Where a secret's value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// The file's content.
    File(PathBuf),
    /// A variable of the environment.
    Env(Box<str>),
}

/// `[[table]]`: a file of keys and values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name in grants.
    pub name: Arc<str>,
    /// Where it is.
    pub file: PathBuf,
}

/// `[[plugin]]`.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// Its name: in logs, and of its kv space.
    pub name: Arc<str>,
    /// Where its component is.
    pub source: PluginSource,
    /// What the component's sha256 must be, in lower-case hexadecimal.
    pub sha256: Option<Box<str>>,
    /// Granted capabilities, as `log` or `kv:bucket`.
    pub allow: Vec<Box<str>>,
    /// What it may edit.
    pub edit: Vec<EditGrant>,
    /// The hooks at which it is asked; none: all that it has.
    pub hooks: Vec<Hook>,
    /// The listeners to whose sessions it belongs; none: to all.
    pub listeners: Vec<Arc<str>>,
    /// The tenants to whose mail it belongs; none: to all mail, also that of nobody.
    pub tenants: Vec<Arc<str>>,
    /// How it takes part.
    pub mode: Mode,
    /// The plugin that it is measured by: a canary stands in its place, a shadow is compared with it.
    pub of: Option<Arc<str>>,
    /// The time between two calls of `on-tick`.
    pub tick: Duration,
    /// What its failure means.
    pub on_failure: OnFailure,
    /// Its own configuration, as JSON.
    pub config_json: String,
    /// Where that stands.
    pub config_places: Places,
    /// Budgets.
    pub budget: Budget,
    /// What compiling it may take.
    pub compile: CompileLimits,
    /// What mail it may send, where it may.
    pub submit: SubmitLimits,
    /// Hooks whose failure means something else.
    pub on_failure_by_hook: BTreeMap<Box<str>, OnFailure>,
    /// Each of its calls is logged.
    pub trace: bool,
    /// The plugins are reloaded when its file changes.
    pub watch: bool,
    /// It is asked about passwords: `[auth]` names it.
    pub knows_users: bool,
}

/// The word of `allow` by which a plugin may be shown passwords.
pub const PASSWORDS: &str = "passwords";

/// Where a component comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginSource {
    /// Compiled into the program.
    Builtin(Box<str>),
    /// A `.wasm` file.
    File(PathBuf),
}

impl fmt::Display for PluginSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(name) => write!(f, "builtin:{name}"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

/// How a plugin takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is asked, and what it says is done.
    #[default]
    Full,
    /// It is asked beside the mail; what it says is noted, and nothing comes of it.
    Shadow,
    /// It is asked about so many of a hundred transactions.
    Canary(u8),
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("full"),
            Self::Shadow => f.write_str("shadow"),
            Self::Canary(percent) => write!(f, "canary {percent} %"),
        }
    }
}

/// Parts of a message that a plugin may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EditGrant {
    /// Header fields.
    Headers,
    /// The reverse path.
    Sender,
    /// The recipients.
    Recipients,
    /// The body.
    Body,
}

/// What a plugin's failure means for the mail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFailure {
    /// 451 4.3.0: the client tries again.
    #[default]
    Tempfail,
    /// As if it had said `next`.
    Open,
    /// 550: refused.
    Closed,
}

/// What one hook call may use.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// CPU time of envelope hooks.
    pub cpu_envelope: Duration,
    /// CPU time of message hooks.
    pub cpu_message: Duration,
    /// And this more for each MiB of message.
    pub cpu_message_per_mib: Duration,
    /// Wall time, with all waiting.
    pub wall: Duration,
    /// Linear memory, in bytes. None: 16 MiB, and 128 MiB in the wide profile.
    pub memory_bytes_max: Option<usize>,
    /// Log lines a second.
    pub log_lines_per_second_max: u32,
    /// Recorded edits in one call.
    pub edits_max: usize,
    /// Attempts of one message in a row that may fault the plugin; then the message is held, where a fault means that it
    /// is tried again.
    pub faults_per_message_max: u32,
    /// Instances in use at once; a transaction has one from its first hook to its last.
    pub instances_max: usize,
}

/// What mail a plugin may send with the grant `submit`; beyond, it is told `quota` or `invalid`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubmitLimits {
    /// Messages in a minute; as many may come at once.
    pub messages_per_minute_max: u32,
    /// Messages that are in the queue at once, of those sent since the server's start.
    pub outstanding_max: usize,
    /// A message as the plugin gives it, in octets.
    pub message_bytes_max: usize,
    /// Recipients of a message.
    pub recipients_per_message_max: usize,
}

/// What compiling a component may take; beyond, it is not loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileLimits {
    /// CPU time, of all threads together; counted in whole seconds.
    pub cpu: Duration,
    /// Wall time.
    pub wall: Duration,
    /// Memory, in bytes.
    pub memory_bytes_max: u64,
}

/// `[metrics]`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Metrics {
    /// The port that answers `GET /metrics`; none: no port is opened.
    pub bind: Option<SocketAddr>,
}
