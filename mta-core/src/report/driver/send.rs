//! Sends reports: into the queue, as ordinary mail, or to a server by HTTPS (RFC 8460 5.4).

use super::super::destination::Destination;
use super::super::document::File;
use super::super::document::message::Posted;
use super::super::document::teller::Teller;
use super::super::ledger::Ledger;
use super::super::schedule::again;
use super::super::tally::Snapshot;
use super::{Post, Reporter, TICK};
use crate::base::event::Event;
use crate::base::flow::operator::reports::ReportKind;
use crate::base::mail::address::Address;
use crate::base::mail::id::QueueId;
use crate::base::world::http::{HttpHost, HttpRequest, Origin};
use crate::base::world::tls::Trust;
use crate::sandbox::capability::http::HttpGrants;
use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::{Either, select};
use futures_util::stream;
use std::net::SocketAddr;
use std::time::Duration;

/// Reports that are begun in a tick.
const DUE_MAX: usize = 256;
/// Reports that are sent at once.
const AT_ONCE_MAX: usize = 8;
/// How long sending a report may take, with its look-ups.
const SENDING: Duration = Duration::from_secs(60);
/// What is read of a server's answer, in octets.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What came of sending a report, for people, and whether all who are to have it do.
#[derive(Debug, Default)]
struct Came {
    lines: Vec<String>,
    /// To be tried again: why.
    open: Option<String>,
}

/// Nobody sends it any more when this ends.
struct Out<'l>(&'l Ledger, QueueId);

impl Drop for Out<'_> {
    fn drop(&mut self) {
        self.0.put_back(self.1);
    }
}

impl Reporter {
    /// Sends what is due, again and again. Never ends.
    pub(super) async fn send_when_due(&self) {
        loop {
            let next = self.parts.clock.mono() + TICK;
            self.parts.clock.sleep_until(next).await;
            self.forget_unwanted();
            let Some((_, teller)) = self.teller() else { continue };
            let due = self.ledger.due(self.seconds(), teller.report.spread, DUE_MAX);
            stream::iter(due).for_each_concurrent(AT_ONCE_MAX, async |id| drop(self.send_one(id).await)).await;
        }
    }

    /// What nobody is told of any more is not kept for a day on which somebody might be.
    fn forget_unwanted(&self) {
        let Some(post) = self.post.get() else { return };
        let report = post.config.borrow().report.clone();
        let is_wanted = |kind| match kind {
            ReportKind::Dmarc => report.as_ref().is_some_and(|report| report.dmarc),
            ReportKind::Tls => report.as_ref().is_some_and(|report| report.tls),
        };
        for kind in ReportKind::ALL.into_iter().filter(|kind| !is_wanted(*kind)) {
            self.ledger.ids_of(kind).into_iter().for_each(|id| self.ledger.forget(id));
        }
    }

    /// Sends a report to all who want it and do not have it; what came of it, a line each.
    pub(super) async fn send_one(&self, id: QueueId) -> Vec<String> {
        let Some((post, teller)) = self.teller() else { return Vec::new() };
        let Some(report) = self.ledger.take(id) else { return vec![format!("{id}: it is being sent")] };
        let _out = Out(&self.ledger, id);
        let limit = self.parts.clock.sleep_until(self.parts.clock.mono() + SENDING);
        let came = match select(Box::pin(self.deliver(post, &teller, &report)), limit).await {
            Either::Left((came, _)) => came,
            Either::Right(_) => Came { open: Some("it took too long".to_owned()), ..Came::default() },
        };
        self.settle(&teller, &report, came)
    }

    /// What is open is tried again, for a day; else the report is done with.
    fn settle(&self, teller: &Teller, report: &Snapshot, came: Came) -> Vec<String> {
        let Came { mut lines, open } = came;
        let now = self.seconds();
        let tries = self.ledger.tries(report.id, teller.report.spread);
        let next = open.as_ref().and(tries).and_then(|(tries, first)| again(first.max(report.end), now, tries));
        match next {
            Some(next) => self.ledger.later(report.id, next),
            None => self.ledger.forget(report.id),
        }
        if let Some(why) = open {
            let again_in_ms = next.map(|next| next.saturating_sub(now) * 1000);
            self.unsent(report, None, &why, again_in_ms);
            let rest = if next.is_some() { "it is tried again" } else { "it is given up" };
            lines.push(format!("{}: {why}; {rest}", shown(report)));
        }
        lines
    }

    async fn deliver(&self, post: &Post, teller: &Teller, report: &Snapshot) -> Came {
        let mut came = Came::default();
        if report.rows.is_empty() {
            return came;
        }
        let Ok(wanted) = self.wanted(&report.subject, teller.report.destinations_max).await else {
            came.open = Some("the name servers did not answer".to_owned());
            return came;
        };
        for to in &wanted.refused {
            let why = "its domain does not say that it takes such reports (RFC 9990 4)";
            self.unsent(report, Some(to), why, None);
            came.lines.push(format!("{}: not to {to}: {why}", shown(report)));
        }
        if let Some(to) = wanted.unknown.first() {
            came.open = Some(format!("whether {to} takes such reports can't be known now"));
        }
        if wanted.these.is_empty() && came.lines.is_empty() && came.open.is_none() {
            came.lines.push(format!("{}: its domain wants no such reports", shown(report)));
        }
        let rest = wanted.these.into_iter().filter(|to| !report.sent.iter().any(|sent| **sent == *to.name()));
        let rest: Vec<Destination> = rest.collect();
        if rest.is_empty() {
            return came;
        }
        let Some(file) = file(teller, report).await else {
            came.open = Some("it can't be written".to_owned());
            return came;
        };
        for to in rest {
            self.deliver_to(&to, (post, teller), (report, &file), &mut came).await;
        }
        came
    }

