//! HTTP as plugins use it: one request to one server, one answer (RFC 9110).

use super::tls::Trust;
use crate::base::flow::Answer;
use bytes::Bytes;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// A server as the operator grants it and a URL names it (RFC 9110 4.3): equal only if all of it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// By TLS.
    pub secure: bool,
    /// Its name or address.
    pub host: HttpHost,
    /// Its port.
    pub port: u16,
}

/// The host of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HttpHost {
    /// A name in lower case, without a final dot.
    Name(Box<str>),
    /// An address, written as such.
    Address(IpAddr),
}

/// What is sent, and where. Names were looked up, and addresses judged, by whoever asks: the client connects to these
/// and looks nothing up.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    /// The server: of it come the host that the request names, and the name that its certificate must have.
    pub origin: Origin,
    /// Where to connect, tried in their order.
    pub addresses: Vec<SocketAddr>,
    /// The method.
    pub method: Box<str>,
    /// Path and query.
    pub target: String,
    /// Fields besides `Host`, `Content-Length` and those of the connection.
    pub fields: Vec<(String, String)>,
    /// The content.
    pub body: Bytes,
    /// Longest content of an answer, in octets.
    pub answer_bytes_max: usize,
    /// Whom we believe that the server's certificate is its own. There is no client for [`Trust::Anyone`].
    pub trust: Trust,
}

/// What came back. Redirects are answers like others: nobody follows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status code.
    pub status: u16,
    /// Its fields, with names in lower case.
    pub fields: Vec<(String, String)>,
    /// Its content.
    pub body: Vec<u8>,
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// Its content is longer than allowed.
    #[error("the answer is too large")]
    TooLarge,
    /// In words: the server could not show by TLS who it is.
    #[error("{0}")]
    Untrusted(String),
    /// In words: not connected, no HTTP.
    #[error("{0}")]
    Failed(String),
}

/// Sends requests. The caller sets the time limit: a future that is dropped closes its connection.
pub trait HttpClient: Send + Sync {
    /// Sends one request and reads the whole answer.
    fn fetch(&self, request: HttpRequest) -> Answer<'_, Result<HttpAnswer, HttpFault>>;
}

impl Origin {
    /// Reads `HOST`, `HOST:PORT`, `https://…` or `http://…`: by TLS and at its port, 443, unless something else is
    /// written; without TLS at 80.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (secure, authority) = match text.split_once("://") {
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some(_) => return Err("only http and https are spoken"),
            None => (true, text),
        };
        if authority.contains(['/', '?', '#']) {
            return Err("a host is granted whole, with no path behind it");
        }
        let (host, port) = match authority.rsplit_once(':') {
            // The colons of an address in brackets are its own.
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            None => [80, 443][usize::from(secure)],
            Some(port) if port.bytes().all(|octet| octet.is_ascii_digit()) => {
                port.parse().ok().filter(|port| *port > 0).ok_or("a port is a number from 1 to 65535")?
            }
            Some(_) => return Err("a port is a number from 1 to 65535"),
        };
        Ok(Self { secure, host: HttpHost::parse(host)?, port })
    }

    /// Splits a URL into its origin and its path with the query; what stands behind `#` is for browsers.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn of_url(url: &str) -> Result<(Self, String), &'static str> {
        let (scheme, rest) = url.split_once("://").ok_or("a URL begins with https:// or http://")?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        let origin = Self::parse(&format!("{scheme}://{authority}"))?;
        let target = target.split('#').next().unwrap_or_default();
        if !target.bytes().all(|octet| octet.is_ascii_graphic()) {
            return Err("what is not visible ASCII must be percent-encoded in a URL");
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok((origin, format!("{slash}{target}")))
    }
}

