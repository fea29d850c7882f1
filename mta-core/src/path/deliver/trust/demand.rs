//! What one host is held to: the strongest of what its zone, the domain and the operator want (RFC 7672 2.2, RFC 8461 5).

use super::dane::Asked;
use super::sts::{Mode, Policy};
use crate::base::flow::tls_result::{PolicyFound, TlsFailure};
use crate::base::mail::domain::Domain;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::world::tls::{Dane, Outgoing, Trust};
use std::sync::Arc;

/// What is known of a next hop before its hosts are. A connection that was made under one promise serves no mail under
/// another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The recipients' domain; none where the operator names the host.
    pub domain: Option<Domain>,
    /// What is configured.
    pub configured: Outgoing,
    /// The domain's MTA-STS policy.
    pub sts: Option<Arc<Policy>>,
    /// Whether its zone is asked.
    pub dane: bool,
}

/// What a host's zone says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zone {
    /// What its TLSA records ask.
    pub asked: Asked,
    /// The name at which they lie, then others that a certificate may be for.
    pub names: Vec<Box<str>>,
    /// The records as zone files write them.
    pub records: Arc<[Box<str>]>,
}

/// Whose word it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The operator's.
    Operator,
    /// The domain's.
    Sts(Mode),
    /// The zone's.
    Dane,
}

impl By {
    /// As logs and replies name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "configured",
            Self::Sts(Mode::Enforce) => "MTA-STS",
            Self::Sts(_) => "MTA-STS (testing)",
            Self::Dane => "DANE",
        }
    }
}

/// What a connection to a host is held to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demand {
    /// What it wants of TLS.
    pub tls: Outgoing,
    /// Whose word it is.
    pub by: By,
    /// What is wanted where `tls` is not to be had: a policy under test stops no mail.
    otherwise: Option<Outgoing>,
    /// What is wrong with the host, though it gets mail.
    pub flaw: Option<(TlsFailure, &'static str)>,
    /// As reports show it.
    pub found: PolicyFound,
}

/// The domain's policy does not name the host.
const UNNAMED: &str = "the domain's policy does not name this host";

/// RFC 7672 3.1.3.
const UNUSABLE: &str = "none of its TLSA records can be used";

/// A host that may not be connected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Whose word it is.
    pub by: By,
    /// What kind of failure it is.
    pub failure: TlsFailure,
    /// As reports show it.
    pub found: PolicyFound,
    /// In words.
    pub why: String,
}

impl Demand {
    /// What is configured, and nothing else.
    #[must_use]
    pub fn configured(tls: Outgoing) -> Self {
        Self { tls, by: By::Operator, otherwise: None, flaw: None, found: PolicyFound::None }
    }

    /// What to try after this was tried in vain; none: the host gets no mail.
    #[must_use]
    pub fn after(&self, tried: &Outgoing) -> Option<&Outgoing> {
        match tried {
            tried if *tried == self.tls && self.otherwise.is_some() => self.otherwise.as_ref(),
            // Mail in clear is better than none, as long as nobody said else.
            Outgoing::Opportunistic => Some(&Outgoing::Off),
            Outgoing::Off | Outgoing::Required | Outgoing::Verify(_) => None,
        }
    }

    /// Names in a reply the policy that it is about.
    #[must_use]
    pub fn explained(&self, reply: Reply, host: &str) -> Reply {
        explained(self.by, reply, host)
    }
}

impl Refused {
    /// What is said of recipients for whom this was the last host. It may pass: records and policies are mended.
    #[must_use]
    pub fn reply(&self, host: &str) -> Reply {
        // RFC 3463 3.8 (X.7.5).
        explained(self.by, Reply::from_text(451, Some(EnhancedStatus::new(4, 7, 5)), &self.why), host)
    }
}

fn explained(by: By, reply: Reply, host: &str) -> Reply {
    match by {
        By::Operator => reply,
        by => Reply::from_text(reply.code, reply.status, &format!("{} of {host}: {}", by.name(), reply.text)),
    }
}

impl Promise {
    /// Of a host that the operator named.
    #[must_use]
    pub fn configured(tls: Outgoing) -> Self {
        Self { domain: None, configured: tls, sts: None, dane: false }
    }

    /// What this host is held to; `zone` is what its signed zone says, where it is signed.
    ///
    /// # Errors
    /// It gets no mail: the domain does not name it.
    pub fn of(&self, host: &str, zone: Option<Zone>) -> Result<Demand, Refused> {
        let mut demand = self.without_dane(host);
        // RFC 8461 2: what the zone says goes before what the domain publishes, whatever comes of it.
        if let Some(zone) = zone {
            let found = PolicyFound::Tlsa { records: zone.records };
            match zone.asked {
                Asked::Authentication(records) => {
                    let trust = Trust::Dane(Arc::new(Dane { records, names: zone.names }));
                    return Ok(Demand {
                        tls: Outgoing::Verify(trust),
                        by: By::Dane,
                        otherwise: None,
                        flaw: None,
                        found,
                    });
                }
                // RFC 7672 2.2: never in clear. What else verifies the host may still do so.
                Asked::Encryption if !matches!(demand, Ok(Demand { by: By::Sts(Mode::Enforce), .. }) | Err(_)) => {
                    let flaw = Some((TlsFailure::TlsaInvalid, UNUSABLE));
                    demand = Ok(Demand { tls: Outgoing::Required, by: By::Dane, otherwise: None, flaw, found });
                }
                Asked::Encryption | Asked::Nothing => {}
            }
        }
        demand
    }

