//! The host functions on session, attempt, patterns, log, clock and kv.

use super::super::kv::{Bucket, KvFault, Stored};
use super::super::scene::{Note, Refused};
use super::bindings::mailwright::plugin as wire;
use super::call::Call;
use crate::base::event::Event;
use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;
use regex::bytes::RegexSet;
use std::sync::Arc;

/// Longest log line with its fields, in octets.
const LOG_LINE_BYTES_MAX: usize = 1024;

impl wire::types::Host for Call {}

/// An address as guests see it.
pub(crate) fn to_wire(address: &Address) -> wire::types::Address {
    wire::types::Address {
        local: address.local().to_owned(),
        domain: address.domain().map_or_else(String::new, ToString::to_string),
    }
}

/// An address that a guest made; none if it is none.
pub(super) fn from_wire(address: wire::types::Address) -> Option<Address> {
    if address.domain.is_empty() {
        return address.local.eq_ignore_ascii_case("postmaster").then(Address::postmaster);
    }
    let domain = Domain::parse(&address.domain).ok()?;
    Address::new(address.local, Some(domain)).ok()
}

impl wire::session::Host for Call {
    fn current(&mut self) -> Result<wire::session::Info, wire::session::Error> {
        let session = self.scene.session.as_ref().ok_or(wire::session::Error::NotHere)?;
        Ok(wire::session::Info {
            id: session.id.to_string(),
            listener: session.listener.to_string(),
            tenant: None,
            peer_ip: session.peer.to_string(),
            helo: session.helo(),
            tls_version: None,
            auth_user: None,
        })
    }

    fn get_note(&mut self, key: String) -> Result<Option<wire::session::Note>, wire::session::Error> {
        let session = self.scene.session.as_ref().ok_or(wire::session::Error::NotHere)?;
        Ok(session.note(&self.plugin.name, &key).map(|note| match note {
            Note::Text(text) => wire::session::Note::Text(text),
            Note::Number(number) => wire::session::Note::Number(number),
            Note::Bytes(bytes) => wire::session::Note::Bytes(bytes),
        }))
    }

    fn set_note(&mut self, key: String, value: wire::session::Note) -> Result<(), wire::session::Error> {
        let session = self.scene.session.as_ref().ok_or(wire::session::Error::NotHere)?;
        let note = match value {
            wire::session::Note::Text(text) => Note::Text(text),
            wire::session::Note::Number(number) => Note::Number(number),
            wire::session::Note::Bytes(bytes) => Note::Bytes(bytes),
        };
        session.set_note(&self.plugin.name, &key, note).map_err(|_: Refused| wire::session::Error::TooLarge)
    }
}

impl wire::delivery::Host for Call {
    fn current(&mut self) -> Result<wire::delivery::Info, wire::delivery::Error> {
        let delivery = self.scene.delivery.as_ref().ok_or(wire::delivery::Error::NotHere)?;
        Ok(wire::delivery::Info {
            queue_id: delivery.id.to_string(),
            recipient: to_wire(&delivery.recipient),
            tenant: delivery.tenant.as_deref().map(str::to_owned),
            campaign: None,
            priority: wire::types::Priority::Normal,
            attempt: delivery.attempt,
            queued_ms: delivery.accepted.0,
            last_reply: delivery.last_reply.clone(),
            site: Some(delivery.site.to_string()),
        })
    }
}

impl wire::patterns::Host for Call {
    fn compile(&mut self, expressions: Vec<String>) -> Result<u32, String> {
        if !self.configuring {
            return Err("patterns are compiled in configure".to_owned());
        }
        let set = self.plugin.compile(expressions)?;
        self.sets.push(set);
        u32::try_from(self.sets.len() - 1).map_err(|error| error.to_string())
    }

    fn matches(&mut self, set: u32, text: String) -> Vec<u32> {
        self.searched(text.len() as u64);
        self.set(set).map_or_else(Vec::new, |set| indices(&set, &[text.as_bytes()]))
    }
}

impl Call {
    pub(super) fn set(&self, number: u32) -> Option<Arc<RegexSet>> {
        self.sets.get(usize::try_from(number).ok()?).cloned()
    }

    fn now_ms(&self) -> u64 {
        self.world.clock.now().wall.0
    }

    fn bucket(&self, name: &str) -> Result<Arc<Bucket>, wire::kv::Error> {
        self.plugin.grants.bucket(name).cloned().ok_or(wire::kv::Error::NoSuchBucket)
    }
}

