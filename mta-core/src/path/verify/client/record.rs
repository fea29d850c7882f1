//! An SPF record, read strictly by the grammar of RFC 7208 12: one slip and all of it says nothing.

use super::macros::DomainSpec;
use crate::base::flow::policy::verify::Outcome;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// What a match means, and what matches.
    pub(super) directives: Vec<(Outcome, Mechanism)>,
    pub(super) redirect: Option<DomainSpec>,
}

/// RFC 7208 5. Masks have the bits that count; without a name it is the record's own domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(DomainSpec),
    A(Option<DomainSpec>, Masks),
    Mx(Option<DomainSpec>, Masks),
    Ptr(Option<DomainSpec>),
    Ip4(Ipv4Addr, u32),
    Ip6(Ipv6Addr, u128),
    Exists(DomainSpec),
}

/// The bits of an address that count, for either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Masks {
    pub(super) v4: u32,
    pub(super) v6: u128,
}

impl Record {
    /// Whether the text is a record at all, right or wrong (RFC 7208 4.5).
    pub(super) fn is_one(text: &[u8]) -> bool {
        let version = text.get(..6).is_some_and(|version| version.eq_ignore_ascii_case(b"v=spf1"));
        version && text.get(6).is_none_or(|next| *next == b' ')
    }

    /// The record; none if there is anything wrong with it.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text.get(6..)?).ok()?;
        let mut record = Self { directives: Vec::new(), redirect: None };
        let mut explained = false;
        for term in text.split(' ').filter(|term| !term.is_empty()) {
            let end = term.find([':', '/', '=']).unwrap_or(term.len());
            let (name, rest) = term.split_at(end);
            match rest.strip_prefix('=') {
                None => record.directives.push(directive(term)?),
                Some(value) if name.eq_ignore_ascii_case("redirect") => {
                    // RFC 7208 6: no more than one of each.
                    if record.redirect.replace(DomainSpec::read(value)?).is_some() {
                        return None;
                    }
                }
                Some(value) if name.eq_ignore_ascii_case("exp") => {
                    DomainSpec::read(value)?;
                    if std::mem::replace(&mut explained, true) {
                        return None;
                    }
                }
                Some(value) => unknown(name, value)?,
            }
        }
        Some(record)
    }
}

/// A modifier that nobody knows must still be one (RFC 7208 6, 12).
fn unknown(name: &str, value: &str) -> Option<()> {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    let is_name = name.starts_with(|letter: char| letter.is_ascii_alphabetic()) && name.chars().all(plain);
    // Macros of explanations may stand here, too.
    let value = ["c", "r", "t"]
        .iter()
        .fold(value.to_ascii_lowercase(), |value, letter| value.replace(&format!("%{{{letter}"), "%{d"));
    (is_name && DomainSpec::read_string(&value).is_some()).then_some(())
}

