//! Single values from their text. Errors are the mend (`did you mean "64MiB"?`), or empty where none is known.

use super::super::model::{DomainPattern, Network, PluginSource};
use super::problem::did_you_mean;
use crate::base::flow::attempt::Endpoint;
use crate::base::mail::domain::Domain;
use crate::base::world::http::Origin;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What names are made of, for words to people.
pub(super) const NAME: &str = "a name of letters, digits, - and _, at most 64 of them";
/// The same of networks.
pub(super) const NETWORK: &str = "a network, as \"192.0.2.0/24\" or \"2001:db8::/32\"";
/// The same of domain patterns.
pub(super) const PATTERN: &str = "a domain, as \"example.org\", \"*.example.org\" or \"*\"";

const SIZE_UNITS: [(&str, i128); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const TIME_UNITS: [(&str, u64); 5] = [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Octets from `4096`, `64KiB`, `64 MiB` or `1GiB`.
pub(in crate::config) fn size(text: &str) -> Result<i128, String> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    let Ok(number) = number.parse::<u64>() else { return Err(String::new()) };
    match SIZE_UNITS.iter().find(|(name, _)| *name == unit || unit.is_empty()) {
        Some((_, factor)) => Ok(i128::from(number) * factor),
        None => {
            // KB, MB and plain K, M mean two things in the world: nothing is guessed in silence.
            let letter = unit.chars().next().map(|c| c.to_ascii_uppercase());
            let near = SIZE_UNITS.iter().find(|(name, _)| name.chars().next() == letter);
            Err(near.map(|(name, _)| format!("did you mean \"{number}{name}\"?")).unwrap_or_default())
        }
    }
}

/// Octets in the largest unit that holds them whole.
pub(super) fn shown_size(octets: i128) -> String {
    let whole = |(_, factor): &&(&str, i128)| octets != 0 && octets % *factor == 0;
    let (unit, factor) = SIZE_UNITS.iter().rev().find(whole).unwrap_or(&SIZE_UNITS[0]);
    format!("{}{unit}", octets / factor)
}

/// A length of time from `500ms`, `90s`, `1h30m` or `5d`.
pub(in crate::config) fn duration(text: &str) -> Result<Duration, String> {
    let mut rest = text.trim();
    let mut millis: u64 = 0;
    if rest.is_empty() {
        return Err(String::new());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (unit, next) = behind.split_at(letters);
        let Ok(number) = number.parse::<u64>() else { return Err(String::new()) };
        let Some((_, factor)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) else {
            let meant = unit.chars().next().map_or('s', |c| c.to_ascii_lowercase());
            let meant = TIME_UNITS.iter().rev().find(|(name, _)| name.starts_with(meant) && unit.len() != 2);
            let meant = meant.map_or("s", |(name, _)| name);
            let only = number.to_string() + unit == text.trim();
            return Err(if only { format!("did you mean \"{number}{meant}\"?") } else { String::new() });
        };
        millis = number.checked_mul(*factor).and_then(|more| millis.checked_add(more)).ok_or_else(String::new)?;
        rest = next.trim_start();
    }
    Ok(Duration::from_millis(millis))
}

/// A length of time in the largest unit that holds it whole.
pub(super) fn shown_duration(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let whole = |(_, factor): &&(&str, u64)| millis != 0 && millis.is_multiple_of(*factor);
    let (unit, factor) = TIME_UNITS.iter().rev().find(whole).unwrap_or(&TIME_UNITS[1]);
    format!("{}{unit}", millis / factor)
}

/// A host's name: LDH labels of at most 63 octets, 255 in all (RFC 5321 2.3.5, 4.1.2 and 4.5.3.1.2).
pub(super) fn host_name(text: &str) -> Result<Box<str>, String> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if text.len() <= 255 && text.split('.').all(label) && text.parse::<Ipv4Addr>().is_err() {
        return Ok(text.into());
    }
    let mended = text.trim().trim_end_matches('.').replace('_', "-");
    let mended = if mended.is_ascii() { mended } else { idna::domain_to_ascii(&mended).unwrap_or_default() };
    let sound = mended != text && !mended.is_empty() && host_name(&mended).is_ok();
    Err(if sound { format!("did you mean {mended:?}?") } else { String::new() })
}

