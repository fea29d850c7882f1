//! Whom a domain wants told: mailboxes and, of TLS, servers (RFC 9989 4.7, RFC 8460 3).

pub(super) mod external;

use crate::base::mail::address::Address;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::dmarc::Dmarc;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    /// By mail.
    Mail {
        to: Address,
        /// Messages above this are not wanted, in octets; none: it says nothing.
        bytes_max: Option<u64>,
    },
    /// By HTTPS, to this URL.
    Https(Box<str>),
}

impl Destination {
    /// As it is remembered and told of.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Mail { to, .. } => to.to_string(),
            Self::Https(url) => url.to_string(),
        }
    }
}

/// The policy of these texts: the only one that is one (RFC 9989 4.10.1).
pub(super) fn policy(texts: &[Vec<u8>]) -> Option<Dmarc> {
    let mut policies = texts.iter().filter_map(|text| Dmarc::parse(text).ok());
    let only = policies.next()?;
    policies.next().is_none().then_some(only)
}

/// The mailboxes of a policy. What is no mailbox that we could write to is passed over.
pub(super) fn mailboxes(policy: &Dmarc) -> Vec<Destination> {
    let mailbox = |uri: &mail_auth::dmarc::URI| {
        let bytes_max = u64::try_from(uri.max_size).ok().filter(|most| *most > 0);
        Some(Destination::Mail { to: address(&uri.uri)?, bytes_max })
    };
    unique(policy.rua.iter().filter_map(mailbox))
}

/// Whom these texts of `_smtp._tls` want told: the only record that is one (RFC 8460 3).
pub(super) fn of_tls(texts: &[Vec<u8>]) -> Vec<Destination> {
    let mut records = texts.iter().filter_map(|text| tls_uris(text));
    let (Some(only), None) = (records.next(), records.next()) else { return Vec::new() };
    let destination = |uri: &str| {
        let (scheme, rest) = uri.split_once(':')?;
        match scheme.to_ascii_lowercase().as_str() {
            "mailto" => Some(Destination::Mail { to: address(&decoded(rest)?)?, bytes_max: None }),
            "https" => Some(Destination::Https(uri.into())),
            _ => None,
        }
    };
    unique(only.split(',').map(str::trim).filter_map(destination))
}

/// The `rua` of a text that is such a record. Ours and not the library's, which takes `=` in a URL for an escape.
fn tls_uris(text: &[u8]) -> Option<&str> {
    let mut tags = std::str::from_utf8(text).ok()?.split(';').map(str::trim);
    let value = |tag: &'_ str, name: &str| -> Option<usize> {
        let (found, _) = tag.split_once('=')?;
        (found.trim_end() == name).then_some(found.len() + 1)
    };
    let first = tags.next()?;
    (first[value(first, "v")?..].trim_start() == "TLSRPTv1").then_some(())?;
    tags.find_map(|tag| Some(&tag[value(tag, "rua")?..]))
}

/// Without percent-encoding (RFC 3986 2.1), which commas and exclamation points have.
fn decoded(text: &str) -> Option<String> {
    let (mut octets, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            octets.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok().filter(|digits| !digits.starts_with('+'))?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(octets).ok()
}

fn address(text: &str) -> Option<Address> {
    let address = Address::parse(text).ok()?.to_ascii()?;
    address.domain()?.dns_name().is_some().then_some(address)
}

fn unique(all: impl Iterator<Item = Destination>) -> Vec<Destination> {
    let mut unique: Vec<Destination> = Vec::new();
    for one in all {
        if !unique.iter().any(|known| known.name() == one.name()) {
            unique.push(one);
        }
    }
    unique
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mail(to: &str, bytes_max: Option<u64>) -> Destination {
        Destination::Mail { to: Address::parse(to).expect("an address"), bytes_max }
    }

    fn dmarc(text: &str) -> Option<Vec<Destination>> {
        policy(&[text.as_bytes().to_vec()]).map(|policy| mailboxes(&policy))
    }

    #[test]
    fn mailboxes_are_read_with_their_limits_rfc9989_4_7() {
        let found =
            dmarc("v=DMARC1; p=none; rua=mailto:a@b.test!10m, mailto:c@d.test ,mailto:a@b.test!50k,https://x@e/");
        assert_eq!(found, Some(vec![mail("a@b.test", Some(10 << 20)), mail("c@d.test", None)]));
        assert_eq!(dmarc("v=DMARC1; p=none"), Some(Vec::new()));
        assert_eq!(dmarc("v=DMARC1; p=none; rua=mailto:a@[192.0.2.1],mailto:nobody"), Some(Vec::new()));
        assert_eq!(dmarc("v=spf1 -all"), None);
        let text = b"v=DMARC1; p=none".to_vec();
        assert_eq!(policy(&[text.clone(), text]), None, "two are none");
    }

    #[test]
    fn of_tls_mailboxes_and_servers_are_read_rfc8460_3() {
        let found = |texts: &[&str]| of_tls(&texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>());
        let both = "v=TLSRPTv1; rua=mailto:a@b.test,https://reports.b.test/v1/tls";
        let expected = [mail("a@b.test", None), Destination::Https("https://reports.b.test/v1/tls".into())];
        assert_eq!(found(&["v=spf1 -all", both]), expected);
        assert_eq!(found(&[both, both]), [], "of two nobody knows which");
        // RFC 3986 2.1: a comma of its own is encoded.
        let odd =
            "v = TLSRPTv1 ; rua = MAILTO:a%2Bx@b.test , https://b.test/?a=1%2C2&b=c, ftp://b.test, mailto:%2; x=y";
        let expected = [mail("a+x@b.test", None), Destination::Https("https://b.test/?a=1%2C2&b=c".into())];
        assert_eq!(found(&[odd]), expected);
        assert_eq!(found(&["v=TLSRPTv2; rua=mailto:a@b.test"]), []);
    }

    proptest! {
        /// Whatever a zone says.
        #[test]
        fn no_record_is_too_strange(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = of_tls(std::slice::from_ref(&text));
            let _ = policy(&[[b"v=DMARC1; rua=mailto:", &text[..]].concat()]).map(|policy| mailboxes(&policy));
        }
    }
}
