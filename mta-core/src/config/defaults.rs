//! What holds where the file is silent. Values that are not the obvious ones name their source.

use super::model::{
    Addresses, Budget, ClientTimeouts, CompileLimits, DaneMode, Delivery, Engine, HttpListener, Limits, Log, LogFormat,
    LogOutput, Mode, OnFailure, Plugin, PluginSource, Queue, Storage, SubmitLimits,
};
use super::places::Places;
use crate::base::event::Level;
use crate::base::world::tls::Outgoing;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

impl Default for Limits {
    fn default() -> Self {
        Self {
            sessions_max: 10_000,
            sessions_per_peer_max: 100,
            // RFC 5321 4.5.3.1.4 asks for 512; RFC 3461 5 adds 500 to RCPT and RFC 6531 3.4 lengthens paths.
            command_line_bytes_max: 2048,
            commands_per_session_max: 100_000,
            errors_per_session_max: 20,
            messages_per_session_max: 10_000,
            recipients_per_message_max: 1000,
            message_bytes_max: 50 * MIB as u64,
            header_bytes_max: 256 * KIB,
            received_hops_max: 50,
            content_memory_bytes_max: 64 * MIB,
            proxy_header: Duration::from_secs(5),
            // Some round trips and a millisecond of computing.
            tls_handshake: Duration::from_secs(30),
            // RFC 5321 4.5.3.2.7.
            command_idle: 5 * MINUTE,
            data_idle: 5 * MINUTE,
            data_total: HOUR,
            session_total: 6 * HOUR,
            drain: Duration::from_secs(20),
        }
    }
}

impl HttpListener {
    /// A port of which the file says no more than this.
    #[must_use]
    pub fn new(name: Arc<str>, bind: SocketAddr) -> Self {
        Self {
            name,
            bind,
            trusted_proxies: Vec::new(),
            connections_max: 512,
            connections_per_peer_max: 32,
            requests_max: 64,
            requests_per_connection_max: 100,
            head_bytes_max: 16 * KIB,
            body_bytes_max: 64 * KIB,
            head_wait: Duration::from_secs(10),
            body_total: Duration::from_secs(10),
            connection_total: Duration::from_secs(60),
        }
    }
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            paused: false,
            attempts_max: 1000,
            attempts_per_destination_max: 50,
            tls: Outgoing::default(),
            connection_idle: Duration::from_secs(2),
            messages_per_connection_max: 1000,
            recipients_per_transaction_max: 100,
            timeouts: ClientTimeouts::default(),
            mx_port: 25,
            dns_servers: Vec::new(),
            dns_trust_anchor: None,
            dane: DaneMode::default(),
            mta_sts: true,
            mta_sts_port: 443,
        }
    }
}

impl Default for ClientTimeouts {
    /// RFC 5321 4.5.3.2, but for `connect`, which no RFC names (Postfix: 30 s).
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            greeting: 5 * MINUTE,
            command: 5 * MINUTE,
            data: 2 * MINUTE,
            content: 3 * MINUTE,
            final_reply: 10 * MINUTE,
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            retry: vec![MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 4 * HOUR],
            jitter_percent: 10,
            // RFC 5321 4.5.4.1: at least 4 to 5 days.
            age_max: 5 * DAY,
            notification_age_max: DAY,
            delay_notice: Some(4 * HOUR),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            engine: Engine::Sled,
            free_bytes_min: 256 * MIB as u64,
            cache_bytes: 64 * MIB as u64,
            segment_bytes: 64 * MIB as u64,
            blob_bytes_min: 256 * KIB as u64,
            direct: true,
        }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            cpu_envelope: Duration::from_millis(10),
            cpu_message: Duration::from_millis(50),
            cpu_message_per_mib: Duration::from_millis(4),
            wall: Duration::from_secs(5),
            memory_bytes_max: None,
            log_lines_per_second_max: 100,
            edits_max: 64,
            faults_per_message_max: 3,
            instances_max: 2_500,
        }
    }
}

impl Default for CompileLimits {
    /// A Rust guest of 60 KiB takes a tenth of a second and 30 MiB; an interpreter of 15 MiB some seconds.
    fn default() -> Self {
        Self { cpu: MINUTE, wall: 5 * MINUTE, memory_bytes_max: 1024 * MIB as u64 }
    }
}

impl Default for SubmitLimits {
    fn default() -> Self {
        Self {
            messages_per_minute_max: 60,
            outstanding_max: 1000,
            message_bytes_max: 256 * KIB,
            recipients_per_message_max: 100,
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: Level::Info, output: LogOutput::Stderr, addresses: Addresses::Plain }
    }
}

impl Plugin {
    /// A plugin of which the file says no more than this.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, source: PluginSource) -> Self {
        Self {
            name: name.into(),
            source,
            sha256: None,
            allow: Vec::new(),
            edit: Vec::new(),
            hooks: Vec::new(),
            listeners: Vec::new(),
            tenants: Vec::new(),
            mode: Mode::default(),
            of: None,
            tick: Duration::from_secs(60),
            on_failure: OnFailure::default(),
            config_json: "{}".to_owned(),
            config_places: Places::default(),
            budget: Budget::default(),
            on_failure_by_hook: BTreeMap::new(),
            compile: CompileLimits::default(),
            trace: false,
            watch: false,
            knows_users: false,
            submit: SubmitLimits::default(),
        }
    }
}
