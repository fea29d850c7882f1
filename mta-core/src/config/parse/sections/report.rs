//! `[report]`: what other domains are told of their mail and of connections to them.

use crate::base::mail::address::Address;
use crate::base::world::http::Origin;
use crate::config::model::report::Reporting;
use crate::config::parse::scalar::{self, NETWORK};
use crate::config::parse::section::{Key, Value, put};
use std::time::Duration;

const ADDRESS: &str = "an address of a domain that signs, as \"dmarc-reports@example.org\"";
const SENDER: &str = "an address, as \"bounces@example.org\", or \"\" for the null sender";
const PERIOD: &str = "a period that divides a day, from \"1h\" to \"1d\", with its unit";
const ORGANIZATION: &str = "a name in one line, as \"Example Hosting\"";
const CONTACT: &str = "a URL, as \"https://example.org/postmaster\"";
/// The longest organization's name, in octets.
const ORGANIZATION_BYTES_MAX: usize = 200;
/// The longest URL of a contact, in octets.
const CONTACT_BYTES_MAX: usize = 500;
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);
const MIB: i128 = 1 << 20;
const GIB: i128 = 1 << 30;

/// `[report]` before it is known to be whole.
pub(in crate::config::parse) struct ReportDraft {
    address: Option<Address>,
    report: Reporting,
}

pub(in crate::config::parse) const REPORT: &[Key<ReportDraft>] = &[
    Key { name: "address", read: |d, v| d.address = v.text(ADDRESS, address) },
    Key { name: "organization", read: |d, v| d.report.organization = v.text(ORGANIZATION, organization) },
    Key { name: "contact", read: |d, v| d.report.contact = v.text(CONTACT, contact) },
    Key {
        name: "sender",
        read: |d, v| {
            let sender = |text: &str| if text.is_empty() { Ok(None) } else { address(text).map(Some) };
            put(&mut d.report.sender, v.text(SENDER, sender));
        },
    },
    Key { name: "dmarc", read: |d, v| put(&mut d.report.dmarc, v.truth()) },
    Key { name: "tls", read: |d, v| put(&mut d.report.tls, v.truth()) },
    Key { name: "dmarc_every", read: |d, v| put(&mut d.report.dmarc_every, v.text(PERIOD, period)) },
    Key { name: "spread", read: |d, v| put(&mut d.report.spread, v.duration(Duration::ZERO..=12 * HOUR)) },
    Key { name: "destinations_max", read: |d, v| put(&mut d.report.destinations_max, v.count(1..=20)) },
    Key { name: "reports_max", read: |d, v| put(&mut d.report.reports_max, v.count(1..=1_000_000)) },
    Key { name: "rows_per_report_max", read: |d, v| put(&mut d.report.rows_per_report_max, v.count(10..=100_000)) },
    Key { name: "memory_bytes_max", read: |d, v| put(&mut d.report.memory_bytes_max, v.size(MIB..=16 * GIB)) },
    Key {
        name: "https_networks",
        read: |d, v| {
            let networks = v.list("a list of networks", |item| item.text(NETWORK, scalar::network));
            put(&mut d.report.https_networks, networks);
        },
    },
];

/// A mailbox that passes everywhere.
fn address(text: &str) -> Result<Address, String> {
    let address = Address::parse(text).map_err(|error| error.to_string())?;
    match address.to_ascii() {
        Some(address) if address.domain().is_some_and(|domain| domain.dns_name().is_some()) => Ok(address),
        Some(_) => Err("it needs a domain with a name".to_owned()),
        None => Err("other servers may not know letters beyond ASCII before the `@`".to_owned()),
    }
}

fn organization(text: &str) -> Result<Box<str>, String> {
    let fits = !text.trim().is_empty() && text.len() <= ORGANIZATION_BYTES_MAX && !text.contains(char::is_control);
    if fits { Ok(text.into()) } else { Err(format!("it has at most {ORGANIZATION_BYTES_MAX} octets")) }
}

fn contact(text: &str) -> Result<Box<str>, String> {
    match Origin::of_url(text) {
        Ok(_) if text.len() <= CONTACT_BYTES_MAX => Ok(text.into()),
        Ok(_) => Err(format!("it has at most {CONTACT_BYTES_MAX} octets")),
        Err(why) => Err(why.to_owned()),
    }
}

