//! The header by which a proxy says for whom a connection is: HAProxy's PROXY protocol, versions 1 and 2
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>).
//!
//! What follows the header is the client's own, and may be there already; so a reader learns how many octets are the
//! header's for certain, and takes no more.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use thiserror::Error;

/// The longest header that is read, in octets. Version 1 has 107 at most, version 2 says how many; what comes behind its
/// addresses is passed over.
pub const HEADER_BYTES_MAX: usize = 4096;

const V1_BYTES_MAX: usize = 107;
const V1: &[u8] = b"PROXY ";
const V2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family and length.
const V2_HEAD_BYTES: usize = 16;
/// `PROXY UNKNOWN` with its end: there is none that is shorter.
const SHORTEST_BYTES: usize = 15;

/// For whom a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// For this client.
    Client(SocketAddr),
    /// For the proxy itself: it looks whether we are there, or does not know the client.
    Proxy,
}

/// How far a header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many more octets belong to it, and perhaps others behind them. Never zero.
    More(usize),
    /// It is whole.
    Done(Speaker),
}

/// What is no header.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ProxyFault {
    /// It begins in another way.
    #[error("it does not begin with the PROXY protocol")]
    NotProxied,
    /// A line of version 1 that is not as it must be.
    #[error("its line of version 1 is malformed")]
    Version1,
    /// A header of version 2 that is not as it must be.
    #[error("its header of version 2 is malformed")]
    Version2,
    /// It is longer than [`HEADER_BYTES_MAX`].
    #[error("its header is too long")]
    TooLong,
}

/// Reads a header from its beginning on. `octets` must not go beyond what [`Progress::More`] asked for.
///
/// # Errors
/// It is none.
pub fn read(octets: &[u8]) -> Result<Progress, ProxyFault> {
    let begins = |signature: &[u8]| octets.iter().zip(signature).all(|(one, other)| one == other);
    match (begins(V1), begins(V2)) {
        (false, false) => Err(ProxyFault::NotProxied),
        (true, _) if octets.len() >= SHORTEST_BYTES => version_1(octets),
        (_, true) if octets.len() >= V2_HEAD_BYTES => version_2(octets),
        (_, true) if octets.len() >= SHORTEST_BYTES => Ok(Progress::More(V2_HEAD_BYTES - octets.len())),
        _ => Ok(Progress::More(SHORTEST_BYTES - octets.len())),
    }
}

/// `PROXY TCP4 192.0.2.1 198.51.100.2 40000 25`, with CRLF.
fn version_1(octets: &[u8]) -> Result<Progress, ProxyFault> {
    let Some(line) = octets.strip_suffix(b"\r\n") else {
        let left = if octets.ends_with(b"\r") { 1 } else { 2 };
        let fits = octets.len() + left <= V1_BYTES_MAX && !octets.contains(&b'\n');
        return if fits { Ok(Progress::More(left)) } else { Err(ProxyFault::Version1) };
    };
    let line = std::str::from_utf8(line).map_err(|_| ProxyFault::Version1)?;
    let words: Vec<&str> = line.split(' ').collect();
    let client = match words.as_slice() {
        // Whatever stands behind it is to be passed over.
        ["PROXY", "UNKNOWN", ..] => return Ok(Progress::Done(Speaker::Proxy)),
        ["PROXY", "TCP4", from, to, from_port, to_port] => {
            let (from, _) = (from.parse::<Ipv4Addr>(), to.parse::<Ipv4Addr>().map_err(|_| ProxyFault::Version1)?);
            (from.ok().map(IpAddr::V4), port(from_port).filter(|_| port(to_port).is_some()))
        }
        ["PROXY", "TCP6", from, to, from_port, to_port] => {
            let (from, _) = (from.parse::<Ipv6Addr>(), to.parse::<Ipv6Addr>().map_err(|_| ProxyFault::Version1)?);
            (from.ok().map(IpAddr::V6), port(from_port).filter(|_| port(to_port).is_some()))
        }
        _ => return Err(ProxyFault::Version1),
    };
    match client {
        (Some(ip), Some(port)) => Ok(Progress::Done(Speaker::Client(SocketAddr::new(ip, port)))),
        _ => Err(ProxyFault::Version1),
    }
}

/// Digits alone, and no zero before others.
fn port(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|octet| octet.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    word.parse().ok().filter(|_| plain)
}

