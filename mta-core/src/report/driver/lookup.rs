//! Looks up whom a domain wants told, when its report goes: what it wants now counts, not what it wanted then.

use super::super::destination::external::{Permission, organization, permission, place};
use super::super::destination::{Destination, mailboxes, of_tls, policy};
use super::super::row::Subject;
use super::Reporter;
use crate::base::flow::operator::reports::ReportKind;
use crate::base::flow::policy::dmarc::{DMARC, walk};
use crate::base::world::dns::{DnsFault, RecordData, RecordKind};
use mail_auth::dmarc::{Dmarc, Psd};

/// Where a recipients' domain says whom to tell (RFC 8460 3).
const TLS: &str = "_smtp._tls.";

/// Whom a domain wants told.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) these: Vec<Destination>,
    /// Those that it wants and that do not take it.
    pub(super) refused: Vec<String>,
    /// Those about which that could not be found out.
    pub(super) unknown: Vec<String>,
}

impl Reporter {
    /// Whom this domain wants told.
    ///
    /// # Errors
    /// The name servers do not answer.
    pub(super) async fn wanted(&self, subject: &Subject, most: usize) -> Result<Wanted, DnsFault> {
        let domain = &*subject.domain;
        match subject.kind {
            ReportKind::Tls => {
                let these = of_tls(&self.texts(&format!("{TLS}{domain}")).await?);
                Ok(Wanted { these: these.into_iter().take(most).collect(), ..Wanted::default() })
            }
            ReportKind::Dmarc => {
                let texts = self.texts(&format!("{DMARC}{domain}")).await?;
                let all = policy(&texts).map(|policy| mailboxes(&policy)).unwrap_or_default();
                let mut wanted = Wanted::default();
                for destination in all.into_iter().take(most) {
                    self.judge(domain, destination, &mut wanted).await;
                }
                Ok(wanted)
            }
        }
    }

    /// Whether a destination takes reports about this domain (RFC 9990 4).
    async fn judge(&self, domain: &str, destination: Destination, wanted: &mut Wanted) {
        let name = destination.name();
        let host = match &destination {
            Destination::Mail { to, .. } => to.domain().map(ToString::to_string).unwrap_or_default(),
            Destination::Https(_) => return,
        };
        match self.permission(domain, &host).await {
            Ok(Permission::Granted) => wanted.these.push(destination),
            // Its own limit counts where it says one.
            Ok(Permission::Instead(others)) => wanted.these.extend(others),
            Ok(Permission::Refused) => wanted.refused.push(name),
            Err(_) => wanted.unknown.push(name),
        }
    }

    async fn permission(&self, domain: &str, host: &str) -> Result<Permission, DnsFault> {
        if host == domain {
            return Ok(Permission::Granted);
        }
        let (ours, theirs) = (self.walked(domain).await?, self.walked(host).await?);
        if organization(&ours) == organization(&theirs) {
            return Ok(Permission::Granted);
        }
        match place(domain, host) {
            Some(place) => Ok(permission(&self.texts(&place).await?, host)),
            None => Ok(Permission::Refused),
        }
    }

    /// The policies of a domain and of those above it, up to one that ends the walk (RFC 9989 4.10).
    async fn walked(&self, domain: &str) -> Result<Vec<(String, Option<Dmarc>)>, DnsFault> {
        let mut walked = Vec::new();
        for name in walk(domain) {
            let found = policy(&self.texts(&name).await?);
            let ends = found.as_ref().is_some_and(|policy| policy.psd != Psd::Default);
            walked.push((name.trim_start_matches(DMARC).to_owned(), found));
            if ends {
                break;
            }
        }
        Ok(walked)
    }

    /// The texts of a name; none where there are none.
    async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, DnsFault> {
        match self.parts.dns.records(name, RecordKind::Txt).await {
            Ok(records) => Ok(records.into_iter().filter_map(text).collect()),
            Err(DnsFault::NoSuchDomain | DnsFault::NoRecord) => Ok(Vec::new()),
            Err(fault) => Err(fault),
        }
    }
}

fn text(record: RecordData) -> Option<Vec<u8>> {
    match record {
        RecordData::Txt(text) => Some(text),
        _ => None,
    }
}