/// `*`, `example.org`, `*.example.org` or an address literal, in the form in which domains are compared.
pub(super) fn domain_pattern(text: &str) -> Result<DomainPattern, String> {
    if text == "*" {
        return Ok(DomainPattern::new(text));
    }
    let (star, name) = text.strip_prefix("*.").map_or(("", text), |name| ("*.", name));
    match Domain::parse(name) {
        Ok(Domain::Literal(_)) if !star.is_empty() => Err("an address has no subdomains".to_owned()),
        Ok(domain) => Ok(DomainPattern::new(&format!("{star}{domain}"))),
        Err(error) => {
            let star = if name.starts_with('.') { "*." } else { "" };
            match Domain::parse(name.trim_start_matches(['@', '.'])) {
                Ok(domain) => Err(format!("did you mean \"{star}{domain}\"?")),
                Err(_) => Err(error.to_string()),
            }
        }
    }
}

/// A CIDR block; an address alone is a block of one.
pub(super) fn network(text: &str) -> Result<Network, String> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| String::new())?;
    let bits_max: u8 = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        Some(prefix) => prefix.parse::<u8>().map_err(|_| String::new())?,
        None => bits_max,
    };
    if prefix > bits_max {
        return Err(format!("the prefix of such a network is at most {bits_max}"));
    }
    let mask = u128::MAX.checked_shl(u32::from(bits_max - prefix)).unwrap_or(0);
    let base = match address {
        IpAddr::V4(ip) => {
            let [.., a, b, c, d] = (u128::from(u32::from(ip)) & mask).to_be_bytes();
            IpAddr::from([a, b, c, d])
        }
        IpAddr::V6(ip) => IpAddr::from((u128::from(ip) & mask).to_be_bytes()),
    };
    match base {
        IpAddr::V6(ip) if prefix >= 96 && ip.to_ipv4_mapped().is_some() => {
            let ip = base.to_canonical();
            Err(format!("addresses are compared as IPv4: did you mean \"{ip}/{}\"?", prefix - 96))
        }
        _ if base != address => Err(format!("it has bits behind the prefix: did you mean \"{base}/{prefix}\"?")),
        _ => Ok(Network { base, prefix }),
    }
}

/// `host:port`, `192.0.2.1:25` or `[2001:db8::1]:25`.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return if address.port() == 0 {
            Err("port 0 can't be reached".to_owned())
        } else {
            Ok(Endpoint::Address(address))
        };
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Err(format!("the port is missing: did you mean \"{}\"?", SocketAddr::new(ip, 25)));
    }
    let Some((host, port)) = text.rsplit_once(':') else {
        let mend = host_name(text).map(|host| format!("the port is missing: did you mean \"{host}:25\"?"));
        return Err(mend.unwrap_or_default());
    };
    match port.parse::<u16>() {
        Ok(1..) => {}
        _ => return Err("a port is a number from 1 to 65535".to_owned()),
    }
    let port = port.parse().map_err(|_| String::new())?;
    Ok(Endpoint::Host(host_name(host)?.to_lowercase().into(), port))
}

/// An address and port to bind.
pub(super) fn bind_address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Err(format!("the port is missing: did you mean \"{}\"?", SocketAddr::new(ip, 25)));
    }
    let port = text.strip_prefix("*:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    if let Ok(port) = port.parse::<u16>() {
        return Err(format!("did you mean \"0.0.0.0:{port}\" (or \"[::]:{port}\" for IPv6)?"));
    }
    match text.rsplit_once(':') {
        Some(("localhost", port)) if port.parse::<u16>().is_ok() => Err(format!("did you mean \"127.0.0.1:{port}\"?")),
        _ => Err(String::new()),
    }
}

