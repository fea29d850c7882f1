//! Which header fields pass between the public and plugins, and who the client is.

use crate::config::model::Network;
use hyper::HeaderMap;
use hyper::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use std::net::{IpAddr, SocketAddr};

/// Fields of a request that plugins don't see: those of the connection (RFC 9110 7.6.1), and those that say who the
/// client is, which anybody can write: a plugin is told by the request's `peer-ip`, and need not know whom to believe.
const WITHHELD: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-real-ip",
];

/// Fields that an answer has unless the plugin says otherwise: what it sends is taken for what it says it is, is kept by
/// nobody, is shown in nobody's frame, and its address, which may hold a token, is told to no other site.
const DEFAULTS: [(HeaderName, &str); 4] = [
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
];

/// A request's fields as plugins see them.
pub(super) fn shown(fields: &HeaderMap) -> Vec<(String, String)> {
    let named = |name: &str| {
        let listed = fields.get_all(CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
        listed.flat_map(|list| list.split(',')).any(|one| one.trim().eq_ignore_ascii_case(name))
    };
    let passing = fields.iter().filter(|(name, _)| !WITHHELD.contains(&name.as_str()) && !named(name.as_str()));
    passing
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// Adds what an answer does not say itself.
pub(super) fn complete(fields: &mut HeaderMap) {
    for (name, value) in DEFAULTS {
        fields.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Whether one of the networks has the address.
pub(super) fn is_among(networks: &[Network], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(ip.to_canonical()))
}

/// The client. Each proxy adds whom it speaks for at the end of `X-Forwarded-For`, so it is read from there for as long
/// as it was written by trusted ones; what is before that anybody may have written.
pub(super) fn client(peer: IpAddr, fields: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let mut client = peer.to_canonical();
    let lines: Vec<&HeaderValue> = fields.get_all("x-forwarded-for").into_iter().collect();
    let named = lines.into_iter().rev().flat_map(|line| line.to_str().unwrap_or_default().rsplit(','));
    for name in named {
        if !is_among(trusted, client) {
            break;
        }
        let Some(ip) = address(name.trim()) else { break };
        client = ip.to_canonical();
    }
    client
}

/// An address, alone or with a port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn fields_of_the_connection_and_of_proxies_are_not_shown_rfc9110_7_6_1() {
        let sent = [
            ("host", "mx.example"),
            ("connection", "keep-alive, X-Secret"),
            ("x-secret", "1"),
            ("transfer-encoding", "chunked"),
            ("x-forwarded-for", "192.0.2.1"),
            ("forwarded", "for=192.0.2.1"),
            ("cookie", "a=b"),
        ];
        let shown = shown(&fields(&sent));
        let names: Vec<&str> = shown.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["host", "cookie"]);
    }

    #[test]
    fn what_the_plugin_says_stands_and_the_rest_is_added() {
        let mut said = fields(&[("cache-control", "max-age=60")]);
        complete(&mut said);
        let value = |name: &str| said.get(name).and_then(|value| value.to_str().ok());
        assert_eq!((value("cache-control"), value("x-content-type-options")), (Some("max-age=60"), Some("nosniff")));
    }

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        let network = |base: &str, prefix| Network { base: base.parse().expect("an address"), prefix };
        let trusted = [network("10.0.0.0", 8), network("::1", 128)];
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let client = |peer: &str, lines: &[&'static str]| {
            let lines: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            client(ip(peer), &fields(&lines), &trusted)
        };
        assert_eq!(client("192.0.2.1", &["203.0.113.9"]), ip("192.0.2.1"), "a stranger");
        assert_eq!(client("10.0.0.1", &[]), ip("10.0.0.1"));
        assert_eq!(client("10.0.0.1", &["203.0.113.9"]), ip("203.0.113.9"));
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db8::1]:443"]), ip("2001:db8::1"));
        assert_eq!(
            client("::1", &["1.2.3.4, 203.0.113.9", "10.0.0.2"]),
            ip("203.0.113.9"),
            "1.2.3.4 is its word alone"
        );
        assert_eq!(client("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"]), ip("10.0.0.2"));
        assert_eq!(client("10.0.0.1", &["10.0.0.3,10.0.0.2"]), ip("10.0.0.3"));
    }
}
