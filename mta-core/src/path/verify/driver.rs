//! Asks the DNS for what the judges miss, within the time that a message has, and has them judge again (RFC 8601).

use super::answers::{Answers, Found, Question, Sought, Unknown};
use super::client::{iprev, spf};
use super::consequence::{Findings, consequence};
use super::judged::judged;
use super::message::policy::{self, Stand};
use super::message::signatures::{Judged, Signed};
use super::results::{field, forged};
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::policy::dmarc::{DmarcResults, Unreported, walk};
use crate::base::flow::policy::standing::SenderPolicy;
use crate::base::flow::policy::verify::{Consequence, Incoming, Outcome, Told, Verified, Verify};
use crate::base::mail::address::Address;
use crate::base::mail::canonical;
use crate::base::mail::content::Body;
use crate::base::mail::domain::Domain;
use crate::base::world::dns::{Dns, DnsFault, RecordData, RecordKind, reverse_name};
use crate::base::world::{Clock, Observe};
use crate::config::model::Config;
use crate::config::model::verify::{Use, Verification};
use futures_util::future::{Either, join_all, select};
use mail_auth::MessageAuthenticator;
use mail_auth::dkim::Canonicalization;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{Semaphore, watch};

/// Bodies up to this length are hashed where they are, in octets: a tenth of a millisecond.
const HASHED_AT_ONCE_BYTES_MAX: u64 = 64 * 1024;

/// Larger bodies that are hashed at once, on threads that may wait for a disk.
const HASHING_MAX: usize = 4;

/// The verifying stage.
pub struct Verifier {
    config: watch::Receiver<Arc<Config>>,
    dns: Arc<dyn Dns>,
    clock: Arc<dyn Clock>,
    observe: Arc<dyn Observe>,
    /// The library, with a resolver that knows no server: every answer is found before it would be asked.
    library: MessageAuthenticator,
    hashing: Semaphore,
    /// Who tells authors' domains.
    reports: Arc<dyn DmarcResults>,
}

/// One message's look-ups: what is known, and what may still be asked.
struct Inquiry<'v> {
    verifier: &'v Verifier,
    answers: Answers,
    rules: &'v Verification,
    until: Instant,
    lookups_left: usize,
}

impl Verifier {
    /// A stage that asks this DNS. Must be made within the runtime.
    ///
    /// # Errors
    /// In words, when the library can't be set up.
    pub fn new(
        config: watch::Receiver<Arc<Config>>,
        dns: Arc<dyn Dns>,
        clock: Arc<dyn Clock>,
        observe: Arc<dyn Observe>,
    ) -> Result<Self, String> {
        let nobody = ResolverConfig::from_name_servers(Vec::new());
        let library = MessageAuthenticator::new(nobody, ResolverOpts::default()).map_err(|fault| fault.to_string())?;
        let (hashing, reports) = (Semaphore::new(HASHING_MAX), Arc::new(Unreported));
        Ok(Self { config, dns, clock, observe, library, hashing, reports })
    }

    /// The same, which tells there of each message that it judges by a domain's policy.
    #[must_use]
    pub fn with_reports(self, reports: Arc<dyn DmarcResults>) -> Self {
        Self { reports, ..self }
    }

    async fn judge(&self, incoming: Incoming<'_>) -> Verified {
        let began = self.clock.mono();
        let config = Arc::clone(&self.config.borrow());
        let rules = &config.verify;
        let (until, lookups_left) = (began + rules.total, rules.lookups_max);
        let mut inquiry = Inquiry { verifier: self, answers: Answers::default(), rules, until, lookups_left };
        let head = incoming.content.head.clone();
        let mut signed = match (rules.dkim, rules.arc, rules.dmarc) {
            (Use::Off, Use::Off, Use::Off) => None,
            _ => Signed::read(&head, rules.signatures_max),
        };
        let hashed = match &mut signed {
            Some(signed) => self.hash(signed, &incoming, until).await,
            None => true,
        };
        inquiry.foresee(&incoming, signed.as_ref()).await;
        let findings = inquiry.findings(&incoming, signed.as_ref(), hashed).await;
        let results = findings.results(rules, signed.as_ref(), incoming.peer);
        let took = self.clock.mono().saturating_duration_since(began);
        self.observe.event(Event::Verified {
            session: incoming.session,
            id: incoming.id,
            results: Told(&results),
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        });
        let consequence = consequence(rules, &findings);
        // What its client is to send again is judged again, and counted then.
        let is_settled = !matches!(&consequence, Consequence::Refuse(reply) if reply.is_transient());
        if is_settled
            && config.report.as_ref().is_some_and(|report| report.dmarc)
            && let Some(judged) = judged(rules, &findings, &results, &incoming)
        {
            self.reports.judged(judged);
        }
        Verified {
            field: field(&config.hostname, &results),
            edits: forged(&head, &config.hostname),
            consequence,
            results: results.into(),
        }
    }

