//! Whether the author's domain stands behind a message (RFC 9989), and what it wants of one behind which it does not.

use super::super::answers::{Answers, Unknown};
use super::super::results::words;
use super::signatures::{Judged, Signed};
use crate::base::flow::policy::dmarc::{DMARC, Published, Wish, walk};
use crate::base::flow::policy::verify::{AuthResult, Method, Outcome};
use crate::base::world::dns::DnsFault;
use futures_util::FutureExt as _;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::dmarc::{Alignment, Dmarc, Policy, Report};
use mail_auth::{DkimOutput, DkimResult, DmarcResult, MessageAuthenticator, Parameters, SpfOutput, SpfResult};

/// What the author's domain publishes, and whether it applies.
#[derive(Debug)]
pub(in crate::path::verify) struct Stand {
    pub(in crate::path::verify) outcome: Outcome,
    /// Where the outcome is fail: what is to become of the message. It is to be refused, too, where it has several From
    /// fields of several domains: that is a permanent error.
    pub(in crate::path::verify) wish: Wish,
    /// The author's domain; empty where it is not known.
    pub(in crate::path::verify) domain: String,
    /// Where its domain wants reports: what they say of the policy.
    pub(in crate::path::verify) standing: Option<Standing>,
    why: String,
}

/// The policy that is published, and whether SPF and signatures speak for the author's domain.
#[derive(Debug)]
pub(in crate::path::verify) struct Standing {
    pub(in crate::path::verify) policy: Published,
    pub(in crate::path::verify) spf: bool,
    pub(in crate::path::verify) dkim: bool,
}

/// As the library reads it.
fn wish(policy: Policy) -> Wish {
    match policy {
        Policy::Reject => Wish::Reject,
        Policy::Quarantine => Wish::Quarantine,
        Policy::None | Policy::Unspecified => Wish::None,
    }
}

/// The domains of From.
pub(in crate::path::verify) fn authors(signed: &Signed<'_>) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    for address in signed.message.froms() {
        if let Some((_, domain)) = address.rsplit_once('@')
            && !domains.iter().any(|known| known == domain)
        {
            domains.push(domain.to_owned());
        }
    }
    domains
}

/// Judges by SPF's result for `spf_domain` and the signatures'.
pub(in crate::path::verify) fn judge(
    signed: &Signed<'_>,
    library: &MessageAuthenticator,
    answers: &Answers,
    spf: (Outcome, &str),
    dkim: &[Judged],
) -> Result<Stand, Unknown> {
    let authors = authors(signed);
    if authors.len() != 1 {
        // RFC 9989 leaves them out; that many or no authors can't be stood behind is worth knowing all the same.
        // RFC 5322 3.6 allows one field: which of several a reader is shown nobody knows.
        let is_from = |name: &[u8]| name.trim_ascii().eq_ignore_ascii_case(b"from");
        let fields = signed.message.raw_parsed_headers().iter().filter(|(name, _)| is_from(name)).count();
        let wish = if fields > 1 { Wish::Reject } else { Wish::None };
        let how_many = if authors.is_empty() { "no author's domain" } else { "several authors' domains" };
        let why = format!("{how_many} in From");
        return Ok(Stand { outcome: Outcome::PermError, wish, domain: String::new(), standing: None, why });
    }
    let spf_output = SpfOutput::new(spf.1.to_owned()).with_result(spf_result(spf.0));
    let dkim: Vec<DkimOutput<'_>> = dkim.iter().map(output).collect();
    let parameters = DmarcParameters {
        message: &signed.message,
        dkim_output: &dkim,
        dkim2_output: None,
        rfc5321_mail_from_domain: spf.1,
        spf_output: &spf_output,
    };
    let parameters = Parameters::new(parameters).with_txt_cache(answers).with_ipv4_cache(answers);
    let judged = library.verify_dmarc(parameters).now_or_never().unwrap_or_default();
    answers.complete()?;
    let mut policy = judged.policy();
    // For a domain that does not exist its organization may want something else (RFC 9989 4.7, `np`).
    if let (Some(name), Some(record)) = (answers.take_doubted(), judged.dmarc_record())
        && answers.addresses(&name, true)? == Err(DnsFault::NoSuchDomain)
    {
        policy = tested(record.np, record.t);
    }
    let (outcome, why) = match judged.result() {
        DmarcResult::Pass => (Outcome::Pass, String::new()),
        DmarcResult::None => (Outcome::None, String::new()),
        DmarcResult::Fail(_) => (Outcome::Fail, format!("p={policy}")),
        DmarcResult::TempError(error) => (Outcome::TempError, words(&error)),
        DmarcResult::PermError(error) => (Outcome::PermError, words(&error)),
    };
    let standing = judged.dmarc_record().filter(|record| !record.rua.is_empty()).and_then(|record| {
        let names = walk(judged.domain());
        let domain = answers.place_of(&names, record)?.strip_prefix(DMARC)?;
        let (spf, dkim) = (judged.spf_result() == &DmarcResult::Pass, judged.dkim_result() == &DmarcResult::Pass);
        Some(Standing { policy: published(domain, record), spf, dkim })
    });
    Ok(Stand { outcome, wish: wish(policy), domain: judged.domain().to_owned(), standing, why })
}

