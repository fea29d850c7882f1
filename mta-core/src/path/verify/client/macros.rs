//! Names with macros in them (RFC 7208 7): read once, and expanded for a client.

use std::net::IpAddr;

/// A domain-spec: literals and macros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DomainSpec(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Macro {
        /// In lower case.
        letter: char,
        /// It was a capital: what can't stand in a URL is escaped.
        escape: bool,
        /// How many parts from the right.
        parts: Option<usize>,
        reverse: bool,
        delimiters: String,
    },
}

/// What macros stand for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    pub(super) ip: IpAddr,
    pub(super) local: &'a str,
    /// The sender's domain.
    pub(super) origin: &'a str,
    /// The domain whose record it is.
    pub(super) domain: &'a str,
    pub(super) helo: &'a str,
    /// The client's own name that was found to be true.
    pub(super) validated: &'a str,
}

/// What macros may be followed by, and split at (RFC 7208 7.1).
const DELIMITERS: &str = ".-+,/_=";

impl DomainSpec {
    /// A whole domain-spec; none if it is not one: it ends with a macro, or with a dot and a top label.
    pub(super) fn read(text: &str) -> Option<Self> {
        let spec = Self::read_string(text)?;
        let ends = match spec.0.last()? {
            Part::Macro { .. } => true,
            Part::Literal(end) => end.trim_end_matches('.').rsplit_once('.').is_some_and(|(_, top)| is_top_label(top)),
        };
        (ends && !text.ends_with("..")).then_some(spec)
    }

    /// A macro-string, which may be anything of literals and macros.
    pub(super) fn read_string(text: &str) -> Option<Self> {
        let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
        while let Some(letter) = rest.chars().next() {
            let behind = &rest[letter.len_utf8()..];
            match letter {
                '%' => {
                    let escaped = match behind.chars().next()? {
                        '%' => "%",
                        '_' => " ",
                        '-' => "%20",
                        '{' => {
                            let (inside, after) = behind.get(1..)?.split_once('}')?;
                            if !literal.is_empty() {
                                parts.push(Part::Literal(std::mem::take(&mut literal)));
                            }
                            parts.push(read_macro(inside)?);
                            rest = after;
                            continue;
                        }
                        _ => return None,
                    };
                    literal.push_str(escaped);
                    rest = behind.get(1..)?;
                }
                '!'..='~' => {
                    literal.push(letter);
                    rest = behind;
                }
                _ => return None,
            }
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        Some(Self(parts))
    }

    /// Whether it needs the client's true name.
    pub(super) fn needs_validated(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Macro { letter: 'p', .. }))
    }

    /// The name that it stands for.
    pub(super) fn expand(&self, words: Words<'_>) -> String {
        let mut name = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => name.push_str(text),
                Part::Macro { letter, escape, parts, reverse, delimiters } => {
                    let word = word(*letter, words);
                    let mut split: Vec<&str> = word.split(|letter| delimiters.contains(letter)).collect();
                    if *reverse {
                        split.reverse();
                    }
                    let from = parts.map_or(0, |parts| split.len().saturating_sub(parts));
                    let joined = split.get(from..).unwrap_or_default().join(".");
                    name.push_str(&if *escape { escaped(&joined) } else { joined });
                }
            }
        }
        name
    }
}

/// What stands between `%{` and `}`.
fn read_macro(inside: &str) -> Option<Part> {
    let letter = inside.chars().next()?;
    let rest = &inside[letter.len_utf8()..];
    let lower = letter.to_ascii_lowercase();
    // c, r and t are for explanations alone (RFC 7208 7.2), which we don't ask for.
    if !"slodipvh".contains(lower) {
        return None;
    }
    let digits = rest.len() - rest.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
    let (count, rest) = rest.split_at(digits);
    let parts = match count {
        "" => None,
        // What is more than any name has is all of it.
        count => Some(count.parse::<usize>().unwrap_or(usize::MAX)).filter(|count| *count > 0).map(Some)?,
    };
    let (reverse, rest) = match rest.strip_prefix(['r', 'R']) {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    if !rest.chars().all(|letter| DELIMITERS.contains(letter)) {
        return None;
    }
    let delimiters = if rest.is_empty() { "." } else { rest };
    Some(Part::Macro {
        letter: lower,
        escape: letter.is_ascii_uppercase(),
        parts,
        reverse,
        delimiters: delimiters.into(),
    })
}

/// RFC 7208 7.2.
fn word(letter: char, words: Words<'_>) -> String {
    match letter {
        's' => format!("{}@{}", words.local, words.origin),
        'l' => words.local.to_owned(),
        'o' => words.origin.to_owned(),
        'd' => words.domain.to_owned(),
        'h' => words.helo.to_owned(),
        'p' => words.validated.to_owned(),
        'v' => if words.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
        _ => dotted(words.ip),
    }
}

/// RFC 7208 7.3: an IPv6 address as its half octets.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let halves = ip.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]);
            halves.map(|half| format!("{half:x}")).collect::<Vec<_>>().join(".")
        }
    }
}

/// Escaped as in a URL (RFC 3986 2.3).
fn escaped(text: &str) -> String {
    let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~".contains(&octet);
    let one = |octet: u8| if plain(octet) { char::from(octet).to_string() } else { format!("%{octet:02X}") };
    text.bytes().map(one).collect()
}

/// RFC 7208 7.1: a last label, which is not all digits.
fn is_top_label(label: &str) -> bool {
    let octets = label.as_bytes();
    let edge = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_alphanumeric);
    octets.iter().all(|octet| octet.is_ascii_alphanumeric() || *octet == b'-')
        && edge(octets.first())
        && edge(octets.last())
        && !octets.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expand(text: &str, ip: &str) -> Option<String> {
        let words = Words {
            ip: ip.parse().expect("an address"),
            local: "strong-bad",
            origin: "email.example.com",
            domain: "email.example.com",
            helo: "mail.example.com",
            validated: "mx.example.org",
        };
        Some(DomainSpec::read(text)?.expand(words))
    }

    #[test]
    fn macros_expand_as_in_the_examples_of_rfc7208_7_4() {
        for (text, name) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("%%%_%-.%{p}.%{h}", "% %20.mx.example.org.mail.example.com"),
            ("%{S}.example.net", "strong-bad%40email.example.com.example.net"),
        ] {
            assert_eq!(expand(text, "192.0.2.3").as_deref(), Some(name), "{text}");
        }
        assert_eq!(
            expand("%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01").as_deref(),
            Some("1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com")
        );
    }

    #[test]
    fn what_is_no_domain_spec_is_refused_rfc7208_7_1() {
        for text in
            ["", "museum", "museum.", "a.1", "a..", "a.-b", "%{x}", "%{c}", "%{d0}", "%(d)", "%", "%{d", "a b.c", "ä.c"]
        {
            assert_eq!(expand(text, "192.0.2.3"), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[%{}a-z0-9.rSD/_ -]{0,40}") {
            let _ = expand(&text, "2001:db8::1");
            let _ = DomainSpec::read_string(&text);
        }
    }
}