/// Whole hours, so many that days end together with a period: reports of a day can be put together (RFC 8460 4.1).
fn period(text: &str) -> Result<Duration, String> {
    let period = scalar::duration(text)?;
    let seconds = period.as_secs();
    let fits = (HOUR..=DAY).contains(&period) && period.subsec_nanos() == 0 && DAY.as_secs().is_multiple_of(seconds);
    if fits { Ok(period) } else { Err("did you mean \"1d\", \"12h\", \"6h\" or \"1h\"?".to_owned()) }
}

pub(in crate::config::parse) fn report(value: &mut Value<'_, '_>) -> Option<Reporting> {
    let mut draft = ReportDraft { address: None, report: Reporting::new(Address::postmaster()) };
    if value.table(&mut draft, REPORT) {
        value.require("address", ADDRESS);
    }
    let ReportDraft { address, report } = draft;
    Some(Reporting { address: address?, ..report })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::Config;
    use crate::config::parse::parse;

    fn read(report: &str) -> Result<Config, String> {
        let text = format!(
            "hostname = \"mx.example\"\ndata_dir = \"d\"\n[[listener]]\nname = \"mx\"\nbind = \"[::]:25\"\n{report}\n"
        );
        parse("f", &text, &[]).map_err(|problems| problems.to_string())
    }

    #[test]
    fn nothing_is_told_unless_somebody_stands_for_it() {
        assert_eq!(read("").expect("it is sound").report, None);
        let config = read("[report]\naddress = \"dmarc@b\u{fc}cher.example\"").expect("it is sound");
        let report = config.report.expect("it is there");
        assert_eq!(report.address.to_string(), "dmarc@xn--bcher-kva.example");
        assert_eq!((report.sender, report.dmarc, report.tls, report.dmarc_every), (None, true, true, DAY));
        let written = "[report]\naddress = \"a@b.example\"\nsender = \"c@b.example\"\ndmarc_every = \"6h\"\ntls = false\n\
                       organization = \"B & Co\"\ncontact = \"https://b.example/\"\nspread = \"0s\"\nmemory_bytes_max = \
                       \"1MiB\"\nhttps_networks = [\"10.0.0.0/8\"]";
        let report = read(written).expect("it is sound").report.expect("it is there");
        assert_eq!((report.dmarc_every, report.tls, report.spread), (6 * HOUR, false, Duration::ZERO));
        assert_eq!((report.organization.as_deref(), report.memory_bytes_max), (Some("B & Co"), 1 << 20));
        assert_eq!(report.sender.map(|sender| sender.to_string()).as_deref(), Some("c@b.example"));
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        for (written, told) in [
            ("[report]\ntls = true", "f:6:1: report.address: missing: expected an address of a domain that signs"),
            ("[report]\naddress = \"postmaster\"", "report.address: expected an address"),
            ("[report]\naddress = \"a@[192.0.2.1]\"", "it needs a domain with a name"),
            ("[report]\naddress = \"\u{e4}@b.example\"", "letters beyond ASCII"),
            ("[report]\naddress = \"a@b.example\"\ndmarc_every = \"7h\"", "did you mean \"1d\", \"12h\""),
            ("[report]\naddress = \"a@b.example\"\ndmarc_every = \"30m\"", "did you mean \"1d\", \"12h\""),
            ("[report]\naddress = \"a@b.example\"\norganization = \"a\\nb\"", "a name in one line"),
            ("[report]\naddress = \"a@b.example\"\ncontact = \"b.example\"", "a URL begins with https://"),
            ("[report]\naddres = \"a@b.example\"", "report.addres: unknown key; did you mean `address`?"),
        ] {
            let words = read(written).expect_err("it makes no sense");
            assert!(words.contains(told), "{words}");
        }
    }

    #[test]
    fn who_reports_without_a_signature_is_warned_rfc9990_3_5_2() {
        let report = "[report]\naddress = \"dmarc@mx.b.example\"\n";
        let key = |domain: &str, more: &str| {
            format!("{report}[[dkim]]\ndomain = \"{domain}\"\nselector = \"s\"\nkey = \"k\"\n{more}")
        };
        let tenant = "[[tenant]]\nname = \"t\"\ndomains = [\"b.example\"]";
        for (text, warned) in [
            (String::new(), false),
            (report.to_owned(), true),
            (key("b.example", ""), false),
            (key("xb.example", ""), true),
            (key("mx.b.example", ""), false),
            // The key is the tenant's, and the address is not in its domains.
            (key("b.example", tenant), true),
        ] {
            assert_eq!(read(&text).expect("it is sound").reports_unsigned().is_some(), warned, "{text}");
        }
    }
}