fn published(domain: &str, record: &Dmarc) -> Published {
    Published {
        domain: domain.into(),
        policy: wish(record.p),
        subdomains: wish(record.sp),
        absent: wish(record.np),
        tests: record.t,
        strict_dkim: record.adkim == Alignment::Strict,
        strict_spf: record.aspf == Alignment::Strict,
        failure_options: match record.fo {
            Report::All => "0",
            Report::Any => "1",
            Report::Dkim => "d",
            Report::Spf => "s",
            Report::DkimSpf => "d:s",
        }
        .into(),
    }
}

/// Who only tests (RFC 9989 4.7, `t`) wants one step less.
fn tested(policy: Policy, tests: bool) -> Policy {
    match policy {
        Policy::Reject if tests => Policy::Quarantine,
        Policy::Quarantine if tests => Policy::None,
        policy => policy,
    }
}

fn output(judged: &Judged) -> DkimOutput<'_> {
    let output = match &judged.result {
        DkimResult::Pass => DkimOutput::pass(),
        DkimResult::TempError(error) => DkimOutput::temp_err(error.clone()),
        DkimResult::PermError(error) => DkimOutput::perm_err(error.clone()),
        DkimResult::Fail(error) | DkimResult::Neutral(error) => DkimOutput::fail(error.clone()),
        DkimResult::None => return DkimOutput::neutral(mail_auth::Error::ParseError),
    };
    match &judged.signature {
        Some(signature) => output.with_signature(signature),
        None => output,
    }
}

fn spf_result(outcome: Outcome) -> SpfResult {
    match outcome {
        Outcome::Pass => SpfResult::Pass,
        Outcome::Fail => SpfResult::Fail,
        Outcome::SoftFail => SpfResult::SoftFail,
        Outcome::Neutral | Outcome::Policy => SpfResult::Neutral,
        Outcome::TempError => SpfResult::TempError,
        Outcome::PermError => SpfResult::PermError,
        Outcome::None => SpfResult::None,
    }
}

impl Stand {
    /// It can't be known, because what DMARC is built on is not known.
    pub(in crate::path::verify) fn unknown(why: &str) -> Self {
        Self {
            outcome: Outcome::TempError,
            wish: Wish::None,
            domain: String::new(),
            standing: None,
            why: why.to_owned(),
        }
    }

    /// As it is told (RFC 9989 10).
    pub(in crate::path::verify) fn result(&self) -> AuthResult {
        let mut properties: Vec<(&'static str, Box<str>)> = Vec::new();
        if !self.domain.is_empty() {
            properties.push(("header.from", self.domain.as_str().into()));
            if self.outcome == Outcome::Fail {
                properties.push(("policy.dmarc", self.wish.name().into()));
            }
        }
        let domain = (!self.domain.is_empty()).then(|| self.domain.as_str().into());
        let detail = self.why.as_str().into();
        AuthResult { method: Method::Dmarc, outcome: self.outcome, domain, properties, detail }
    }
}
