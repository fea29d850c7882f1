//! A report to a recipients' domain, as JSON (RFC 8460 4.4).

use super::super::row::{Row, TlsPolicy, TlsRow};
use super::super::tally::Snapshot;
use super::teller::Teller;
use serde::Serialize;
use std::net::IpAddr;

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'r> {
    organization_name: &'r str,
    date_range: DateRange,
    contact_info: String,
    report_id: String,
    policies: Vec<Policy<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct DateRange {
    start_datetime: String,
    end_datetime: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Policy<'r> {
    policy: Details<'r>,
    summary: Summary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failure_details: Vec<Failure<'r>>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Details<'r> {
    policy_type: &'static str,
    #[serde(skip_serializing_if = "<[Box<str>]>::is_empty")]
    policy_string: &'r [Box<str>],
    policy_domain: &'r str,
    #[serde(skip_serializing_if = "<[Box<str>]>::is_empty")]
    mx_host: &'r [Box<str>],
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    total_successful_session_count: u64,
    total_failure_session_count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Failure<'r> {
    result_type: &'r str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sending_mta_ip: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_mx_hostname: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    receiving_ip: Option<IpAddr>,
    failed_session_count: u64,
    #[serde(skip_serializing_if = "str::is_empty")]
    failure_reason_code: &'r str,
}

/// The whole document.
pub(super) fn json(teller: &Teller, report: &Snapshot, policies: &[TlsPolicy]) -> String {
    let written = Report {
        organization_name: teller.organization(),
        date_range: DateRange { start_datetime: time(report.begin), end_datetime: time(report.end) },
        contact_info: teller.report.address.to_string(),
        report_id: report.id.to_string(),
        policies: (0..).zip(policies).map(|(number, policy)| of_policy(report, number, policy)).collect(),
    };
    serde_json::to_string(&written).expect("texts and numbers are JSON")
}

fn of_policy<'r>(report: &'r Snapshot, number: u16, policy: &'r TlsPolicy) -> Policy<'r> {
    let of_it = |(row, count): &'r (Row, u64)| match row {
        Row::Tls(TlsRow { policy, failure }) if *policy == number => Some((failure.as_deref(), *count)),
        _ => None,
    };
    let (mut successful, mut failed, mut failures) = (0, 0, Vec::new());
    for (failure, count) in report.rows.iter().filter_map(of_it) {
        let Some(failure) = failure else {
            successful += count;
            continue;
        };
        failed += count;
        failures.push(Failure {
            result_type: &failure.kind,
            sending_mta_ip: failure.sender,
            receiving_mx_hostname: failure.mx.as_deref(),
            receiving_ip: failure.ip,
            failed_session_count: count,
            failure_reason_code: &failure.why,
        });
    }
    let (policy_type, policy_string, mx_host): (_, &[Box<str>], &[Box<str>]) = match policy {
        TlsPolicy::None => ("no-policy-found", &[], &[]),
        TlsPolicy::Sts(lines, hosts) => ("sts", lines, hosts),
        TlsPolicy::Tlsa(records) => ("tlsa", records, &[]),
    };
    Policy {
        policy: Details { policy_type, policy_string, policy_domain: &report.subject.domain, mx_host },
        summary: Summary { total_successful_session_count: successful, total_failure_session_count: failed },
        failure_details: failures,
    }
}

/// In UTC and without fractions, as all who write these do.
fn time(seconds: u64) -> String {
    let timestamp = i64::try_from(seconds).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    timestamp.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string()
}