/// The address of a name server; port 53 unless given.
pub(super) fn name_server(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<IpAddr>() {
        Ok(ip) => Ok(SocketAddr::new(ip, 53)),
        Err(_) => text.parse().map_err(|_| String::new()),
    }
}

/// A name for logs and keys: letters, digits, `-` and `_`, at most 64.
pub(super) fn label(text: &str) -> Result<&str, String> {
    let sound = (1..=64).contains(&text.len())
        && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_');
    if sound { Ok(text) } else { Err(String::new()) }
}

/// `builtin:NAME` or the path of a `.wasm` file.
pub(super) fn plugin_source(text: &str) -> Result<PluginSource, String> {
    match text.split_once(':') {
        Some(("builtin", name)) => label(name).map(|name| PluginSource::Builtin(name.into())),
        Some((scheme, rest)) if !did_you_mean(scheme, ["builtin"].into_iter()).is_empty() => {
            Err(format!("did you mean \"builtin:{}\"?", rest.trim()))
        }
        _ if text.trim().is_empty() => Err(String::new()),
        _ if text.ends_with(".wasm") => Ok(PluginSource::File(text.into())),
        _ if label(text).is_ok() => Err(format!("did you mean \"builtin:{text}\"?")),
        _ => Err("a component's file name ends in .wasm".to_owned()),
    }
}

/// A sha256 in hexadecimal.
pub(super) fn sha256(text: &str) -> Result<Box<str>, String> {
    let text = text.trim();
    let is_sum = text.len() == 64 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
    if is_sum { Ok(text.to_ascii_lowercase().into()) } else { Err(String::new()) }
}

/// Capabilities that exist; a bucket or the like follows a colon where one is needed.
const CAPABILITIES: [&str; 15] = [
    "log",
    "metrics",
    "clock",
    "random",
    "dns",
    "passwords",
    "kv",
    "secrets",
    "hmac",
    "tables",
    "suppression",
    "tenants",
    "http",
    "http-network",
    "submit",
];

/// What a grant of that name names.
fn thing(capability: &str) -> &'static str {
    match capability {
        "kv" => "bucket",
        "tables" => "table",
        _ => "secret",
    }
}

/// A capability as `log` or `kv:BUCKET`.
pub(super) fn capability(text: &str) -> Result<Box<str>, String> {
    let (name, object) = match text.split_once(':') {
        Some((name, object)) => (name, Some(object)),
        None => (text, None),
    };
    match (name, object) {
        ("kv" | "secrets" | "hmac" | "tables", Some(object)) => {
            let what = thing(name);
            let object = object.strip_suffix(":common").filter(|_| name == "kv").unwrap_or(object);
            label(object).map(|_| text.into()).map_err(|_| format!("a {what}'s name is letters, digits, - and _"))
        }
        // To a plugin that could use some, and is told of none.
        ("tables", None) => Ok(text.into()),
        ("kv" | "secrets" | "hmac", None) => Err(format!("name the {}: \"{name}:NAME\"", thing(name))),
        ("suppression", Some(scope)) => label(scope.strip_suffix(":read").unwrap_or(scope))
            .map(|_| text.into())
            .map_err(|_| "a scope's name is letters, digits, - and _; \":read\" may follow it".to_owned()),
        ("suppression", None) => Err("name the scope: \"suppression:newsletter\"".to_owned()),
        ("http", Some(origin)) => Origin::parse(origin).map(|_| text.into()).map_err(str::to_owned),
        ("http", None) => Err("name the host: \"http:api.example.org\"".to_owned()),
        ("http-network", Some(block)) => network(block).map(|_| text.into()),
        ("http-network", None) => Err("name the network: \"http-network:10.0.0.0/8\"".to_owned()),
        ("log" | "metrics" | "clock" | "random" | "dns" | "submit" | "passwords" | "tenants", None) => Ok(text.into()),
        ("log" | "metrics" | "clock" | "random" | "dns" | "submit" | "passwords" | "tenants", Some(_)) => {
            Err(format!("did you mean {name:?}?"))
        }
        _ => Err(did_you_mean(name, CAPABILITIES.into_iter())),
    }
}