fn directive(term: &str) -> Option<(Outcome, Mechanism)> {
    let (outcome, term) = match term.as_bytes().first()? {
        b'+' => (Outcome::Pass, &term[1..]),
        b'-' => (Outcome::Fail, &term[1..]),
        b'~' => (Outcome::SoftFail, &term[1..]),
        b'?' => (Outcome::Neutral, &term[1..]),
        _ => (Outcome::Pass, term),
    };
    let end = term.find([':', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at(end);
    let needed = || DomainSpec::read(rest.strip_prefix(':')?);
    let own = |rest: &str| match rest {
        "" => Some(None),
        rest => DomainSpec::read(rest.strip_prefix(':')?).map(Some),
    };
    let mechanism = match &*name.to_ascii_lowercase() {
        "all" if rest.is_empty() => Mechanism::All,
        "include" => Mechanism::Include(needed()?),
        "exists" => Mechanism::Exists(needed()?),
        "ptr" => Mechanism::Ptr(own(rest)?),
        "a" | "mx" => {
            let (domain, masks) = rest.split_at(slash(rest));
            let (domain, masks) = (own(domain)?, dual(masks)?);
            if name.eq_ignore_ascii_case("a") { Mechanism::A(domain, masks) } else { Mechanism::Mx(domain, masks) }
        }
        "ip4" => {
            let (address, bits) = network(rest.strip_prefix(':')?, 32)?;
            Mechanism::Ip4(address.parse().ok()?, mask4(bits))
        }
        "ip6" => {
            let (address, bits) = network(rest.strip_prefix(':')?, 128)?;
            Mechanism::Ip6(address.parse().ok()?, mask6(bits))
        }
        _ => return None,
    };
    Some((outcome, mechanism))
}

/// Where the lengths begin at the end of a term: a slash may stand in a name, too.
fn slash(text: &str) -> usize {
    let before = |text: &str, slashes: &str| {
        let name = text.trim_end_matches(|letter: char| letter.is_ascii_digit());
        name.strip_suffix(slashes).filter(|_| name.len() < text.len()).map(str::len)
    };
    let v6 = before(text, "//").unwrap_or(text.len());
    before(&text[..v6], "/").unwrap_or(v6)
}

/// `/24`, `//64`, `/24//64`, or nothing.
fn dual(text: &str) -> Option<Masks> {
    let (v4, v6) = match text.split_once("//") {
        Some((v4, v6)) => (v4, Some(v6)),
        None => (text, None),
    };
    let v4 = match v4 {
        "" => 32,
        v4 => length(v4.strip_prefix('/')?, 32)?,
    };
    let v6 = v6.map_or(Some(128), |v6| length(v6, 128))?;
    Some(Masks { v4: mask4(v4), v6: mask6(v6) })
}

/// An address, and how many bits of it count.
fn network(text: &str, most: u32) -> Option<(&str, u32)> {
    match text.split_once('/') {
        Some((address, bits)) => Some((address, length(bits, most)?)),
        None => Some((text, most)),
    }
}

/// A number of bits, without zeros before it.
fn length(text: &str, most: u32) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    let is_plain = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|bits| is_number && is_plain && *bits <= most)
}

fn mask4(bits: u32) -> u32 {
    u32::MAX.checked_shl(32 - bits).unwrap_or(0)
}

fn mask6(bits: u32) -> u128 {
    u128::MAX.checked_shl(128 - bits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terms_are_read_as_in_rfc7208_12() {
        let record =
            Record::read(b"v=spf1  a/24//64 -MX:%{d/}.x.example/8 ip4:192.0.2.0/0 ?ip6:2001:db8::/32 redirect=a.b");
        let record = record.expect("it is one");
        let name = DomainSpec::read("%{d/}.x.example");
        let (v4, v6) = (0xffff_ff00, u128::MAX << 64);
        assert_eq!(
            record.directives,
            [
                (Outcome::Pass, Mechanism::A(None, Masks { v4, v6 })),
                (Outcome::Fail, Mechanism::Mx(name, Masks { v4: 0xff00_0000, v6: u128::MAX })),
                (Outcome::Pass, Mechanism::Ip4([192, 0, 2, 0].into(), 0)),
                (Outcome::Neutral, Mechanism::Ip6("2001:db8::".parse().expect("an address"), u128::MAX << 96)),
            ]
        );
        assert_eq!(record.redirect, DomainSpec::read("a.b"));
        assert!(Record::read(b"v=spf1 moo=%{r}/%{c2r-} a:a:b.example -all").is_some());
    }

    #[test]
    fn one_slip_is_enough_rfc7208_4_6() {
        for slip in [
            "ip4:1.2.3",
            "ip4:1.2.3.4/33",
            "ip4:1.2.3.4/032",
            "ip4",
            "ip6:::1/129",
            "a/33",
            "a//129",
            "a:",
            "a/",
            "all:x.y",
            "all/8",
            "include",
            "include:",
            "exists:a",
            "ptr:",
            "mx:a.b/8/8",
            "redirect=",
            "exp=a",
            "=x",
            "-=x",
            "1=x",
            "ipv4:1.2.3.4",
            "redirect=a.b redirect=c.d",
            "exp=a.b exp=c.d",
            "moo=%{x}",
            "a\u{7}",
            "\u{e4}.b",
            "--all",
        ] {
            assert_eq!(Record::read(format!("v=spf1 {slip} -all").as_bytes()), None, "{slip}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "v=spf1( [+?~-]?(a|mx|ptr|ip4|ip6|include|exists|all|exp|x)?[:=/]{0,2}[%{}a-z0-9./:]{0,12}){0,5}") {
            let _ = Record::read(text.as_bytes());
        }

        #[test]
        fn no_octets_panic(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = (Record::is_one(&octets), Record::read(&octets));
        }
    }
}
