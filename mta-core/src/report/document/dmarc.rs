//! A report to an author's domain, as XML (RFC 9990 3.1.1).

use super::super::row::Row;
use super::super::tally::Snapshot;
use super::teller::Teller;
use crate::base::flow::policy::dmarc::{self, Disposition, Override, Published, Wish};
use crate::base::flow::policy::verify::Outcome;
use mail_auth::report::{
    ActionDisposition, Alignment, AuthResult, DKIMAuthResult, DateRange, Discovery, Disposition as Policy, DkimResult,
    DmarcResult, Identifier, PolicyEvaluated, PolicyOverride, PolicyOverrideReason, PolicyPublished, Record, Report,
    ReportMetadata, Row as Counted, SPFAuthResult, SPFDomainScope, SpfResult,
};

/// Who made it: whom to tell of faults in it.
const GENERATOR: &str = concat!("Mailwright ", env!("CARGO_PKG_VERSION"));

/// The whole document.
pub(super) fn xml(teller: &Teller, report: &Snapshot, policy: &Published) -> String {
    let dropped =
        |count: u64| format!("{count} messages more are not in this report: there was no room for their rows");
    let report = Report {
        version: 1.0,
        report_metadata: ReportMetadata {
            org_name: teller.organization().to_owned(),
            email: teller.report.address.to_string(),
            extra_contact_info: teller.report.contact.as_deref().map(ToOwned::to_owned),
            report_id: report.id.to_string(),
            date_range: DateRange { begin: report.begin, end: report.end },
            error: Some(report.dropped).filter(|count| *count > 0).map(dropped).into_iter().collect(),
            generator: Some(GENERATOR.to_owned()),
        },
        policy_published: published(policy),
        record: report.rows.iter().filter_map(|(row, count)| record(row, *count)).collect(),
        extensions: Vec::new(),
    };
    report.to_xml()
}

fn published(policy: &Published) -> PolicyPublished {
    let alignment = |strict| if strict { Alignment::Strict } else { Alignment::Relaxed };
    let wish = |wish| match wish {
        Wish::None => Policy::None,
        Wish::Quarantine => Policy::Quarantine,
        Wish::Reject => Policy::Reject,
    };
    PolicyPublished {
        domain: policy.domain.to_string(),
        version_published: None,
        adkim: alignment(policy.strict_dkim),
        aspf: alignment(policy.strict_spf),
        p: wish(policy.policy),
        sp: wish(policy.subdomains),
        np: wish(policy.absent),
        testing: policy.tests,
        discovery_method: Discovery::Treewalk,
        fo: Some(policy.failure_options.to_string()),
    }
}

fn record(row: &Row, count: u64) -> Option<Record> {
    let Row::Dmarc(row) = row else { return None };
    let pass = |passes| if passes { DmarcResult::Pass } else { DmarcResult::Fail };
    Some(Record {
        row: Counted {
            source_ip: Some(row.source),
            count: u32::try_from(count).unwrap_or(u32::MAX),
            policy_evaluated: PolicyEvaluated {
                disposition: match row.disposition {
                    Disposition::None => ActionDisposition::None,
                    Disposition::Pass => ActionDisposition::Pass,
                    Disposition::Quarantine => ActionDisposition::Quarantine,
                    Disposition::Reject => ActionDisposition::Reject,
                },
                dkim: pass(row.dkim),
                spf: pass(row.spf),
                reason: row.reason.iter().map(reason).collect(),
            },
        },
        identifiers: Identifier {
            envelope_to: row.to.as_deref().map(ToOwned::to_owned),
            envelope_from: row.sender.to_string(),
            header_from: row.author.to_string(),
        },
        auth_results: auth_results(row),
        extensions: Vec::new(),
    })
}

fn reason((kind, words): &(Override, Box<str>)) -> PolicyOverrideReason {
    let kind = match kind {
        Override::LocalPolicy => PolicyOverride::LocalPolicy,
        Override::TestMode => PolicyOverride::PolicyTestMode,
        Override::Other => PolicyOverride::Other,
    };
    PolicyOverrideReason { type_: kind, comment: (!words.is_empty()).then(|| words.to_string()) }
}

fn auth_results(row: &dmarc::Row) -> AuthResult {
    let signature = |signature: &dmarc::Signature| DKIMAuthResult {
        domain: signature.domain.to_string(),
        selector: signature.selector.to_string(),
        result: dkim(signature.outcome),
        human_result: (!signature.why.is_empty()).then(|| signature.why.to_string()),
    };
    let checked = |(name, outcome): &(Box<str>, Outcome)| SPFAuthResult {
        domain: name.to_string(),
        // Without a sender the client's name stands for it (RFC 7208 2.4).
        scope: SPFDomainScope::MailFrom,
        result: spf(*outcome),
        human_result: None,
    };
    // Those that pass first (RFC 9990 3.1.3).
    let mut signatures: Vec<&dmarc::Signature> = row.signatures.iter().collect();
    signatures.sort_by_key(|signature| signature.outcome != Outcome::Pass);
    AuthResult { dkim: signatures.into_iter().map(signature).collect(), spf: row.checked.iter().map(checked).collect() }
}

/// RFC 8601 2.7.1.
fn dkim(outcome: Outcome) -> DkimResult {
    match outcome {
        Outcome::None => DkimResult::None,
        Outcome::Pass => DkimResult::Pass,
        Outcome::Fail | Outcome::SoftFail => DkimResult::Fail,
        Outcome::Neutral => DkimResult::Neutral,
        Outcome::Policy => DkimResult::Policy,
        Outcome::TempError => DkimResult::TempError,
        Outcome::PermError => DkimResult::PermError,
    }
}

/// RFC 8601 2.7.2.
fn spf(outcome: Outcome) -> SpfResult {
    match outcome {
        Outcome::None => SpfResult::None,
        Outcome::Pass => SpfResult::Pass,
        Outcome::Fail => SpfResult::Fail,
        Outcome::SoftFail => SpfResult::SoftFail,
        Outcome::Neutral | Outcome::Policy => SpfResult::Neutral,
        Outcome::TempError => SpfResult::TempError,
        Outcome::PermError => SpfResult::PermError,
    }
}