    /// Hashes the body for the signatures; whether that could be done. A message that nobody signed is not read, and neither
    /// is one whose signatures speak of the form alone that was hashed while it came.
    async fn hash(&self, signed: &mut Signed<'_>, incoming: &Incoming<'_>, until: Instant) -> bool {
        let (body, mut forms) = (&incoming.content.body, signed.forms());
        if let Some(hash) = &incoming.body_hash {
            signed.hashed(Canonicalization::Relaxed, hash);
            forms.retain(|form| *form != Canonicalization::Relaxed);
        }
        if forms.is_empty() {
            return true;
        }
        let hashes = match body {
            Body::Memory(octets) if octets.len() as u64 <= HASHED_AT_ONCE_BYTES_MAX => canonical::hashes(body, &forms),
            body => {
                let (body, forms) = (body.clone(), forms.clone());
                let work = async {
                    let _turn = self.hashing.acquire().await;
                    tokio::task::spawn_blocking(move || canonical::hashes(&body, &forms)).await
                };
                match self.in_time(work, until).await {
                    Some(Ok(hashes)) => hashes,
                    _ => return false,
                }
            }
        };
        let Ok(hashes) = hashes else { return false };
        for (form, hash) in forms.into_iter().zip(hashes) {
            signed.hashed(form, &hash);
        }
        true
    }

    /// What the work comes to, if it does so in time.
    async fn in_time<T>(&self, work: impl Future<Output = T>, until: Instant) -> Option<T> {
        match select(Box::pin(work), self.clock.sleep_until(until)).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(_) => None,
        }
    }

    async fn look_up(&self, question: &Question) -> Result<Found, DnsFault> {
        let kind = match question.sought {
            Sought::Exchangers => {
                let exchangers = self.dns.mx(&question.name).await?;
                return Ok(Found::Names(exchangers.into_iter().map(|mx| mx.host).collect()));
            }
            Sought::Records(kind) => kind,
        };
        let records = self.dns.records(&question.name, kind).await?;
        let (mut texts, mut addresses, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            match record {
                RecordData::Txt(text) => texts.push(text),
                RecordData::A(ip) => addresses.push(IpAddr::V4(ip)),
                RecordData::Aaaa(ip) => addresses.push(IpAddr::V6(ip)),
                RecordData::Ptr(name) => names.push(name),
            }
        }
        Ok(match kind {
            RecordKind::Txt => Found::Texts(texts),
            RecordKind::A | RecordKind::Aaaa => Found::Addresses(addresses),
            RecordKind::Ptr => Found::Names(names),
        })
    }
}

impl Verify for Verifier {
    fn verify<'a>(&'a self, incoming: Incoming<'a>) -> Answer<'a, Verified> {
        Box::pin(self.judge(incoming))
    }
}

impl SenderPolicy for Verifier {
    fn spf<'a>(&'a self, ip: IpAddr, sender: &'a Address) -> Answer<'a, Outcome> {
        Box::pin(async move {
            let config = Arc::clone(&self.config.borrow());
            let rules = &config.verify;
            let (until, lookups_left) = (self.clock.mono() + rules.total, rules.lookups_max);
            let mut inquiry = Inquiry { verifier: self, answers: Answers::default(), rules, until, lookups_left };
            let Some(domain) = domain_of(sender) else { return Outcome::None };
            // As others would be told of us.
            let client = spf::Client { ip: ip.to_canonical(), helo: &config.hostname };
            inquiry.settle(|answers| spf::judge(client, sender.local(), &domain, answers)).await
        })
    }
}