    fn without_dane(&self, host: &str) -> Result<Demand, Refused> {
        let Some(policy) = &self.sts else { return Ok(Demand::configured(self.configured.clone())) };
        let (by, found) = (By::Sts(policy.mode), policy.found());
        let verified = Outgoing::Verify(Trust::System);
        match (policy.mode, policy.names(host)) {
            (Mode::Enforce, true) => Ok(Demand { tls: verified, by, otherwise: None, flaw: None, found }),
            (Mode::Enforce, false) => {
                Err(Refused { by, failure: TlsFailure::ValidationFailure, found, why: UNNAMED.to_owned() })
            }
            (Mode::Testing, true) => {
                Ok(Demand { tls: verified, by, otherwise: Some(self.configured.clone()), flaw: None, found })
            }
            (Mode::Testing, false) => {
                let flaw = Some((TlsFailure::ValidationFailure, UNNAMED));
                Ok(Demand { tls: self.configured.clone(), by, otherwise: None, flaw, found })
            }
            (Mode::None, _) => Ok(Demand::configured(self.configured.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::world::dns::Tlsa;
    use crate::path::deliver::trust::sts;

    fn promise(mode: &str, configured: Outgoing) -> Promise {
        let text = format!("version: STSv1\nmode: {mode}\nmx: mx.example\nmax_age: 60");
        let sts = Some(Arc::new(sts::policy(text.as_bytes()).expect("a policy")));
        Promise { domain: None, configured, sts, dane: true }
    }

    fn zone(asked: Asked) -> Option<Zone> {
        Some(Zone { asked, names: vec!["mx.example".into()], records: Arc::new([]) })
    }

    fn authentication() -> Asked {
        Asked::Authentication(vec![Tlsa { usage: 3, selector: 1, matching: 1, data: [7; 32].into() }])
    }

    fn shown(demand: Result<Demand, Refused>) -> String {
        match demand {
            Ok(demand) => {
                let tls = match &demand.tls {
                    Outgoing::Verify(Trust::Dane(_)) => "dane".to_owned(),
                    other => format!("{other:?}").to_lowercase(),
                };
                let next = demand.after(&demand.tls).map(|next| format!("{next:?}").to_lowercase());
                format!("{} by {}, then {}", tls, demand.by.name(), next.as_deref().unwrap_or("nothing"))
            }
            Err(refused) => format!("refused by {}", refused.by.name()),
        }
    }

    #[test]
    fn the_zone_goes_before_the_domain_and_both_before_the_operator_rfc8461_2() {
        let none = Promise::configured(Outgoing::Opportunistic);
        let (enforce, testing) =
            (promise("enforce", Outgoing::Opportunistic), promise("testing", Outgoing::Opportunistic));
        let strict = promise("testing", Outgoing::Required);
        let off = promise("enforce", Outgoing::Off);
        for (promise, asked, expected) in [
            (&none, None, "opportunistic by configured, then off"),
            (&none, Some(Asked::Nothing), "opportunistic by configured, then off"),
            (&none, Some(Asked::Encryption), "required by DANE, then nothing"),
            (&none, Some(authentication()), "dane by DANE, then nothing"),
            (&enforce, None, "verify(system) by MTA-STS, then nothing"),
            (&enforce, Some(Asked::Nothing), "verify(system) by MTA-STS, then nothing"),
            (&enforce, Some(Asked::Encryption), "verify(system) by MTA-STS, then nothing"),
            (&enforce, Some(authentication()), "dane by DANE, then nothing"),
            (&testing, None, "verify(system) by MTA-STS (testing), then opportunistic"),
            (&testing, Some(Asked::Encryption), "required by DANE, then nothing"),
            (&strict, None, "verify(system) by MTA-STS (testing), then required"),
            (&off, None, "verify(system) by MTA-STS, then nothing"),
        ] {
            assert_eq!(
                shown(promise.of("mx.example", asked.clone().and_then(zone))),
                expected,
                "{promise:?} {asked:?}"
            );
        }
    }

    #[test]
    fn a_host_that_the_policy_does_not_name_gets_no_mail_rfc8461_5() {
        let (enforce, testing) =
            (promise("enforce", Outgoing::Opportunistic), promise("testing", Outgoing::Opportunistic));
        assert_eq!(shown(enforce.of("other.example", None)), "refused by MTA-STS");
        assert_eq!(shown(enforce.of("other.example", zone(Asked::Encryption))), "refused by MTA-STS");
        // RFC 8461 2: a host that its zone vouches for needs nobody else's word.
        assert_eq!(shown(enforce.of("other.example", zone(authentication()))), "dane by DANE, then nothing");
        let told = testing.of("other.example", None).expect("a policy under test stops no mail");
        assert_eq!(told.flaw, Some((TlsFailure::ValidationFailure, UNNAMED)));
        assert_eq!(shown(Ok(told)), "opportunistic by MTA-STS (testing), then off");
        let refused = enforce.of("other.example", None).expect_err("not named");
        let said = refused.reply("other.example").to_string();
        assert_eq!(said, "451 4.7.5 MTA-STS of other.example: the domain's policy does not name this host");
    }

    #[test]
    fn mail_goes_in_clear_only_where_nobody_said_else() {
        let demand = Demand::configured(Outgoing::Opportunistic);
        assert_eq!(demand.after(&Outgoing::Off), None);
        let testing = promise("testing", Outgoing::Opportunistic).of("mx.example", None).expect("a demand");
        assert_eq!(testing.after(&Outgoing::Opportunistic), Some(&Outgoing::Off));
        assert_eq!(Demand::configured(Outgoing::Required).after(&Outgoing::Required), None);
    }
}
