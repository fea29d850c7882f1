//! Patterns as operators write them, made into regular expressions that the server runs; networks.

use std::fmt::Write;
use std::net::IpAddr;

/// What `*` and `?` stand for, as an expression on one line of a text with many: each line is a thing of its own.
pub(crate) fn glob(pattern: &str) -> String {
    let mut expression = "(?im)^".to_owned();
    push_glob(&mut expression, pattern);
    expression + "$"
}

/// The same for addresses: what has no `@` is a domain.
pub(crate) fn address_glob(pattern: &str) -> String {
    let mut expression = "(?im)^".to_owned();
    if !pattern.contains('@') && pattern != "<>" {
        expression.push_str(".*@");
    }
    push_glob(&mut expression, pattern);
    expression + "$"
}

/// An expression of the operator's own: case makes no difference, unless it says so.
pub(crate) fn expression(written: &str) -> String {
    format!("(?i:{written})")
}

fn push_glob(expression: &mut String, pattern: &str) {
    for c in pattern.chars() {
        match c {
            '*' => expression.push_str(".*"),
            '?' => expression.push('.'),
            // The rest of ASCII that is no letter and no digit may mean something.
            c if c.is_ascii() && !c.is_ascii_alphanumeric() => {
                let _ = write!(expression, "\\x{{{:x}}}", c as u32);
            }
            c => expression.push(c),
        }
    }
}

/// A network: an address and how many of its first bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    bits: u128,
    prefix: u32,
    is_v4: bool,
}

impl Network {
    /// From `192.0.2.0/24`, `2001:db8::/32` or an address alone.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let (bits, is_v4) = bits(address.parse().ok()?);
        let most = if is_v4 { 32 } else { 128 };
        let prefix = prefix.unwrap_or(most);
        (prefix <= most).then_some(Self { bits, prefix, is_v4 })
    }

    /// Whether the address is in it.
    pub(crate) fn has(&self, address: IpAddr) -> bool {
        let (bits, is_v4) = bits(address);
        let most = if is_v4 { 32 } else { 128 };
        is_v4 == self.is_v4 && (self.prefix == 0 || (bits ^ self.bits) >> (most - self.prefix) == 0)
    }
}

/// An IPv4 address that was written as IPv6 is one.
fn bits(address: IpAddr) -> (u128, bool) {
    match address.to_canonical() {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)), true),
        IpAddr::V6(v6) => (u128::from(v6), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::patterns::compile;

    fn matches(expression: &str, text: &str) -> bool {
        !compile(&[expression.to_owned()]).expect("it is sound").matches(text).is_empty()
    }

    #[test]
    fn stars_stand_for_anything_in_a_line() {
        assert!(matches(&glob("*.exe"), "a\nB.EXE\nc") && matches(&glob("a?c"), "abc"));
        assert!(
            !matches(&glob("*.exe"), "a.exe.txt") && !matches(&glob("a+"), "aa") && matches(&glob("a+[x]"), "a+[x]")
        );
        assert!(!matches(&glob("a*b"), "a\nb"));
    }

    #[test]
    fn an_address_without_a_local_part_is_a_domain() {
        assert!(matches(&address_glob("example.org"), "ann@EXAMPLE.org"));
        assert!(!matches(&address_glob("example.org"), "ann@sub.example.org"));
        assert!(matches(&address_glob("*.example.org"), "ann@sub.example.org"));
        assert!(matches(&address_glob("ann@*"), "ann@a.test") && matches(&address_glob("<>"), "<>"));
    }

    #[test]
    fn case_matters_where_the_operator_says_so() {
        assert!(matches(&expression("won a"), "You WON a prize") && !matches(&expression("(?-i)won"), "WON"));
    }

    #[test]
    fn networks_have_their_addresses() {
        let has = |network: &str, address: &str| {
            Network::parse(network).expect("a network").has(address.parse().expect("an address"))
        };
        assert!(has("192.0.2.0/24", "192.0.2.77") && !has("192.0.2.0/24", "192.0.3.1") && has("0.0.0.0/0", "1.2.3.4"));
        assert!(has("2001:db8::/32", "2001:db8::1") && !has("2001:db8::/32", "192.0.2.1"));
        assert!(has("192.0.2.1", "::ffff:192.0.2.1") && !has("::/0", "192.0.2.1"));
        for wrong in ["192.0.2.0/33", "x", "192.0.2.1/", "192.0.2.1/x"] {
            assert_eq!(Network::parse(wrong), None, "{wrong}");
        }
    }
}
