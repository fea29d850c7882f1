//! What plugins may fetch: which servers, which addresses, which requests.

use crate::base::world::http::Origin;
use crate::config::model::Network;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of a request: URL, fields and content.
const REQUEST_BYTES_MAX: usize = 512 * 1024;
/// Fields of a request.
const FIELDS_MAX: usize = 64;
/// Octets of a URL.
const URL_BYTES_MAX: usize = 8 * 1024;

/// What a plugin may send; others open tunnels or echo what is secret.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// Fields that are the client's: they say where the message ends, and whom it is for (RFC 9110 7.2, RFC 9112 6 and 9).
const OURS: [&str; 11] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "expect",
];

/// The servers that a plugin may fetch from.
#[derive(Clone, Debug, Default)]
pub(crate) struct HttpGrants {
    /// Servers, each as it must be named.
    pub(crate) origins: Vec<Origin>,
    /// Networks of the operator's own that their names may lead to.
    pub(crate) networks: Vec<Network>,
}

/// Why a request is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unsent {
    TooLarge,
    Wrong(String),
}

impl HttpGrants {
    /// Whether a server of this name may have that address. One that is granted by its address has it; a name may lead
    /// to anybody's, so it must be a public one, or of a network that is granted.
    pub(crate) fn may_connect(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_public(ip) || self.networks.iter().any(|network| network.contains(ip))
    }
}

/// Checks what a guest wants sent.
pub(crate) fn check(method: &str, url: &str, fields: &[(String, String)], body: &[u8]) -> Result<(), Unsent> {
    let field_bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    if url.len() > URL_BYTES_MAX
        || fields.len() > FIELDS_MAX
        || url.len() + field_bytes + body.len() > REQUEST_BYTES_MAX
    {
        return Err(Unsent::TooLarge);
    }
    if !METHODS.contains(&method) {
        return Err(Unsent::Wrong(format!("the method is one of {}", METHODS.join(", "))));
    }
    for (name, value) in fields {
        let shown = || name.escape_debug().to_string();
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(Unsent::Wrong(format!("\"{}\" is no field name", shown())));
        }
        if OURS.iter().any(|ours| name.eq_ignore_ascii_case(ours)) {
            return Err(Unsent::Wrong(format!("the field {} is the server's to write", shown())));
        }
        if value.bytes().any(|octet| octet.is_ascii_control() && octet != b'\t') {
            return Err(Unsent::Wrong(format!("the field {} has a control character", shown())));
        }
    }
    Ok(())
}

/// RFC 9110 5.6.2.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet)
}

/// Whether the address is one of the public internet: not this machine, not its networks, not one with a special
/// meaning (RFC 6890 and the registries that it founded).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = match ip.octets() {
        [0 | 10 | 127 | 224..=255, ..] => true,
        // Shared by carriers (RFC 6598), and benchmarks (RFC 2544).
        [100, 64..=127, ..] | [198, 18..=19, ..] => true,
        [169, 254, ..] | [172, 16..=31, ..] | [192, 168, ..] => true,
        // Protocols, documentation, and the old 6to4 relays.
        [192, 0, 0 | 2, _] | [192, 88, 99, _] | [198, 51, 100, _] | [203, 0, 113, _] => true,
        _ => false,
    };
    !special
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    match ip.segments() {
        // NAT64 (RFC 6052): what it leads to counts.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            is_public_v4(Ipv4Addr::new(a, b, c, d))
        }
        // Teredo and other protocols, documentation, 6to4, SRv6 (RFC 2928, 3849, 9637, 3056, 9602).
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] | [0x2002 | 0x5f00, ..] => false,
        // What is assigned to the internet at all (RFC 4291 2.4): unique local, link local and multicast are not.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        let public = |text: &str| HttpGrants::default().may_connect(text.parse().expect("an address"));
        for ip in ["1.1.1.1", "192.0.1.1", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(public(ip), "{ip}");
        }
        for ip in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.2.1",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12:3456::1",
            "ff02::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::1",
        ] {
            assert!(!public(ip), "{ip}");
        }
    }

    #[test]
    fn a_network_that_is_granted_may_be_connected_to() {
        let network = Network { base: "10.1.0.0".parse().expect("an address"), prefix: 16 };
        let grants = HttpGrants { networks: vec![network], ..HttpGrants::default() };
        let may = |text: &str| grants.may_connect(text.parse().expect("an address"));
        assert!(may("10.1.2.3") && may("::ffff:10.1.2.3") && may("1.1.1.1"));
        assert!(!may("10.2.0.1") && !may("127.0.0.1"));
    }

    #[test]
    fn a_request_can_smuggle_nothing_rfc9112_11_2() {
        let fields = |name: &str, value: &str| {
            check("GET", "https://a/", &[(name.to_owned(), value.to_owned())], b"").map_err(|unsent| match unsent {
                Unsent::Wrong(words) => words,
                Unsent::TooLarge => "too large".to_owned(),
            })
        };
        assert_eq!(fields("X-Key", "a\tb c: ä"), Ok(()));
        assert_eq!(fields("Host", "b"), Err("the field Host is the server's to write".to_owned()));
        assert!(fields("transfer-ENCODING", "chunked").is_err() && fields("Content-Length", "5").is_err());
        assert_eq!(fields("X", "a\r\nHost: b"), Err("the field X has a control character".to_owned()));
        assert_eq!(fields("X\n", "a"), Err("\"X\\n\" is no field name".to_owned()));
        assert!(fields("", "a").is_err() && fields("a b", "c").is_err() && fields("a:", "c").is_err());
        assert_eq!(fields("X", &"x".repeat(REQUEST_BYTES_MAX)), Err("too large".to_owned()));
        for method in ["CONNECT", "TRACE", "get", "GET / HTTP/1.1\r\n", ""] {
            assert!(matches!(check(method, "https://a/", &[], b""), Err(Unsent::Wrong(_))), "{method}");
        }
        assert_eq!(check("POST", "https://a/", &[], &vec![0; REQUEST_BYTES_MAX]), Err(Unsent::TooLarge));
    }
}
