//! What operators ask of reports.

use super::super::ledger::Listed;
use super::Reporter;
use crate::base::flow::Answer;
use crate::base::flow::operator::reports::{OperateReports, ReportRow};
use crate::base::mail::domain::Domain;
use crate::base::time::UnixMillis;

impl OperateReports for Reporter {
    fn list(&self) -> Vec<ReportRow> {
        let Some((_, teller)) = self.teller() else { return Vec::new() };
        let time = |seconds: u64| UnixMillis(seconds * 1000).to_string();
        let row = |report: Listed| ReportRow {
            id: report.id.to_string(),
            kind: report.subject.kind,
            domain: report.subject.domain.to_string(),
            begin: time(report.begin),
            end: time(report.end),
            due: report.due.map(time),
            results: report.results,
            dropped: report.dropped,
        };
        self.ledger.list(teller.report.spread).into_iter().map(row).collect()
    }

    fn show(&self, domain: &str) -> Vec<String> {
        let (Some((_, teller)), Some(domain)) = (self.teller(), name(domain)) else { return Vec::new() };
        self.ledger.of(&domain).iter().map(|report| teller.text(report)).collect()
    }

    fn send<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Vec<String>, String>> {
        Box::pin(async move {
            if self.teller().is_none() {
                return Err("the configuration has no [report]".to_owned());
            }
            let domain = name(domain).ok_or_else(|| format!("{domain:?} is no domain"))?;
            let all = self.ledger.close(&domain, self.seconds(), || self.id());
            if all.is_empty() {
                return Err(format!("there is nothing to tell {domain}"));
            }
            let mut lines = Vec::new();
            for id in all {
                lines.extend(self.send_one(id).await);
            }
            Ok(lines)
        })
    }
}

/// A domain as reports are for it.
fn name(text: &str) -> Option<String> {
    Domain::parse(text).ok()?.dns_name().map(|name| name.to_ascii_lowercase())
}
