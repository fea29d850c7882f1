//! `[[http]]`: the public HTTP ports.

use crate::config::model::HttpListener;
use crate::config::parse::scalar::{self, NAME, NETWORK};
use crate::config::parse::section::{Key, Value, put};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const KIB: i128 = 1 << 10;
const MIB: i128 = 1 << 20;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// An `[[http]]` before it is known to be whole.
pub(in crate::config::parse) struct HttpDraft {
    name: Option<Arc<str>>,
    bind: Option<SocketAddr>,
    http: HttpListener,
}

const HTTP_ADDRESS: &str = "an address with its port, as \"127.0.0.1:8080\" or \"[::]:80\"";

pub(in crate::config::parse) const HTTP: &[Key<HttpDraft>] = &[
    Key { name: "name", read: |d, v| d.name = v.text(NAME, |text| scalar::label(text).map(Into::into)) },
    Key { name: "bind", read: |d, v| d.bind = v.text(HTTP_ADDRESS, scalar::bind_address) },
    Key {
        name: "trusted_proxies",
        read: |d, v| {
            put(&mut d.http.trusted_proxies, v.list("a list of networks", |item| item.text(NETWORK, scalar::network)));
        },
    },
    Key { name: "connections_max", read: |d, v| put(&mut d.http.connections_max, v.count(1..=100_000)) },
    Key {
        name: "connections_per_peer_max",
        read: |d, v| put(&mut d.http.connections_per_peer_max, v.count(1..=100_000)),
    },
    Key { name: "requests_max", read: |d, v| put(&mut d.http.requests_max, v.count(1..=5000)) },
    Key {
        name: "requests_per_connection_max",
        read: |d, v| put(&mut d.http.requests_per_connection_max, v.count(1..=1_000_000)),
    },
    Key { name: "head_bytes_max", read: |d, v| put(&mut d.http.head_bytes_max, v.size(8 * KIB..=MIB)) },
    Key { name: "body_bytes_max", read: |d, v| put(&mut d.http.body_bytes_max, v.size(0..=4 * MIB)) },
    Key { name: "head_wait", read: |d, v| put(&mut d.http.head_wait, v.duration(SECOND..=HOUR)) },
    Key { name: "body_total", read: |d, v| put(&mut d.http.body_total, v.duration(SECOND..=HOUR)) },
    Key { name: "connection_total", read: |d, v| put(&mut d.http.connection_total, v.duration(SECOND..=DAY)) },
];

pub(super) fn http(value: &mut Value<'_, '_>) -> Option<HttpListener> {
    let unbound = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut draft = HttpDraft { name: None, bind: None, http: HttpListener::new("".into(), unbound) };
    if value.table(&mut draft, HTTP) {
        value.require("name", NAME);
        value.require("bind", HTTP_ADDRESS);
    }
    let HttpDraft { name, bind, http } = draft;
    Some(HttpListener { name: name?, bind: bind?, ..http })
}
