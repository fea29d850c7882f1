//! The driver of reports: takes what stages tell, keeps it, and sends reports when their time has come.

mod keep;
mod lookup;
mod operate;
mod send;

use super::document::teller::Teller;
use super::ledger::{Ledger, Limits, Moment, TLS_EVERY};
use super::row::is_domain;
use crate::base::flow::operator::reports::ReportKind;
use crate::base::flow::policy::dmarc::{DmarcResults, Judged};
use crate::base::flow::spool::Spool;
use crate::base::flow::tls_result::{TlsResult, TlsResults};
use crate::base::mail::id::QueueId;
use crate::base::world::dns::Dns;
use crate::base::world::http::HttpClient;
use crate::base::world::metrics::{Family, Kind, Measure, Value};
use crate::base::world::store::{Journal, StoreFault};
use crate::base::world::{Clock, Dice, Observe};
use crate::config::model::Config;
use crate::config::model::report::Reporting;
use futures_util::future::join;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{Mutex, watch};

/// How often what changed is written, and looked whether a report is due.
const TICK: Duration = Duration::from_secs(10);

/// What the driver needs of the world.
pub struct Parts {
    /// Names.
    pub dns: Arc<dyn Dns>,
    /// Servers that take reports by HTTPS.
    pub http: Arc<dyn HttpClient>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Names of reports.
    pub dice: Arc<dyn Dice>,
    /// Events.
    pub observe: Arc<dyn Observe>,
}

/// Reports to other domains.
pub struct Reporter {
    ledger: Ledger,
    /// None: what is counted lives as long as the server.
    journal: Option<Arc<dyn Journal>>,
    parts: Parts,
    /// Where reports go out; until it is known nothing is told.
    post: OnceLock<Post>,
    /// One at a time writes.
    turn: Mutex<()>,
}

/// The queue, and the configuration in force.
struct Post {
    spool: Arc<dyn Spool>,
    config: watch::Receiver<Arc<Config>>,
}

impl Reporter {
    /// With what the journal has. What is damaged was set aside by the journal, and is told.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn open(journal: Option<Arc<dyn Journal>>, parts: Parts) -> Result<Self, StoreFault> {
        let (ledger, post, turn) = (Ledger::default(), OnceLock::new(), Mutex::new(()));
        let reporter = Self { ledger, journal, parts, post, turn };
        reporter.recall().await?;
        Ok(reporter)
    }

    /// Reports go out there, as the configuration says, from here on.
    pub fn posts_to(&self, spool: Arc<dyn Spool>, config: watch::Receiver<Arc<Config>>) {
        // Said once, when the server is put together.
        let _ = self.post.set(Post { spool, config });
    }

    /// Keeps and sends. Never ends.
    pub async fn run(&self) {
        join(self.keep(), self.send_when_due()).await;
    }

    /// The section in force, with who tells; none: nothing is told.
    fn teller(&self) -> Option<(&Post, Teller)> {
        let post = self.post.get()?;
        let config = post.config.borrow();
        let report: Reporting = config.report.clone()?;
        Some((post, Teller { report, hostname: config.hostname.to_string() }))
    }

    /// What it takes to count something of that kind now; none: nobody wants it counted.
    fn moment(&self, kind: ReportKind) -> Option<Moment> {
        let config = self.post.get()?.config.borrow();
        let report = config.report.as_ref()?;
        let every = match kind {
            ReportKind::Dmarc => report.dmarc.then_some(report.dmarc_every)?,
            ReportKind::Tls => report.tls.then_some(TLS_EVERY)?,
        };
        let limits = Limits {
            reports_max: report.reports_max,
            rows_per_report_max: report.rows_per_report_max,
            memory_bytes_max: report.memory_bytes_max,
        };
        Some(Moment { now: self.seconds(), id: self.id(), every, limits })
    }

    /// Seconds since 1970.
    fn seconds(&self) -> u64 {
        self.parts.clock.now().wall.0 / 1000
    }

    fn id(&self) -> QueueId {
        let dice = &self.parts.dice;
        QueueId::new(self.parts.clock.now().wall, u128::from(dice.roll()) << 64 | u128::from(dice.roll()))
    }
}

impl DmarcResults for Reporter {
    fn judged(&self, judged: Judged) {
        // The DNS has names that no mail could be about, and nobody is told of those.
        if is_domain(&judged.policy.domain)
            && let Some(moment) = self.moment(ReportKind::Dmarc)
        {
            self.ledger.message(judged, moment);
        }
    }
}

impl TlsResults for Reporter {
    fn tell(&self, result: TlsResult) {
        if let Some(domain) = result.domain.dns_name()
            && let Some(moment) = self.moment(ReportKind::Tls)
        {
            self.ledger.connection(&domain, &result, moment);
        }
    }
}

impl Measure for Reporter {
    fn measure(&self, into: &mut Vec<Family>) {
        let figures = self.ledger.figures();
        let help = "Reports to other domains in the making and on their way, by what they are about.";
        let mut reports = Family::new("mailwright_reports", Kind::Gauge, help);
        for (kind, count) in ReportKind::ALL.iter().zip(figures.reports) {
            reports.push(&[("kind", kind.name())], Value::Whole(count as u64));
        }
        let help = "Memory of what is counted for reports to other domains, about.";
        let bytes = Family::new("mailwright_reports_memory_bytes", Kind::Gauge, help);
        into.extend([reports, bytes.with(&[], Value::Whole(figures.bytes as u64))]);
    }
}