    /// To one destination.
    async fn deliver_to(
        &self,
        destination: &Destination,
        (post, teller): (&Post, &Teller),
        (report, file): (&Snapshot, &File),
        came: &mut Came,
    ) {
        let name = destination.name();
        let gone = match destination {
            Destination::Mail { to, bytes_max } => self.mail((post, teller), (report, file), to, *bytes_max).await,
            Destination::Https(url) => self.post_to(teller, file, url).await.map(|()| None).map_err(Unsent::Again),
        };
        match gone {
            Ok(id) => {
                self.ledger.sent(report.id, &name);
                self.told(report, &name, id);
                let how = id.map_or_else(|| "posted".to_owned(), |id| format!("queued as {id}"));
                came.lines.push(format!("{}: to {name}: {how}", shown(report)));
            }
            Err(Unsent::Never(why)) => {
                self.unsent(report, Some(&name), &why, None);
                came.lines.push(format!("{}: not to {name}: {why}", shown(report)));
            }
            Err(Unsent::Again(why)) => came.open = Some(format!("to {name}: {why}")),
        }
    }

    /// Into the queue, which tries it as all mail; its name there.
    async fn mail(
        &self,
        (post, teller): (&Post, &Teller),
        (report, file): (&Snapshot, &File),
        to: &Address,
        bytes_max: Option<u64>,
    ) -> Result<Option<QueueId>, Unsent> {
        let (id, at) = (self.id(), self.parts.clock.now().wall);
        let tenant = post.config.borrow().tenant_of_recipient(&teller.report.address).map(|tenant| (**tenant).into());
        let offer = teller.offer(report, file, to, Posted { id, at, tenant });
        let bytes = offer.entry.size_bytes;
        if let Some(most) = bytes_max.filter(|most| bytes > *most) {
            return Err(Unsent::Never(format!("it has {bytes} octets, and at most {most} are wanted there")));
        }
        post.spool.accept(offer).await.map(|()| Some(id)).map_err(|fault| Unsent::Again(fault.to_string()))
    }

    /// To a server, which answers 2xx when it has it.
    async fn post_to(&self, teller: &Teller, file: &File, url: &str) -> Result<(), String> {
        let (origin, target) = Origin::of_url(url).map_err(ToOwned::to_owned)?;
        if !origin.secure {
            return Err("it is no https".to_owned());
        }
        let ips = match &origin.host {
            HttpHost::Address(ip) => vec![*ip],
            HttpHost::Name(name) => self.parts.dns.addresses(name).await.map_err(|fault| fault.to_string())?,
        };
        // A stranger names the server: it must not be one that only we can reach.
        let grants = HttpGrants { origins: Vec::new(), networks: teller.report.https_networks.clone() };
        let ips = ips.into_iter().filter(|ip| grants.may_connect(*ip));
        let addresses: Vec<SocketAddr> = ips.map(|ip| SocketAddr::new(ip, origin.port)).collect();
        if addresses.is_empty() {
            return Err("it has no public address".to_owned());
        }
        let request = HttpRequest {
            origin,
            addresses,
            method: "POST".into(),
            target,
            fields: vec![("Content-Type".to_owned(), file.media_type.to_owned())],
            body: Bytes::from(file.octets.clone()),
            answer_bytes_max: ANSWER_BYTES_MAX,
            trust: Trust::System,
        };
        let answer = self.parts.http.fetch(request).await.map_err(|fault| fault.to_string())?;
        if (200..300).contains(&answer.status) { Ok(()) } else { Err(format!("it answered {}", answer.status)) }
    }

    fn told(&self, report: &Snapshot, to: &str, id: Option<QueueId>) {
        let (kind, domain, report_id) = (report.subject.kind.name(), &*report.subject.domain, report.id);
        let results = report.rows.iter().map(|(_, count)| count).sum();
        self.parts.observe.event(match id {
            Some(id) => Event::ReportQueued { kind, domain, report: report_id, to, id, results },
            None => Event::ReportPosted { kind, domain, report: report_id, to, results },
        });
    }

    fn unsent(&self, report: &Snapshot, to: Option<&str>, why: &str, again_in_ms: Option<u64>) {
        self.parts.observe.event(Event::ReportUnsent {
            kind: report.subject.kind.name(),
            domain: &report.subject.domain,
            report: report.id,
            to,
            why,
            again_in_ms,
        });
    }
}

/// Why a destination does not have it.
enum Unsent {
    Never(String),
    Again(String),
}

/// Thousands of rows take tens of milliseconds, and these threads serve mail.
async fn file(teller: &Teller, report: &Snapshot) -> Option<File> {
    let (teller, report) = (teller.clone(), report.clone());
    tokio::task::spawn_blocking(move || teller.file(&report)).await.ok()?.ok()
}

fn shown(report: &Snapshot) -> String {
    format!("{} report {} for {}", report.subject.kind.name(), report.id, report.subject.domain)
}
