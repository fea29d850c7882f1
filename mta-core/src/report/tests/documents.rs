//! What goes out, read by another implementation: mail-auth's readers of mail, gzip (RFC 1952), XML and JSON.

use super::world::{DAY, MIDNIGHT, connection, judged, reporting};
use crate::base::flow::policy::dmarc::Override;
use crate::base::flow::tls_result::{PolicyFound, TlsFailure};
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use crate::report::document::message::Posted;
use crate::report::document::teller::Teller;
use crate::report::ledger::{Ledger, Limits, Moment};
use crate::report::tally::Snapshot;
use mail_auth::report::tlsrpt::{PolicyType, ResultType, TlsReport};
use mail_auth::report::{
    ActionDisposition, Alignment, Discovery, Disposition, DkimResult, DmarcResult, PolicyOverride, Report, SpfResult,
};
use proptest::prelude::*;
use std::time::Duration;

const REPORT_BYTES_MAX: usize = 1 << 20;

fn teller() -> Teller {
    let mut report = reporting();
    // That reader loses spaces beside what is escaped.
    report.organization = Some("Ours&\"Co\"".into());
    report.contact = Some("https://ours.test/?a=1&b=2".into());
    Teller { report, hostname: "mx.ours.test".to_owned() }
}

fn moment(rows_per_report_max: usize) -> Moment {
    let limits = Limits { reports_max: 9, rows_per_report_max, memory_bytes_max: 1 << 20 };
    let id = QueueId::new(UnixMillis(MIDNIGHT * 1000), 77);
    Moment { now: MIDNIGHT + 60, id, every: Duration::from_secs(DAY), limits }
}

/// The message, and the file's name.
fn mailed(report: &Snapshot) -> (String, String) {
    let file = teller().file(report).expect("memory takes all");
    let posted = Posted { id: QueueId(5), at: UnixMillis(MIDNIGHT * 1000), tenant: None };
    let offer = teller().offer(report, &file, &"to@author.test".parse().expect("an address"), posted);
    let crate::base::flow::offer::OfferedContent::Memory(octets) = offer.content else { panic!("it is in memory") };
    assert_eq!((offer.entry.size_bytes, offer.entry.envelope.sender), (octets.len() as u64, None));
    let text = String::from_utf8(octets.to_vec()).expect("ASCII");
    assert!(text.is_ascii() && text.split("\r\n").all(|line| line.len() <= 998 && !line.contains('\n')));
    assert_eq!(text.find("\r\n\r\n").map(|at| at + 4), Some(offer.entry.head_bytes as usize));
    (text, file.name)
}

#[test]
fn a_report_about_mail_is_read_elsewhere_rfc9990_3_1_and_3_5_2() {
    let ledger = Ledger::default();
    let mut odd = judged("author.test", "sub.author.test", 2);
    odd.row.reason = Some((Override::LocalPolicy, "arc=pass as[1].d=\"lists\"&<co>".into()));
    odd.row.sender = "".into();
    odd.row.dkim = false;
    for message in [judged("author.test", "author.test", 1), judged("author.test", "author.test", 1), odd] {
        ledger.message(message, moment(2));
    }
    ledger.message(judged("author.test", "author.test", 9), moment(2));
    let report = &ledger.of("author.test")[0];
    let (mail, file) = mailed(report);
    assert_eq!(file, format!("ours.test!author.test!{MIDNIGHT}!{}!{}.xml.gz", MIDNIGHT + DAY, report.id));
    let subject =
        format!("Subject: Report Domain: author.test\r\n Submitter: ours.test\r\n Report-ID: {}\r\n", report.id);
    for told in [
        &subject,
        "From: <dmarc@ours.test>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Content-Type: application/gzip;\r\n",
    ] {
        assert!(mail.contains(told), "{told} in {mail}");
    }
    let read = Report::parse_rfc5322(mail.as_bytes(), REPORT_BYTES_MAX).expect("it is a report");
    assert_eq!((read.org_name(), read.email(), read.version()), ("Ours&\"Co\"", "dmarc@ours.test", 1.0));
    assert_eq!(read.extra_contact_info(), Some("https://ours.test/?a=1&b=2"));
    assert_eq!((read.report_id(), read.domain()), (&*report.id.to_string(), "author.test"));
    assert_eq!((read.date_range_begin(), read.date_range_end()), (MIDNIGHT, MIDNIGHT + DAY));
    assert_eq!((read.p(), read.sp(), read.np()), (Disposition::Reject, Disposition::Quarantine, Disposition::None));
    assert_eq!((read.adkim(), read.aspf(), read.fo()), (Alignment::Strict, Alignment::Relaxed, Some("d:s")));
    assert_eq!((read.testing(), read.discovery_method()), (false, Discovery::Treewalk));
    assert_eq!(read.error(), ["1 messages more are not in this report: there was no room for their rows"]);
    let [two, one] = &read.record[..] else { panic!("two rows: {read:?}") };
    assert_eq!((two.row.count, one.row.count), (2, 1));
    assert_eq!(two.row.source_ip, Some([192, 0, 2, 1].into()));
    let evaluated = &two.row.policy_evaluated;
    assert_eq!(
        (evaluated.disposition, evaluated.dkim, evaluated.spf),
        (ActionDisposition::Pass, DmarcResult::Pass, DmarcResult::Fail)
    );
    assert_eq!(
        (&*two.identifiers.envelope_from, two.identifiers.envelope_to.as_deref()),
        ("bounces.test", Some("here.test"))
    );
    let signatures: Vec<_> = two.auth_results.dkim.iter().map(|dkim| (&*dkim.selector, dkim.result)).collect();
    assert_eq!(signatures, [("b", DkimResult::Pass), ("a", DkimResult::Fail)]);
    assert_eq!(two.auth_results.dkim[1].human_result.as_deref(), Some("it was<changed>"));
    assert_eq!(
        (&*two.auth_results.spf[0].domain, two.auth_results.spf[0].result),
        ("bounces.test", SpfResult::SoftFail)
    );
    assert_eq!((&*one.identifiers.header_from, &*one.identifiers.envelope_from), ("sub.author.test", ""));
    let reason = &one.row.policy_evaluated.reason[0];
    assert_eq!(reason.type_, PolicyOverride::LocalPolicy);
    assert_eq!(reason.comment.as_deref(), Some("arc=pass as[1].d=\"lists\"&<co>"));
}

