//! `[feedback]`: where reports about our own mail come back.

use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;
use crate::base::mail::tie;
use crate::config::model::{DomainPattern, Feedback};
use crate::config::parse::scalar::{self, PATTERN};
use crate::config::parse::section::{Key, Value, put};
use std::time::Duration;

const FEEDBACK_DOMAIN: &str = "a domain whose exchanger is this server, as \"bounces.example.org\"";
const REPORTS: &str = "a list of local parts, as [\"fbl\"]";
const DAY: Duration = Duration::from_secs(86_400);
/// How long feedback is taken where the file is silent: people unsubscribe from what they find in an old folder.
const AGE_MAX: Duration = Duration::from_secs(365 * 86_400);
/// The longest domain in which an address with a mark still is a mailbox (RFC 5321 4.5.3.1), in octets.
const DOMAIN_BYTES_MAX: usize = 190;

/// `[feedback]` before it is known to be whole.
#[derive(Default)]
pub(in crate::config::parse) struct FeedbackDraft {
    domain: Option<Domain>,
    senders: Option<Vec<DomainPattern>>,
    reports: Vec<Box<str>>,
    age_max: Option<Duration>,
}

pub(in crate::config::parse) const FEEDBACK: &[Key<FeedbackDraft>] = &[
    Key { name: "domain", read: |d, v| d.domain = v.text(FEEDBACK_DOMAIN, feedback_domain) },
    Key {
        name: "senders",
        read: |d, v| d.senders = v.list("a list of domains", |item| item.text(PATTERN, scalar::domain_pattern)),
    },
    Key {
        name: "reports",
        read: |d, v| put(&mut d.reports, v.list(REPORTS, |item| item.text("a local part, as \"fbl\"", local_part))),
    },
    Key { name: "age_max", read: |d, v| d.age_max = v.duration(DAY..=Duration::from_secs(3650 * 86_400)) },
];

fn feedback_domain(text: &str) -> Result<Domain, String> {
    match Domain::parse(text) {
        Ok(Domain::Literal(_)) => Err("an address is no domain of its own".to_owned()),
        Ok(domain) if domain.to_ascii().to_string().len() > DOMAIN_BYTES_MAX => {
            Err(format!("it has at most {DOMAIN_BYTES_MAX} octets, or its addresses would be too long"))
        }
        Ok(domain) => Ok(domain.to_ascii()),
        Err(error) => Err(error.to_string()),
    }
}

/// As it stands before the `@`, in lower case.
fn local_part(text: &str) -> Result<Box<str>, String> {
    match Address::parse(&format!("{text}@example.org")) {
        Ok(address) if !tie::has_form(address.local()) => Ok(address.local().to_lowercase().into()),
        Ok(_) => Err("the server makes addresses of that form".to_owned()),
        Err(_) if text.contains('@') => Err(format!("did you mean {:?}?", text.split('@').next().unwrap_or(text))),
        Err(error) => Err(error.to_string()),
    }
}

pub(in crate::config::parse) fn feedback(value: &mut Value<'_, '_>) -> Option<Feedback> {
    let mut draft = FeedbackDraft::default();
    if value.table(&mut draft, FEEDBACK) {
        value.require("domain", FEEDBACK_DOMAIN);
    }
    let domain = draft.domain?;
    let senders = draft.senders.unwrap_or_else(|| vec![DomainPattern::new(&domain.to_string())]);
    Some(Feedback { domain, senders, reports: draft.reports, age_max: draft.age_max.unwrap_or(AGE_MAX) })
}