fn version_2(octets: &[u8]) -> Result<Progress, ProxyFault> {
    let (head, rest) = octets.split_first_chunk::<V2_HEAD_BYTES>().ok_or(ProxyFault::Version2)?;
    let [.., command, family, high, low] = *head;
    let wanted = usize::from(u16::from_be_bytes([high, low]));
    if V2_HEAD_BYTES + wanted > HEADER_BYTES_MAX {
        return Err(ProxyFault::TooLong);
    }
    if rest.len() < wanted {
        return Ok(Progress::More(wanted - rest.len()));
    }
    match command {
        // LOCAL: what the header says else is of no use.
        0x20 => return Ok(Progress::Done(Speaker::Proxy)),
        0x21 => {}
        _ => return Err(ProxyFault::Version2),
    }
    let ports = |at: usize| rest.get(at..at + 2).and_then(|port| port.try_into().ok()).map(u16::from_be_bytes);
    let client = match family {
        0x11 => {
            rest.first_chunk::<4>().zip(ports(8)).filter(|_| wanted >= 12).map(|(ip, port)| (IpAddr::from(*ip), port))
        }
        0x21 => {
            rest.first_chunk::<16>().zip(ports(32)).filter(|_| wanted >= 36).map(|(ip, port)| (IpAddr::from(*ip), port))
        }
        // Not known to the proxy.
        0x00 => return Ok(Progress::Done(Speaker::Proxy)),
        // Datagrams and local sockets bring no mail.
        _ => return Err(ProxyFault::Version2),
    };
    let (ip, port) = client.ok_or(ProxyFault::Version2)?;
    Ok(Progress::Done(Speaker::Client(SocketAddr::new(ip, port))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Reads a stream as a driver does: the outcome, and how many octets were taken.
    fn take(stream: &[u8]) -> (Result<Option<Speaker>, ProxyFault>, usize) {
        let mut taken = 0;
        loop {
            match read(&stream[..taken]) {
                Ok(Progress::Done(speaker)) => return (Ok(Some(speaker)), taken),
                Ok(Progress::More(more)) if taken + more <= stream.len() && more > 0 => taken += more,
                Ok(Progress::More(_)) => return (Ok(None), taken),
                Err(fault) => return (Err(fault), taken),
            }
        }
    }

    fn v2(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let length = u16::try_from(content.len()).expect("short").to_be_bytes();
        [V2, &[command, family], &length, content].concat()
    }

    fn client(text: &str) -> Option<Speaker> {
        Some(Speaker::Client(text.parse().expect("a literal")))
    }

    #[test]
    fn version_1_names_the_client_and_nothing_behind_it_is_taken() {
        for (line, expected) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.2 40000 25\r\n", client("192.0.2.1:40000")),
            ("PROXY TCP6 2001:db8::1 ::1 65535 25\r\n", client("[2001:db8::1]:65535")),
            ("PROXY UNKNOWN\r\n", Some(Speaker::Proxy)),
            ("PROXY UNKNOWN ffff::1 ffff::1 65535 65535\r\n", Some(Speaker::Proxy)),
        ] {
            let stream = format!("{line}EHLO c.example\r\n");
            assert_eq!(take(stream.as_bytes()), (Ok(expected), line.len()), "{line}");
        }
    }

    #[test]
    fn version_2_names_the_client_and_nothing_behind_it_is_taken() {
        let four = [192, 0, 2, 1, 198, 51, 100, 2, 0x9c, 0x40, 0, 25];
        let mut six = [0; 36];
        six[..2].copy_from_slice(&[0x20, 0x01]);
        six[33] = 7;
        let with_more = [&four[..], &[4, 0, 1, 0]].concat();
        for (header, expected) in [
            (v2(0x21, 0x11, &four), client("192.0.2.1:40000")),
            (v2(0x21, 0x11, &with_more), client("192.0.2.1:40000")),
            (v2(0x21, 0x21, &six), client("[2001::]:7")),
            (v2(0x20, 0x00, &[]), Some(Speaker::Proxy)),
            (v2(0x20, 0x31, &[1; 216]), Some(Speaker::Proxy)),
            (v2(0x21, 0x00, &[1; 5]), Some(Speaker::Proxy)),
        ] {
            let stream = [&header[..], b"\x16\x03\x01"].concat();
            assert_eq!(take(&stream), (Ok(expected), header.len()), "{header:?}");
        }
    }

    #[test]
    fn what_is_malformed_is_refused() {
        for line in [
            "PROXY TCP4 192.0.2.1 198.51.100.2 40000\r\n",
            "PROXY TCP4 192.0.2.1  198.51.100.2 1 25\r\n",
            "PROXY TCP4 2001:db8::1 ::1 1 25\r\n",
            "PROXY TCP6 192.0.2.1 198.51.100.2 1 25\r\n",
            "PROXY TCP4 192.0.2.256 198.51.100.2 1 25\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 65536 25\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 +1 25\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 01 25\r\n",
            "PROXY UDP4 192.0.2.1 198.51.100.2 1 25\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 1 25\nEHLO\r\n",
            "PROXY  UNKNOWN\r\n",
        ] {
            assert_eq!(take(line.as_bytes()).0, Err(ProxyFault::Version1), "{line}");
        }
        assert_eq!(take(format!("PROXY UNKNOWN {}", "x".repeat(200)).as_bytes()).0, Err(ProxyFault::Version1));
        assert_eq!(take(b"EHLO c.example.org\r\n").0, Err(ProxyFault::NotProxied));
        for header in
            [v2(0x22, 0x11, &[0; 12]), v2(0x11, 0x11, &[0; 12]), v2(0x21, 0x11, &[0; 11]), v2(0x21, 0x12, &[0; 12])]
        {
            assert_eq!(take(&header).0, Err(ProxyFault::Version2), "{header:?}");
        }
        assert_eq!(take(&v2(0x20, 0, &[0; 5000])).0, Err(ProxyFault::TooLong));
    }

    proptest! {
        #[test]
        fn whatever_comes_it_ends_and_asks_for_no_octet_of_the_client(octets in proptest::collection::vec(any::<u8>(), 0..200), which in 0..3_usize) {
            let signature = [V1, V2, b""][which];
            let (_, taken) = take(&[signature, &octets].concat());
            prop_assert!(taken <= HEADER_BYTES_MAX);
        }

        #[test]
        fn every_client_comes_through(ip: [u8; 4], port: u16, to_port: u16, behind in "[ -~\r\n]{0,30}") {
            let address = SocketAddr::from((ip, port));
            let line = format!("PROXY TCP4 {} 127.0.0.1 {port} {to_port}\r\n", address.ip());
            let taken = take(format!("{line}{behind}").as_bytes());
            prop_assert_eq!(taken, (Ok(Some(Speaker::Client(address))), line.len()));
        }
    }
}
