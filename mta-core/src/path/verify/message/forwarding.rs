//! Through whose hands a message went, by their word (RFC 8617 5.2), and whether that word counts here (RFC 8617 7.2).

use super::super::answers::{Answers, Unknown};
use super::signatures::{Signed, outcome};
use super::tags::Tags;
use crate::base::flow::policy::verify::{AuthResult, Method, Outcome};
use crate::base::mail::domain::Domain;
use crate::config::model::DomainPattern;
use futures_util::FutureExt as _;
use mail_auth::{ArcOutput, MessageAuthenticator, Parameters};
use std::net::IpAddr;

/// What came of a chain.
#[derive(Debug)]
pub(in crate::path::verify) struct Chain {
    pub(in crate::path::verify) outcome: Outcome,
    why: String,
    /// The domains that sealed, the first that did first.
    pub(in crate::path::verify) sealers: Vec<String>,
    /// The first sealer says that DMARC passed when the message came to it.
    pub(in crate::path::verify) passed_dmarc: bool,
}

impl Signed<'_> {
    /// Follows the chain.
    pub(in crate::path::verify) fn chain(
        &self,
        library: &MessageAuthenticator,
        answers: &Answers,
    ) -> Result<Chain, Unknown> {
        if let Some(why) = self.slip() {
            let (why, sealers) = (why.to_owned(), Vec::new());
            return Ok(Chain { outcome: Outcome::Fail, why, sealers, passed_dmarc: false });
        }
        let parameters = Parameters::new(&self.message).with_txt_cache(answers);
        // It has nothing to wait for: every name is answered from what is known.
        let output = library.verify_arc(parameters).now_or_never().unwrap_or_default();
        let (outcome, why) = outcome(output.result());
        // RFC 8617 4.4 knows a chain that is there and right, one that is not right, and none.
        let outcome = match outcome {
            Outcome::Pass | Outcome::None | Outcome::TempError => outcome,
            _ => Outcome::Fail,
        };
        let chain = Chain {
            outcome,
            why,
            sealers: output.sets().iter().map(|set| set.seal.header.d.clone()).collect(),
            passed_dmarc: first_results(&output).is_some_and(says_pass),
        };
        answers.complete()?;
        Ok(chain)
    }
}

impl Signed<'_> {
    /// What is wrong with a chain that the library would pass over (RFC 8617 4.1, RFC 8301 3.1).
    fn slip(&self) -> Option<&'static str> {
        let (signatures, seals) = (&self.message.ams_headers, &self.message.as_headers);
        if signatures.is_empty() && !(seals.is_empty() && self.message.aar_headers.is_empty()) {
            return Some("a set without its signature");
        }
        let strange = |value: &[u8], needed: &[&str]| match Tags::read(value) {
            None => Some("no list of tags"),
            Some(tags) if needed.iter().any(|name| tags.get(name).is_none()) => Some("a tag is missing"),
            Some(tags) if tags.get("a") == Some("rsa-sha1") => Some("rsa-sha1 is no longer taken"),
            Some(_) => None,
        };
        let seals_itself = |names: &[String]| names.iter().any(|name| name.eq_ignore_ascii_case("arc-seal"));
        let signed = signatures.iter().find_map(|signature| match seals_itself(&signature.header.h) {
            true => Some("a signature over a seal"),
            false => strange(signature.value, &["i", "a", "b", "bh", "d", "h", "s"]),
        });
        signed.or_else(|| seals.iter().find_map(|seal| strange(seal.value, &["i", "a", "b", "cv", "d", "s"])))
    }
}

impl Chain {
    /// Whether the word of everybody in the chain is taken, and the first of them saw DMARC pass.
    pub(in crate::path::verify) fn vouches(&self, trusted: &[DomainPattern]) -> bool {
        let is_trusted = |sealer: &String| {
            let domain = Domain::parse(sealer);
            domain.is_ok_and(|domain| trusted.iter().any(|pattern| pattern.matches(&domain)))
        };
        self.outcome == Outcome::Pass
            && self.passed_dmarc
            && !self.sealers.is_empty()
            && self.sealers.iter().all(is_trusted)
    }

    /// As it is told (RFC 8617 10.1).
    pub(in crate::path::verify) fn result(&self, peer: IpAddr) -> AuthResult {
        let domain = self.sealers.last().map(|sealer| sealer.as_str().into());
        let detail = match (&domain, self.outcome) {
            (Some(sealer), Outcome::Pass) => format!("sealed by {sealer}"),
            _ => self.why.clone(),
        };
        let properties = match self.outcome {
            Outcome::None => Vec::new(),
            _ => vec![("smtp.remote-ip", peer.to_string().into())],
        };
        AuthResult { method: Method::Arc, outcome: self.outcome, domain, properties, detail: detail.into() }
    }
}

fn first_results<'o>(output: &'o ArcOutput<'_>) -> Option<&'o [u8]> {
    output.sets().first().map(|set| set.results.value)
}

/// Whether an ARC-Authentication-Results field (RFC 8617 4.1.1) has DMARC's pass.
fn says_pass(field: &[u8]) -> bool {
    let field = String::from_utf8_lossy(field).to_ascii_lowercase();
    field.split(';').any(|result| {
        let result = result.trim_start().strip_prefix("dmarc").map(str::trim_start);
        let outcome = result.and_then(|rest| rest.strip_prefix('=')).map(str::trim_start);
        outcome.and_then(|rest| rest.strip_prefix("pass")).is_some_and(|rest| {
            !rest.starts_with(|letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_a_first_sealer_are_read_rfc8617_4_1_1() {
        assert!(says_pass(b" i=1; lists.example;\r\n\tspf=pass smtp.mfrom=a@b;\r\n\tDMARC = pass (p=none)"));
        for field in [&b"i=1; x.example; dmarc=passed"[..], b"i=1; x.example; dmarc=fail; spf=pass", b"i=1; none"] {
            assert!(!says_pass(field));
        }
    }

    #[test]
    fn everybody_in_a_chain_must_be_trusted_rfc8617_7_2() {
        let chain = |sealers: &[&str], passed_dmarc| Chain {
            outcome: Outcome::Pass,
            why: String::new(),
            sealers: sealers.iter().map(ToString::to_string).collect(),
            passed_dmarc,
        };
        let trusted = [DomainPattern::new("lists.example"), DomainPattern::new("*.example.org")];
        assert!(chain(&["lists.example", "mx.example.org"], true).vouches(&trusted));
        assert!(!chain(&["lists.example"], false).vouches(&trusted));
        assert!(!chain(&["lists.example", "evil.example"], true).vouches(&trusted));
        assert!(!chain(&[], true).vouches(&trusted));
        assert!(!Chain { outcome: Outcome::Fail, ..chain(&["lists.example"], true) }.vouches(&trusted));
    }
}