impl Inquiry<'_> {
    /// Asks for what will be wanted in any case, all at once.
    async fn foresee(&mut self, incoming: &Incoming<'_>, signed: Option<&Signed<'_>>) {
        let mut wanted = Vec::new();
        // First what the author's domain publishes: what a sender has us look up must not use up what that needs.
        if let Some([author]) = signed.map(policy::authors).as_deref()
            && self.rules.dmarc != Use::Off
        {
            wanted.extend(walk(author).iter().map(|name| Question::texts(name)));
        }
        if self.rules.iprev != Use::Off {
            wanted.push(Question::new(Sought::Records(RecordKind::Ptr), &reverse_name(incoming.peer)));
        }
        if self.rules.spf != Use::Off {
            wanted.extend(sender_domain(incoming).map(|domain| Question::texts(&domain)));
        }
        if let Some(signed) = signed
            && (self.rules.dkim != Use::Off || self.rules.arc != Use::Off)
        {
            wanted.extend(signed.keys().iter().map(|name| Question::texts(name)));
        }
        for question in wanted {
            // What is not known is noted; that is all that is wanted here.
            let _ = self.answers.ask(question);
        }
        self.learn().await;
    }

    async fn findings(&mut self, incoming: &Incoming<'_>, signed: Option<&Signed<'_>>, hashed: bool) -> Findings {
        let rules = self.rules;
        let mut findings = Findings { unhashed: !hashed, ..Findings::default() };
        let library = &self.verifier.library;
        if let Some(signed) = signed
            && rules.dmarc != Use::Off
        {
            // Without results, to know all that it needs before anything else is asked.
            self.settle(|answers| policy::judge(signed, library, answers, (Outcome::None, ""), &[])).await;
        }
        if rules.iprev != Use::Off {
            findings.iprev = Some(self.settle(|answers| iprev::judge(incoming.peer, answers)).await);
        }
        if rules.spf != Use::Off {
            self.spf(incoming, &mut findings).await;
        }
        let Some(signed) = signed else { return findings };
        if rules.dkim != Use::Off && hashed {
            findings.dkim = Some(self.settle(|answers| signed.judge(library, answers)).await);
        }
        if rules.arc != Use::Off && hashed {
            findings.chain = Some(self.settle(|answers| signed.chain(library, answers)).await);
        }
        if rules.dmarc != Use::Off {
            findings.stand = Some(match &findings.dkim {
                None if rules.dkim != Use::Off => Stand::unknown("the message could not be read"),
                dkim => {
                    let dkim: &[Judged] = dkim.as_deref().unwrap_or_default();
                    let spf = findings.spf_for_dmarc();
                    self.settle(|answers| policy::judge(signed, library, answers, spf, dkim)).await
                }
            });
        }
        findings
    }

    /// Both names of the client: the one that it gave itself, and its sender's (RFC 7208 2.3, 2.4).
    async fn spf(&mut self, incoming: &Incoming<'_>, findings: &mut Findings) {
        let client = spf::Client { ip: incoming.peer, helo: incoming.helo };
        let helo = incoming.helo.trim_end_matches('.').to_ascii_lowercase();
        let outcome = self.settle(|answers| spf::judge(client, "", &helo, answers)).await;
        findings.helo = Some((outcome, helo));
        if let Some(sender) = &incoming.envelope.sender
            && let Some(domain) = sender_domain(incoming)
        {
            let outcome = self.settle(|answers| spf::judge(client, sender.local(), &domain, answers)).await;
            findings.sender = Some((outcome, domain, sender.to_string()));
        }
    }

    /// Has it judged until nothing is missing. Each round learns something, and of a message there is only so much to
    /// be asked, so it ends.
    async fn settle<T>(&mut self, judge: impl Fn(&Answers) -> Result<T, Unknown>) -> T {
        loop {
            if let Ok(judged) = judge(&self.answers) {
                return judged;
            }
            self.learn().await;
        }
    }

    /// Asks for what is missing, all at once. What may not be asked any more, or not waited for, has failed.
    async fn learn(&mut self) {
        let missing = self.answers.missing();
        let Self { verifier, rules, until, lookups_left, .. } = self;
        let now = verifier.clock.mono();
        let until = (*until).min(now + rules.lookup);
        let may_ask = if until <= now { 0 } else { missing.len().min(*lookups_left) };
        *lookups_left -= may_ask;
        let asked = missing[..may_ask].iter().map(|question| verifier.in_time(verifier.look_up(question), until));
        let mut answers = join_all(asked).await.into_iter();
        for question in missing {
            let answer = answers.next().flatten().unwrap_or(Err(DnsFault::Failed));
            self.answers.learn(question, answer);
        }
    }
}

/// The domain of the sender as the DNS has it; none for the null sender and for an address literal.
fn sender_domain(incoming: &Incoming<'_>) -> Option<String> {
    domain_of(incoming.envelope.sender.as_ref()?)
}

fn domain_of(sender: &Address) -> Option<String> {
    match sender.domain()? {
        domain @ Domain::Name(_) => domain.dns_name().map(|name| name.to_ascii_lowercase()),
        Domain::Literal(_) => None,
    }
}