/// The expressions that match any of the texts.
pub(super) fn indices(set: &RegexSet, texts: &[&[u8]]) -> Vec<u32> {
    let mut found: Vec<u32> =
        texts.iter().flat_map(|text| set.matches(text)).filter_map(|index| u32::try_from(index).ok()).collect();
    found.sort_unstable();
    found.dedup();
    found
}

impl wire::log::Host for Call {
    fn write(&mut self, level: wire::log::Level, message: String, fields: Vec<(String, String)>) {
        let second = self.now_ms() / 1000;
        let Some(dropped) = self.plugin.log.pass(second, self.plugin.budget.log_lines_per_second_max) else { return };
        let mut left = LOG_LINE_BYTES_MAX;
        let message = printable(message, &mut left);
        let mut fields: Vec<(String, String)> = fields
            .into_iter()
            .map(|(key, value)| (printable(key, &mut left), printable(value, &mut left)))
            .take_while(|(key, _)| !key.is_empty())
            .collect();
        if dropped > 0 {
            fields.push(("lines_dropped".to_owned(), dropped.to_string()));
        }
        let delivery = self.scene.delivery.as_ref().map(|delivery| delivery.id);
        self.world.observe.event(Event::PluginLog {
            plugin: &self.plugin.name,
            level: match level {
                wire::log::Level::Error => "error",
                wire::log::Level::Warn => "warn",
                wire::log::Level::Info => "info",
                wire::log::Level::Debug => "debug",
            },
            message: &message,
            fields: &fields,
            session: self.scene.session.as_ref().map(|session| &*session.id),
            id: delivery.or(self.scene.message.as_ref().map(|message| message.id)),
        });
    }
}

/// Without control characters and within what is left of the line.
fn printable(text: String, left: &mut usize) -> String {
    let mut text = if text.contains(char::is_control) { text.replace(char::is_control, " ") } else { text };
    text.truncate(text.floor_char_boundary(*left));
    *left -= text.len();
    text
}

impl wire::clock::Host for Call {
    fn now_ms(&mut self) -> u64 {
        Call::now_ms(self)
    }

    fn monotonic_ns(&mut self) -> u64 {
        let since = self.world.clock.now().mono.saturating_duration_since(self.world.began);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }
}

impl From<KvFault> for wire::kv::Error {
    fn from(fault: KvFault) -> Self {
        match fault {
            KvFault::Quota => Self::Quota,
            KvFault::TooLarge => Self::TooLarge,
            KvFault::Conflict => Self::Conflict,
        }
    }
}

impl wire::kv::Host for Call {
    fn get(&mut self, bucket: String, key: String) -> Result<Option<wire::kv::Entry>, wire::kv::Error> {
        let found = self.bucket(&bucket)?.get(self.now_ms(), &key);
        Ok(found.map(|Stored { value, version, expires_ms }| wire::kv::Entry { value, version, expires_ms }))
    }

    fn set(&mut self, bucket: String, key: String, value: Vec<u8>, ttl: Option<u64>) -> Result<(), wire::kv::Error> {
        self.bucket(&bucket)?.set(self.now_ms(), &key, value, ttl)?;
        Ok(())
    }

    fn delete(&mut self, bucket: String, key: String) -> Result<bool, wire::kv::Error> {
        Ok(self.bucket(&bucket)?.delete(self.now_ms(), &key))
    }

    fn cas(
        &mut self,
        bucket: String,
        key: String,
        expected: Option<u64>,
        value: Vec<u8>,
        ttl: Option<u64>,
    ) -> Result<u64, wire::kv::Error> {
        Ok(self.bucket(&bucket)?.cas(self.now_ms(), &key, expected, value, ttl)?)
    }

    fn incr(&mut self, bucket: String, key: String, delta: i64, ttl: Option<u64>) -> Result<i64, wire::kv::Error> {
        Ok(self.bucket(&bucket)?.incr(self.now_ms(), &key, delta, ttl)?)
    }

    fn take(
        &mut self,
        bucket: String,
        key: String,
        cost: u32,
        limit: u32,
        window_ms: u64,
    ) -> Result<wire::kv::Taken, wire::kv::Error> {
        use super::super::kv::Taken;
        Ok(match self.bucket(&bucket)?.take(self.now_ms(), &key, cost, limit, window_ms)? {
            Taken::Remaining(left) => wire::kv::Taken::Remaining(left),
            Taken::RetryAfterMs(wait) => wire::kv::Taken::RetryAfterMs(wait),
        })
    }

    fn list_keys(
        &mut self,
        bucket: String,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Result<Vec<String>, wire::kv::Error> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Ok(self.bucket(&bucket)?.list_keys(self.now_ms(), &prefix, after.as_deref(), limit))
    }
}
