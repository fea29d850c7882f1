//! What is configured of public HTTP ports.

use crate::config::matching::Network;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// `[[http]]`: a public HTTP port, where plugins answer at `/p/<plugin>/…`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpListener {
    /// Its name in logs.
    pub name: Arc<str>,
    /// Its address.
    pub bind: SocketAddr,
    /// Proxies that are believed when they say who the client is.
    pub trusted_proxies: Vec<Network>,
    /// Connections at once, in all.
    pub connections_max: usize,
    /// Connections at once from one address that is no trusted proxy.
    pub connections_per_peer_max: usize,
    /// Requests that plugins answer at once.
    pub requests_max: usize,
    /// Requests over one connection.
    pub requests_per_connection_max: u32,
    /// The head of a request: its line and its fields, in octets.
    pub head_bytes_max: usize,
    /// The content of a request, in octets.
    pub body_bytes_max: usize,
    /// Until the head of a request is there, from the connection's begin or the last answer.
    pub head_wait: Duration,
    /// From a request's head to the end of its content.
    pub body_total: Duration,
    /// From accept to close.
    pub connection_total: Duration,
}
