//! `[feedback]`: the domain at which reports about our own mail come back.

use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;
use crate::base::mail::tie;
use crate::config::matching::DomainPattern;
use std::time::Duration;

/// `[feedback]`: where reports about our own mail come back, and whose mail that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// The domain, in A-labels; its exchanger is this server.
    pub domain: Domain,
    /// Senders' domains whose mail goes out with a reverse path in `domain`.
    pub senders: Vec<DomainPattern>,
    /// Local parts in `domain` for reports whose address says nothing, as from a feedback loop; in lower case.
    pub reports: Vec<Box<str>>,
    /// Feedback about mail that is older counts for nothing.
    pub age_max: Duration,
}

/// What an address is to the feedback domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In another domain.
    Elsewhere,
    /// It looks like one that leads back to a message.
    Marked,
    /// Reports come there.
    Reports,
    /// Any other in the domain.
    Other,
}

impl Feedback {
    /// What the address is.
    #[must_use]
    pub fn place(&self, address: &Address) -> Place {
        // Asked of every recipient: names in ASCII, nearly all there are, are compared as they stand.
        let is_here = |domain: &Domain| match domain.is_ascii() {
            true => *domain == self.domain,
            false => domain.to_ascii() == self.domain,
        };
        if !address.domain().is_some_and(is_here) {
            return Place::Elsewhere;
        }
        match address.local() {
            local if tie::has_form(local) => Place::Marked,
            local if self.reports.iter().any(|known| known.eq_ignore_ascii_case(local)) => Place::Reports,
            _ => Place::Other,
        }
    }

    /// Whether mail for the address ends here, as feedback.
    #[must_use]
    pub fn takes(&self, address: &Address) -> bool {
        matches!(self.place(address), Place::Marked | Place::Reports)
    }

    /// Whether mail from the sender goes out with an address that leads back to it. What comes from nobody does not:
    /// nobody is told of it (RFC 5321 4.5.5).
    #[must_use]
    pub fn follows(&self, sender: Option<&Address>) -> bool {
        let domain = sender.and_then(Address::domain);
        domain.is_some_and(|domain| self.senders.iter().any(|pattern| pattern.matches(domain)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::model::DomainPattern;
    use std::time::Duration;

    #[test]
    fn places_are_told_apart_whatever_the_case() {
        let feedback = Feedback {
            domain: Domain::parse("bounces.example.org").expect("a domain"),
            senders: vec![DomainPattern::new("*.example.org")],
            reports: vec!["fbl".into()],
            age_max: Duration::from_secs(1),
        };
        let read = |text: &str| Address::parse(text).expect("a mailbox");
        let mark = format!("B-{}", "aB7".repeat(19).split_at(56).0);
        for (address, place) in [
            (format!("{mark}@Bounces.example.org"), Place::Marked),
            (format!("{mark}@example.org"), Place::Elsewhere),
            ("FBL@bounces.example.org".to_owned(), Place::Reports),
            ("fbl2@bounces.example.org".to_owned(), Place::Other),
        ] {
            assert_eq!(feedback.place(&read(&address)), place, "{address}");
        }
        assert!(feedback.follows(Some(&read("news@bounces.example.org"))));
        assert!(!feedback.follows(Some(&read("ann@example.org"))) && !feedback.follows(None));
    }
}
