//! Requests to servers that the operator names; each needs its grant, as `http:api.example.org`.
//!
//! The hook waits for the answer, and that counts against its wall time, not its processor time: a request takes three
//! quarters of the wall time that is left, at most; then it is a `Timeout`, and the plugin can still decide. Redirects are
//! not followed, they are answers.

use super::super::backend;

pub use crate::bindings::mailwright::plugin::http::{Error, Request, Response};

/// Sends a request: at most 8 in a call, 512 KiB each, with at most 64 fields. The answer's content has at most 1 MiB.
///
/// # Errors
/// `NotPermitted` for a server that is not granted, whose name leads to a private address, or beyond the requests of a
/// call; `Timeout`; `TooLarge`; `Failed` with words for all else, as no connection.
pub fn fetch(request: &Request) -> Result<Response, Error> {
    backend::http::fetch(request)
}

impl Request {
    /// A request of any method; it is sent by [`send`](Self::send).
    #[must_use]
    pub fn new(method: &str, url: &str) -> Self {
        Self { method: method.to_owned(), url: url.to_owned(), headers: Vec::new(), body: Vec::new(), timeout_ms: 0 }
    }

    /// Asks for what the URL names.
    #[must_use]
    pub fn get(url: &str) -> Self {
        Self::new("GET", url)
    }

    /// Gives this to what the URL names.
    #[must_use]
    pub fn post(url: &str, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::new("POST", url).header("Content-Type", content_type) }
    }

    /// One field more. `Host`, `Content-Length` and those of the connection are the server's to write.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Waits no longer than this for the whole answer.
    #[must_use]
    pub fn timeout_ms(mut self, ms: u32) -> Self {
        self.timeout_ms = ms;
        self
    }

    /// Sends it.
    ///
    /// # Errors
    /// As [`fetch`].
    pub fn send(&self) -> Result<Response, Error> {
        fetch(self)
    }
}

impl Response {
    /// The first field of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}
