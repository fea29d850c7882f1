//! Destinations in domains of others: those must say that they take such reports (RFC 9990 4), or anybody could have
//! anybody flooded.

use super::{Destination, mailboxes};
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::dmarc::{Dmarc, Psd};

/// Longest domain name in octets (RFC 1035 2.3.4).
const NAME_BYTES_MAX: usize = 253;

/// What the destination's domain says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::report) enum Permission {
    /// Nothing: nothing is sent there.
    Refused,
    /// It takes them.
    Granted,
    /// It takes them there.
    Instead(Vec<Destination>),
}

/// The organization that a domain belongs to, by the policies on its walk (RFC 9989 4.10.2); `walked` begins with the
/// domain itself.
pub(in crate::report) fn organization<'w>(walked: &'w [(String, Option<Dmarc>)]) -> &'w str {
    let mut found: &'w str = walked.first().map_or("", |(name, _)| name);
    let mut below: Option<&'w str> = None;
    for (name, policy) in walked {
        match policy.as_ref().map(|policy| &policy.psd) {
            Some(Psd::No) => return name,
            // Its own, where the walk begins there.
            Some(Psd::Yes) => return below.unwrap_or(name),
            Some(Psd::Default) => found = name,
            None => {}
        }
        below = Some(name);
    }
    found
}

/// Where a destination's host says whether it takes reports about mail of that policy's domain; none: no such name can be,
/// so it does not.
pub(in crate::report) fn place(policy: &str, host: &str) -> Option<String> {
    let name = format!("{policy}._report._dmarc.{host}");
    (name.len() <= NAME_BYTES_MAX).then_some(name)
}

/// What these texts say for the host.
pub(in crate::report) fn permission(texts: &[Vec<u8>], host: &str) -> Permission {
    let records: Vec<Dmarc> = texts.iter().filter_map(|text| Dmarc::parse(text).ok()).collect();
    if records.is_empty() {
        return Permission::Refused;
    }
    let instead: Vec<Destination> = records.iter().flat_map(mailboxes).collect();
    let is_there = |destination: &Destination| match destination {
        Destination::Mail { to, .. } => to.domain().is_some_and(|domain| domain.to_ascii().to_string() == host),
        Destination::Https(_) => false,
    };
    match (instead.is_empty(), instead.iter().all(is_there)) {
        (true, _) => Permission::Granted,
        (false, true) => Permission::Instead(instead),
        // It would be sent on and on.
        (false, false) => Permission::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walked(steps: &[(&str, &str)]) -> Vec<(String, Option<Dmarc>)> {
        steps.iter().map(|(name, text)| ((*name).to_owned(), Dmarc::parse(text.as_bytes()).ok())).collect()
    }

    #[test]
    fn an_organization_is_found_by_its_policies_rfc9989_4_10_2() {
        let plain = "v=DMARC1; p=none";
        for (steps, expected) in [
            (vec![("a.b.test", plain), ("b.test", ""), ("test", "")], "a.b.test"),
            (vec![("a.b.test", plain), ("b.test", plain), ("test", "")], "b.test"),
            (vec![("a.b.test", ""), ("b.test", ""), ("test", "")], "a.b.test"),
            (vec![("a.b.test", plain), ("b.test", "v=DMARC1; p=none; psd=y"), ("test", plain)], "a.b.test"),
            (vec![("a.b.test", ""), ("b.test", "v=DMARC1; p=none; psd=y"), ("test", "")], "a.b.test"),
            (vec![("a.b.test", ""), ("b.test", "v=DMARC1; p=none; psd=n"), ("test", plain)], "b.test"),
            (vec![("test", "v=DMARC1; p=none; psd=y")], "test"),
        ] {
            assert_eq!(organization(&walked(&steps)), expected, "{steps:?}");
        }
    }

    #[test]
    fn a_host_says_whether_it_takes_reports_rfc9990_4() {
        let said = |texts: &[&str]| {
            permission(&texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>(), "red.test")
        };
        let there = |to: &str| Permission::Instead(mailboxes(&Dmarc::parse(to.as_bytes()).expect("a record")));
        assert_eq!(said(&[]), Permission::Refused);
        assert_eq!(said(&["v=spf1 -all"]), Permission::Refused);
        assert_eq!(said(&["v=DMARC1"]), Permission::Granted);
        assert_eq!(said(&["v=spf1", "v=DMARC1;"]), Permission::Granted);
        let other = "v=DMARC1; rua=mailto:x@red.test";
        assert_eq!(said(&[other]), there(other));
        assert_eq!(said(&["v=DMARC1; rua=mailto:x@victim.test"]), Permission::Refused);
        assert_eq!(place("blue.test", "red.test").as_deref(), Some("blue.test._report._dmarc.red.test"));
        assert_eq!(place(&"x.".repeat(120), "red.test"), None);
    }
}