impl HttpHost {
    fn parse(text: &str) -> Result<Self, &'static str> {
        if let Some(ip) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
            let ip: Ipv6Addr = ip.parse().map_err(|_| "in brackets stands an IPv6 address")?;
            return Ok(Self::Address(ip.into()));
        }
        if let Ok(ip) = text.parse() {
            return match ip {
                IpAddr::V4(_) => Ok(Self::Address(ip)),
                IpAddr::V6(_) => Err("an IPv6 address stands in brackets"),
            };
        }
        let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_')
        };
        // Some read "127.1" and "0x7f000001" as addresses: what ends in a number is none of our names.
        let numeric = |label: &str| label.bytes().all(|octet| octet.is_ascii_digit()) || label.starts_with("0x");
        let last = name.rsplit('.').next().unwrap_or_default();
        match name.len() <= 253 && name.split('.').all(label) && !numeric(last) {
            true => Ok(Self::Name(name.into())),
            false => Err("it is no host: one name in ASCII, as \"api.example.org\", or one address"),
        }
    }
}

impl fmt::Display for Origin {
    /// As the `Host` field has it: without the port that goes without saying.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HttpHost::Name(name) => f.write_str(name)?,
            HttpHost::Address(IpAddr::V4(ip)) => write!(f, "{ip}")?,
            HttpHost::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]")?,
        }
        match (self.secure, self.port) {
            (true, 443) | (false, 80) => Ok(()),
            (_, port) => write!(f, ":{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Result<String, &'static str> {
        Origin::parse(text).map(|origin| format!("{} {origin} {}", origin.secure, origin.port))
    }

    #[test]
    fn origins_are_by_tls_unless_written_otherwise() {
        for (text, wanted) in [
            ("api.example.org", "true api.example.org 443"),
            ("API.example.org.:8443", "true api.example.org:8443 8443"),
            ("https://api.example.org:443", "true api.example.org 443"),
            ("HTTP://api", "false api 80"),
            ("http://127.0.0.1:8080", "false 127.0.0.1:8080 8080"),
            ("[2001:db8::1]", "true [2001:db8::1] 443"),
            ("http://[::1]:81", "false [::1]:81 81"),
            ("_x.a-b.example", "true _x.a-b.example 443"),
            ("http://1st", "false 1st 80"),
        ] {
            assert_eq!(shown(text), Ok(wanted.to_owned()), "{text}");
        }
        for bad in [
            "",
            "ftp://a",
            "a/b",
            "a?b",
            "*.example.org",
            "a b",
            "user@host",
            "user:pass@host",
            "a:0",
            "a:65536",
            "a:+1",
            "a:",
            "::1",
            "[::1",
            "[a]",
            "127.1",
            "0x7f000001",
            "2130706433",
            "a..b",
            "bücher.example",
            "[127.0.0.1]",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_url_is_an_origin_and_a_target_rfc9110_4_2() {
        let split = |url| Origin::of_url(url).map(|(origin, target)| (origin.to_string(), target));
        for (url, origin, target) in [
            ("https://a.example", "a.example", "/"),
            ("http://a.example:8080/x/y?z=1#top", "a.example:8080", "/x/y?z=1"),
            ("https://a.example?q", "a.example", "/?q"),
            ("https://a.example/@b.example:1", "a.example", "/@b.example:1"),
        ] {
            assert_eq!(split(url), Ok((origin.to_owned(), target.to_owned())), "{url}");
        }
        for bad in
            ["a.example/x", "https:a", "https://a.example\\@b", "https://b@a.example", "https://a/ä", "https://a/ b"]
        {
            assert!(split(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_reads_the_same(text: String, name in "[a-z][a-z0-9-]{0,9}(\\.[a-z]{1,9}){0,3}", port in 1..=u16::MAX) {
            let _ = Origin::of_url(&text);
            let origin = Origin::parse(&format!("{name}:{port}")).expect("a host");
            prop_assert_eq!(Origin::parse(&origin.to_string()), Ok(origin));
            if let Ok(origin) = Origin::parse(&text) {
                let scheme = if origin.secure { "https" } else { "http" };
                prop_assert_eq!(Origin::parse(&format!("{scheme}://{origin}")), Ok(origin));
            }
        }
    }
}
