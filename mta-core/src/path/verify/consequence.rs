//! What was found about a message, how it is told, and what is to be done (RFC 7372 3, RFC 9989 5).

use super::message::forwarding::Chain;
use super::message::policy::Stand;
use super::message::signatures::{Judged, Signed};
use crate::base::flow::policy::dmarc::Wish;
use crate::base::flow::policy::verify::{AuthResult, Consequence, Method, Outcome};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::verify::{OnTempError, Use, Verification};
use std::net::IpAddr;

/// What came of each method that is used.
#[derive(Debug, Default)]
pub(super) struct Findings {
    /// With the name that agrees.
    pub(super) iprev: Option<(Outcome, Option<Box<str>>)>,
    /// SPF of the client's own name.
    pub(super) helo: Option<(Outcome, String)>,
    /// SPF of the sender's domain, with the whole sender; none for the null sender.
    pub(super) sender: Option<(Outcome, String, String)>,
    pub(super) dkim: Option<Vec<Judged>>,
    pub(super) chain: Option<Chain>,
    pub(super) stand: Option<Stand>,
    /// The body could not be read in time, so no signature could be judged.
    pub(super) unhashed: bool,
}

impl Findings {
    /// The result that speaks for a domain: the sender's, or without one the client's (RFC 9989 4.10.2).
    pub(super) fn spf_for_dmarc(&self) -> (Outcome, &str) {
        match (&self.sender, &self.helo) {
            (Some((outcome, domain, _)), _) | (None, Some((outcome, domain))) => (*outcome, domain),
            (None, None) => (Outcome::None, ""),
        }
    }

    /// As they are told, in the order of the methods.
    pub(super) fn results(&self, rules: &Verification, signed: Option<&Signed<'_>>, peer: IpAddr) -> Vec<AuthResult> {
        let result = |method, outcome, domain: Option<&str>, property: (&'static str, &str)| AuthResult {
            method,
            outcome,
            domain: domain.map(Into::into),
            properties: vec![(property.0, property.1.into())],
            detail: "".into(),
        };
        let mut results = Vec::new();
        if let Some((outcome, name)) = &self.iprev {
            let peer = peer.to_string();
            results.push(result(Method::Iprev, *outcome, name.as_deref(), ("policy.iprev", &peer)));
        }
        match (&self.helo, &self.sender) {
            // A client's name that says nothing is not worth a line beside its sender.
            (Some((Outcome::None, _)), Some(_)) | (None, _) => {}
            (Some((outcome, helo)), _) => {
                results.push(result(Method::Spf, *outcome, Some(helo), ("smtp.helo", helo)));
            }
        }
        if let Some((outcome, domain, sender)) = &self.sender {
            results.push(result(Method::Spf, *outcome, Some(domain), ("smtp.mailfrom", sender)));
        }
        let bare = |method, outcome, why: &str| AuthResult {
            method,
            outcome,
            domain: None,
            properties: Vec::new(),
            detail: why.into(),
        };
        let unread = if self.unhashed { Outcome::TempError } else { Outcome::None };
        let why = if self.unhashed { "the message could not be read in time" } else { "" };
        match (&self.dkim, signed) {
            (Some(judged), Some(signed)) => results.extend(signed.results(judged)),
            _ if rules.dkim != Use::Off => results.push(bare(Method::Dkim, unread, why)),
            _ => {}
        }
        match &self.chain {
            Some(chain) => results.push(chain.result(peer)),
            None if rules.arc != Use::Off => results.push(bare(Method::Arc, unread, why)),
            None => {}
        }
        match &self.stand {
            Some(stand) => results.push(stand.result()),
            None if rules.dmarc != Use::Off => results.push(bare(Method::Dmarc, Outcome::PermError, "no From")),
            None => {}
        }
        results
    }
}

/// What is to be done: only what is enforced has consequences.
pub(super) fn consequence(rules: &Verification, findings: &Findings) -> Consequence {
    let (spf, domain) = findings.spf_for_dmarc();
    if rules.spf == Use::Enforce {
        match spf {
            // RFC 7208 8.4, RFC 7372 3.2.
            Outcome::Fail => return refuse(550, 23, &format!("{domain} does not let this client send for it (SPF)")),
            Outcome::TempError if rules.on_temperror == OnTempError::Tempfail => {
                return refuse(451, 24, &format!("SPF of {domain} can't be looked up now"));
            }
            _ => {}
        }
    }
    let Some(stand) = findings.stand.as_ref().filter(|_| rules.dmarc == Use::Enforce) else { return Consequence::Go };
    if stand.outcome == Outcome::TempError && rules.on_temperror == OnTempError::Tempfail {
        return refuse(451, 26, "whether the author's domain stands behind this message can't be known now (DMARC)");
    }
    if stand.outcome == Outcome::PermError && stand.wish == Wish::Reject {
        return refuse(550, 26, "several From fields of several domains: nobody can stand behind that (RFC 5322 3.6)");
    }
    let vouched = findings.chain.as_ref().is_some_and(|chain| chain.vouches(&rules.trusted_sealers));
    if stand.outcome != Outcome::Fail || vouched {
        return Consequence::Go;
    }
    let author = &stand.domain;
    match stand.wish {
        Wish::None => Consequence::Go,
        Wish::Quarantine => Consequence::Hold(format!("DMARC fails, and {author} wants quarantine").into()),
        // RFC 7372 3.4.
        Wish::Reject => {
            refuse(550, 26, &format!("neither SPF nor DKIM speaks for {author}, which wants such mail refused (DMARC)"))
        }
    }
}

/// With an enhanced status of RFC 7372, 4.7.x or 5.7.x.
fn refuse(code: u16, detail: u16, why: &str) -> Consequence {
    let class = if code < 500 { 4 } else { 5 };
    Consequence::Refuse(Reply::from_text(code, Some(EnhancedStatus::new(class, 7, detail)), why))
}