#[test]
fn a_report_about_connections_is_read_elsewhere_rfc8460_4_4_and_rfc8689_3() {
    let ledger = Ledger::default();
    let mut plain = connection("b.test", None);
    (plain.policy, plain.mx) = (PolicyFound::None, None);
    let failed = connection("b.test", Some(TlsFailure::CertificateHostMismatch));
    for result in [&connection("b.test", None), &failed, &failed, &plain] {
        ledger.connection("b.test", result, moment(9));
    }
    let report = &ledger.of("b.test")[0];
    let (mail, file) = mailed(report);
    assert_eq!(file, format!("ours.test!b.test!{MIDNIGHT}!{}!{}.json.gz", MIDNIGHT + DAY, report.id));
    for told in [
        "Content-Type: multipart/report; report-type=\"tlsrpt\";",
        "TLS-Report-Domain: b.test\r\nTLS-Report-Submitter: ours.test\r\nTLS-Required: No\r\n",
        "Content-Type: application/tlsrpt+gzip;\r\n",
        &format!("Report-ID: <{}@ours.test>\r\n", report.id),
    ] {
        assert!(mail.contains(told), "{told} in {mail}");
    }
    let read = TlsReport::parse_rfc5322(mail.as_bytes(), REPORT_BYTES_MAX).expect("it is a report");
    assert_eq!(read.organization_name.as_deref(), Some("Ours&\"Co\""));
    assert_eq!(
        (read.report_id.as_str(), read.contact_info.as_deref()),
        (&*report.id.to_string(), Some("dmarc@ours.test"))
    );
    let range = [read.date_range.start_datetime, read.date_range.end_datetime].map(|time| time.to_timestamp());
    assert_eq!(range.map(i64::unsigned_abs), [MIDNIGHT, MIDNIGHT + DAY]);
    let [sts, none] = &read.policies[..] else { panic!("two policies: {read:?}") };
    assert_eq!((sts.policy.policy_type, &*sts.policy.policy_domain), (PolicyType::Sts, "b.test"));
    assert_eq!(sts.policy.policy_string, ["version: STSv1", "mode: enforce"]);
    assert_eq!((sts.summary.total_success, sts.summary.total_failure), (1, 2));
    let [failure] = &sts.failure_details[..] else { panic!("one kind of failure") };
    assert_eq!((failure.result_type, failure.failed_session_count), (ResultType::CertificateHostMismatch, 2));
    assert_eq!(
        (failure.receiving_mx_hostname.as_deref(), failure.receiving_ip, failure.sending_mta_ip),
        (Some("one.mx.test"), Some([192, 0, 2, 9].into()), Some([192, 0, 2, 1].into()))
    );
    assert_eq!(failure.failure_reason_code.as_deref(), Some("in words"));
    assert_eq!((none.policy.policy_type, none.summary.total_success), (PolicyType::NoPolicyFound, 1));
    assert!(!teller().text(report).contains("null"), "what is not known is left out");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever strangers write into their messages: the document stays one, and says it as it was kept.
    #[test]
    fn nothing_breaks_out_of_the_document(author in "\\PC{0,40}", sender in any::<String>(), why in any::<String>()) {
        let ledger = Ledger::default();
        let mut message = judged("author.test", &author, 1);
        message.row.sender = sender.into();
        message.row.reason = Some((Override::Other, why.into()));
        ledger.message(message, moment(9));
        let report = &ledger.of("author.test")[0];
        let crate::report::row::Row::Dmarc(row) = &report.rows[0].0 else { panic!("it is about mail") };
        let read = Report::parse_xml(teller().text(report).as_bytes()).expect("it is XML");
        prop_assert_eq!(read.record.len(), 1);
        let squeezed = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(squeezed(&read.record[0].identifiers.header_from), squeezed(&row.author));
    }
}
