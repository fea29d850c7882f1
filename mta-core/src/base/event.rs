//! Every fact that is logged, counted or streamed: one closed enum.
//!
//! The log line, the counter and the trace are all made from the same value, so they can't disagree. Texts that come
//! from outside are made printable by whoever builds the event.

#[cfg(test)]
mod tests;

use super::flow::policy::verify::Told;
use super::mail::id::QueueId;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};

/// A fact. Serialised with its name under `event`; every field is part of the log's contract (docs/operating.md).
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are the log's own words; docs/operating.md explains each")]
pub enum Event<'a> {
    /// The configuration is checked, every port is open, mail is served.
    Started { version: &'a str, hostname: &'a str },
    /// A port is open.
    Listening { listener: &'a str, address: SocketAddr },
    /// The configuration was read again and is in force.
    Reloaded { path: &'a str },
    /// The configuration was read again and refused; the old one stays in force.
    ReloadRefused { path: &'a str, why: &'a str },
    /// No new mail; running transactions may end.
    Draining { sessions: u64, limit_ms: u64 },
    /// The end; what was cut off when the limit passed.
    Stopped { sessions_cut: u64, attempts_cut: u64 },

    /// A request to a public HTTP port was answered.
    HttpAnswered {
        listener: &'a str,
        peer: IpAddr,
        plugin: Option<&'a str>,
        method: &'a str,
        status: u16,
        bytes: u64,
        took_ms: u64,
    },
    /// A connection to a public HTTP port was refused by a limit.
    HttpRefused { listener: &'a str, peer: SocketAddr, why: &'a str },

    /// Connections can't be accepted, so often in a row; the listener rests between its tries.
    AcceptFailed { listener: &'a str, failures: u32, why: &'a str },
    /// A connection from a trusted proxy was closed: it did not say in time, or in words that we know, for whom it is.
    ProxyRefused { listener: &'a str, peer: SocketAddr, why: &'a str },
    /// A session was let in.
    SessionOpened { session: &'a str, listener: &'a str, peer: SocketAddr },
    /// Whoever connected speaks for this client from here on.
    Xclient { session: &'a str, by: SocketAddr, peer: SocketAddr, helo: Option<&'a str>, user: Option<&'a str> },
    /// A session is protected by TLS from here on; by whose certificate, where the client showed one.
    TlsEstablished {
        session: &'a str,
        peer: SocketAddr,
        version: &'a str,
        cipher: &'a str,
        server_name: Option<&'a str>,
        resumed: bool,
        client: Option<&'a str>,
        verified: Option<bool>,
    },
    /// A TLS handshake failed, or was refused; the session ends.
    TlsFailed { session: &'a str, listener: &'a str, peer: SocketAddr, why: &'a str },
    /// A session was refused by a limit or by policy.
    SessionRefused { session: &'a str, listener: &'a str, peer: SocketAddr, reply: &'a str, why: &'a str },
    /// A session ended.
    SessionClosed { session: &'a str, peer: SocketAddr, messages: u32, commands: u32, errors: u32, why: &'a str },
    /// A command was answered with 4xx or 5xx.
    CommandRefused { session: &'a str, peer: SocketAddr, verb: &'a str, reply: &'a str },

    /// A client has shown who it is.
    AuthSucceeded { session: &'a str, peer: SocketAddr, mechanism: &'a str, user: &'a str },
    /// A client could not, or was not let; the user is named where there is such a one.
    AuthFailed { session: &'a str, peer: SocketAddr, mechanism: &'a str, user: Option<&'a str>, why: &'a str },
    /// Who knows users or tokens does not answer, or not in its words: clients are told to come again.
    AuthUnanswered { of: &'a str, host: &'a str, why: &'a str },
    /// A message from outside was verified: what came of it.
    Verified { session: &'a str, id: QueueId, results: Told<'a>, took_ms: u64 },
    /// A message is durable and its 250 is on the way.
    Accepted {
        session: &'a str,
        id: QueueId,
        sender: &'a str,
        recipients: u32,
        bytes: u64,
        peer: SocketAddr,
        user: Option<&'a str>,
    },
    /// A message was refused after its content had come.
    MessageRefused {
        session: &'a str,
        id: QueueId,
        sender: &'a str,
        recipients: u32,
        bytes: u64,
        reply: &'a str,
        plugin: Option<&'a str>,
    },
    /// A message of a plugin's own is durable.
    Submitted { id: QueueId, plugin: &'a str, tenant: Option<&'a str>, sender: &'a str, recipients: u32, bytes: u64 },
    /// A message was accepted and dropped by policy.
    MessageDiscarded { session: &'a str, id: QueueId, plugin: &'a str, reason: &'a str },
    /// A message was accepted and is held for an operator.
    MessageHeld { id: QueueId, plugin: &'a str, reason: &'a str },

    /// A plugin said where a recipient goes, and when and how.
    Routed {
        id: QueueId,
        recipient: &'a str,
        plugin: &'a str,
        via: Option<&'a str>,
        pool: Option<&'a str>,
        campaign: Option<&'a str>,
        priority: &'a str,
        begins_in_ms: u64,
        expires_in_ms: Option<u64>,
    },
    /// A recipient was delivered to the next hop.
    Delivered {
        id: QueueId,
        recipient: &'a str,
        hop: &'a str,
        remote: &'a str,
        tls: Option<&'a str>,
        reply: &'a str,
        attempt: u32,
        took_ms: u64,
        age_ms: u64,
    },
    /// A recipient is to be tried again.
    Deferred {
        id: QueueId,
        recipient: &'a str,
        hop: &'a str,
        remote: &'a str,
        reply: &'a str,
        attempt: u32,
        again_in_ms: u64,
    },
    /// A recipient failed for good.
    Bounced { id: QueueId, recipient: &'a str, hop: &'a str, remote: &'a str, reply: &'a str, attempt: u32 },
    /// A recipient's age passed the maximum.
    Expired { id: QueueId, recipient: &'a str, attempts: u32, age_ms: u64 },
    /// A recipient was dropped by policy before an attempt.
    Discarded { id: QueueId, recipient: &'a str, plugin: &'a str, reason: &'a str },
    /// A recipient is held by policy before an attempt.
    Held { id: QueueId, recipient: &'a str, plugin: &'a str, reason: &'a str },
    /// A notification was queued (RFC 3464).
    NotificationQueued { id: QueueId, about: QueueId, kind: &'a str, to: &'a str },
    /// A report came back about a message that we sent, and so many plugins were told.
    Feedback {
        id: QueueId,
        about: QueueId,
        kind: &'a str,
        /// The status of a bounce, or what a complaint is about.
        says: &'a str,
        recipient: &'a str,
        tenant: Option<&'a str>,
        campaign: Option<&'a str>,
        plugins: u32,
    },
    /// What came back is about a message that we sent, and says nothing that plugins are told.
    FeedbackIdle { id: QueueId, about: QueueId, why: &'a str },
    /// What came as feedback can't be tied to a message that we sent: its recipient was refused, or it ended so.
    FeedbackUntied { session: Option<&'a str>, id: Option<QueueId>, why: &'a str },
    /// A message's content can't be read: it is set aside until the server starts again.
    MessageUnreadable { id: QueueId, why: &'a str },
    /// A message can't be signed, so it waits.
    Unsigned { id: QueueId, why: &'a str },
    /// An operator acted on a message.
    Operated { id: QueueId, action: &'a str },
    /// The message has ended for every recipient and its content is given back.
    Finished { id: QueueId },

    /// The next hop could not be reached at an address.
    ConnectFailed { hop: &'a str, address: SocketAddr, why: &'a str },
    /// The next hop's names could not be looked up.
    LookupFailed { hop: &'a str, name: &'a str, why: &'a str },
    /// A domain's MTA-STS policy was fetched, and is another than the one before.
    StsPolicy { domain: &'a str, mode: &'a str, id: &'a str },
    /// What a domain promises of its TLS could not be had, or is not kept by a host.
    TlsPolicyFailed { domain: &'a str, policy: &'a str, host: Option<&'a str>, why: &'a str },
    /// The name servers pass no signatures on: there is no DANE for now.
    DnssecUnavailable { why: &'a str },
    /// A mail loop: the best exchanger is this machine.
    LoopFound { hop: &'a str, address: IpAddr },

    /// The spool was opened.
    SpoolOpened { messages: u64, replayed: u64, damaged: u64, took_ms: u64 },
    /// The index was lost or damaged and is being rebuilt from the journal.
    SpoolRebuilding { why: &'a str },
    /// A record can't be read and was set aside; its message, if its name could be read.
    RecordDamaged { id: Option<QueueId>, position: u64, why: &'a str, kept_in: &'a str },
    /// Free space fell below the threshold: new mail gets 452.
    DiskLow { free_bytes: u64, threshold_bytes: u64 },
    /// Free space is back.
    DiskRecovered { free_bytes: u64 },
    /// A commit failed; its messages were not acknowledged.
    CommitFailed { messages: u64, why: &'a str },
    /// The store writes again after failures.
    CommitRecovered { failures: u64 },
    /// Journal space was given back.
    Reclaimed { bytes: u64, moved: u64 },

    /// Code was made of a component; or it was there already.
    PluginCompiled { plugin: &'a str, component_bytes: u64, code_bytes: u64, took_ms: u64, cached: bool },
    /// The cache of compiled plugins can't be used: they are compiled at each load.
    PluginCacheUnused { why: &'a str },
    /// A plugin was loaded and serves.
    PluginLoaded {
        plugin: &'a str,
        version: &'a str,
        sha256: &'a str,
        hooks: &'a str,
        /// The engine that it runs in: `narrow` or `wide`.
        profile: &'a str,
        /// `restored` where instances are used again, else why not.
        instances: &'a str,
        generation: u64,
    },
    /// An operator had all plugins loaded again: so many serve.
    PluginsReloaded { generation: u64, plugins: u64, took_ms: u64 },
    /// An operator wanted them loaded again, and one can't be: the old ones serve.
    PluginsReloadRefused { why: &'a str },
    /// An operator had the generation before serve again.
    PluginsRolledBack { generation: u64, from: u64 },
    /// A certificate of ours is in force.
    CertificateLoaded { path: &'a str, names: &'a str, expires: &'a str },
    /// It has expired, is not valid yet, or soon will not be.
    CertificateExpiring { path: &'a str, expires: &'a str, why: &'a str },
    /// Files of certificates have changed; what they say now is in force.
    CertificatesReloaded { certificates: u64 },
    /// They have changed and can't be used; what was before stays in force.
    CertificatesRefused { why: &'a str },
    /// A certificate is being ordered of an authority, for this reason (RFC 8555).
    AcmeOrdered { names: &'a str, directory: &'a str, why: &'a str },
    /// Somebody asked at the port of the challenge, and got what authorities ask for or not.
    AcmeAsked { challenge: &'a str, peer: SocketAddr, answered: bool },
    /// A certificate was issued; how long it holds, and when it will be renewed.
    AcmeIssued { names: &'a str, expires: &'a str, renewed: &'a str, took_ms: u64 },
    /// None was; so often in a row, and it is tried again.
    AcmeFailed { names: &'a str, directory: &'a str, why: &'a str, failures: u32, again_in_ms: u64 },
    /// A newer version of a table's file is in force.
    TableReloaded { table: &'a str, path: &'a str, entries: u64 },
    /// A newer version of a table's file can't be read; the one before it stays in force.
    TableRefused { table: &'a str, path: &'a str, why: &'a str },
    /// The file of users has a newer version, and it is in force.
    UsersReloaded { path: &'a str, users: u64 },
    /// It has one that can't be read; the one before it stays in force.
    UsersRefused { path: &'a str, why: &'a str },
    /// A plugin said something through its `log` grant.
    PluginLog {
        plugin: &'a str,
        level: &'a str,
        message: &'a str,
        fields: &'a [(String, String)],
        session: Option<&'a str>,
        id: Option<QueueId>,
    },
    /// A plugin was called, where the operator wants each call of it logged.
    PluginCalled {
        plugin: &'a str,
        hook: &'a str,
        session: Option<&'a str>,
        id: Option<QueueId>,
        verdict: &'a str,
        micros: u64,
        generation: u64,
    },
    /// A plugin failed; what the operator's `on_failure` made of it.
    PluginFault {
        plugin: &'a str,
        /// How often plugins were loaded until it came, and how the sum of its component begins.
        generation: u64,
        sha256: &'a str,
        hook: &'a str,
        kind: &'a str,
        why: &'a str,
        /// The guest's functions, the innermost first.
        frames: &'a str,
        session: Option<&'a str>,
        id: Option<QueueId>,
        answered: &'a str,
    },
    /// So many attempts of one message in a row faulted the same plugin; the message is held, or its client told again.
    PluginPoison {
        plugin: &'a str,
        hook: &'a str,
        kind: &'a str,
        faults: u32,
        session: Option<&'a str>,
        id: Option<QueueId>,
        held: bool,
    },
    /// What a shadow or a canary says is not what is done, or would be done without it: the last such difference, and
    /// how many there were since the last such line.
    PluginDiffers {
        plugin: &'a str,
        hook: &'a str,
        session: Option<&'a str>,
        id: Option<QueueId>,
        said: &'a str,
        other: &'a str,
        differences: u64,
    },
    /// A plugin failed again and again: it is not asked for so long, and `on_failure` answers meanwhile.
    PluginAlone { plugin: &'a str, for_ms: u64 },
    /// It answered again.
    PluginBack { plugin: &'a str },
    /// Reports to a plugin were dropped, because it can't keep up: how many since the last such line.
    PluginUntold { plugin: &'a str, hook: &'a str, reports: u64 },
    /// A sample of a plugin's own metrics was dropped, and more may be for the same reason: said once a load.
    PluginMetricDropped { plugin: &'a str, metric: &'a str, why: &'a str },
    /// What plugins keep could not be written; it is tried again.
    PluginDataUnkept { why: &'a str },
    /// A part of what plugins kept can't be read; it was set aside.
    PluginDataDamaged { position: u64, why: &'a str },
    /// A change of a suppression list could not be written; it is in force, and is written with the next.
    SuppressionUnkept { why: &'a str },
    /// A part of the suppression lists can't be read; it was set aside.
    SuppressionDamaged { position: u64, why: &'a str },
    /// Log lines were lost because their reader was too slow; mail does not wait for it.
    LogDropped { lines: u64 },
    /// An internal error that should not be: a bug in Mailwright.
    Bug { place: &'a str, why: &'a str },
}

/// The table below, as code: an event's kind is its place in it.
macro_rules! kinds {
    ($($variant:ident $name:literal $level:ident,)*) => {
        /// The name of every event, in the order of the enum: as in the log, and of its counter.
        pub const NAMES: &[&str] = &[$($name),*];

        /// How loud each of them is, in the same order.
        pub const LEVELS: &[Level] = &[$(Level::$level),*];

        #[derive(Clone, Copy)]
        enum Kind { $($variant),* }

        impl Event<'_> {
            fn kind(&self) -> Kind {
                match self { $(Self::$variant { .. } => Kind::$variant),* }
            }
        }
    };
}

kinds! {
    Started "started" Info,
    Listening "listening" Info,
    Reloaded "reloaded" Info,
    ReloadRefused "reload-refused" Warn,
    Draining "draining" Info,
    Stopped "stopped" Info,
    HttpAnswered "http-answered" Debug,
    HttpRefused "http-refused" Info,
    AcceptFailed "accept-failed" Error,
    ProxyRefused "proxy-refused" Info,
    SessionOpened "session-opened" Debug,
    Xclient "xclient" Debug,
    TlsEstablished "tls-established" Debug,
    TlsFailed "tls-failed" Info,
    SessionRefused "session-refused" Info,
    SessionClosed "session-closed" Debug,
    CommandRefused "command-refused" Debug,
    AuthSucceeded "auth-succeeded" Info,
    AuthFailed "auth-failed" Info,
    AuthUnanswered "auth-unanswered" Error,
    Verified "verified" Info,
    Accepted "accepted" Info,
    MessageRefused "message-refused" Info,
    Submitted "submitted" Info,
    MessageDiscarded "message-discarded" Info,
    MessageHeld "message-held" Info,
    Routed "routed" Info,
    Delivered "delivered" Info,
    Deferred "deferred" Info,
    Bounced "bounced" Info,
    Expired "expired" Info,
    Discarded "discarded" Info,
    Held "held" Info,
    NotificationQueued "notification-queued" Info,
    Feedback "feedback" Info,
    FeedbackIdle "feedback-idle" Info,
    FeedbackUntied "feedback-untied" Info,
    MessageUnreadable "message-unreadable" Error,
    Unsigned "unsigned" Error,
    Operated "operated" Info,
    Finished "finished" Debug,
    ConnectFailed "connect-failed" Info,
    LookupFailed "lookup-failed" Info,
    StsPolicy "sts-policy" Info,
    TlsPolicyFailed "tls-policy-failed" Warn,
    DnssecUnavailable "dnssec-unavailable" Warn,
    LoopFound "loop-found" Warn,
    SpoolOpened "spool-opened" Info,
    SpoolRebuilding "spool-rebuilding" Warn,
    RecordDamaged "record-damaged" Error,
    DiskLow "disk-low" Warn,
    DiskRecovered "disk-recovered" Info,
    CommitFailed "commit-failed" Error,
    CommitRecovered "commit-recovered" Info,
    Reclaimed "reclaimed" Debug,
    PluginCompiled "plugin-compiled" Debug,
    PluginCacheUnused "plugin-cache-unused" Warn,
    PluginLoaded "plugin-loaded" Info,
    PluginsReloaded "plugins-reloaded" Info,
    PluginsReloadRefused "plugins-reload-refused" Warn,
    PluginsRolledBack "plugins-rolled-back" Warn,
    CertificateLoaded "certificate-loaded" Info,
    CertificateExpiring "certificate-expiring" Warn,
    CertificatesReloaded "certificates-reloaded" Info,
    CertificatesRefused "certificates-refused" Error,
    AcmeOrdered "acme-ordered" Info,
    AcmeAsked "acme-asked" Debug,
    AcmeIssued "acme-issued" Info,
    AcmeFailed "acme-failed" Error,
    TableReloaded "table-reloaded" Info,
    TableRefused "table-refused" Warn,
    UsersReloaded "users-reloaded" Info,
    UsersRefused "users-refused" Warn,
    PluginLog "plugin-log" Info,
    PluginCalled "plugin-called" Info,
    PluginFault "plugin-fault" Warn,
    PluginPoison "plugin-poison" Error,
    PluginDiffers "plugin-differs" Info,
    PluginAlone "plugin-alone" Error,
    PluginBack "plugin-back" Info,
    PluginUntold "plugin-untold" Warn,
    PluginMetricDropped "plugin-metric-dropped" Warn,
    PluginDataUnkept "plugin-data-unkept" Error,
    PluginDataDamaged "plugin-data-damaged" Error,
    SuppressionUnkept "suppression-unkept" Error,
    SuppressionDamaged "suppression-damaged" Error,
    LogDropped "log-dropped" Warn,
    Bug "bug" Error,
}

impl Event<'_> {
    /// Its place in [`NAMES`].
    #[must_use]
    pub fn index(&self) -> usize {
        self.kind() as usize
    }

    /// Its name in the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        NAMES[self.index()]
    }

    /// How loud it is; a plugin says so itself.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Self::PluginLog { level: "error", .. } => Level::Error,
            Self::PluginLog { level: "warn", .. } => Level::Warn,
            Self::PluginLog { level: "debug", .. } => Level::Debug,
            _ => LEVELS[self.index()],
        }
    }
}

/// How loud an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Somebody must act.
    Error,
    /// Somebody may have to act.
    Warn,
    /// The life of messages.
    Info,
    /// The life of sessions and connections.
    Debug,
}

impl Level {
    /// As in the log and in the configuration.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}
