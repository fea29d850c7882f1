//! Those who go along with the mail: shadows, the plugins that canaries stand in for, and recorders.
//!
//! While a transaction lives, the calls that somebody is interested in are kept (`Trail`). When it is over, a task beside
//! the mail asks the followers the same, in the same order, and notes where they differ. Mail waits for none of it: what
//! can't be kept up with is dropped and counted.

use super::generation::{Follower, Generation};
use super::shared::{Shared, kept};
use crate::base::event::Event;
use crate::base::flow::attempt::{NextHop, Routes};
use crate::base::flow::operator::trial::{Answered, Difference, Recorded, RecordedSession, Said};
use crate::base::mail::domain::Domain;
use crate::sandbox::bounds::reports::Place;
use crate::sandbox::doors::message::octets;
use crate::sandbox::exchange::compare::differences::differ;
use crate::sandbox::exchange::compare::trail::{Ask, Step, Trail, fault_said};
use crate::sandbox::exchange::compare::words;
use crate::sandbox::exchange::{routing, verdict};
use crate::sandbox::fault::{Fault, Kind};
use crate::sandbox::host::instance::Pool;
use crate::sandbox::host::stock::{Lease, Loaded};
use crate::sandbox::scene::{MessageScene, Scene, SessionScene, recorded};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

impl Shared {
    /// What is to be kept of a transaction's calls; none where nobody is interested: then nothing is.
    pub(super) fn trail(&self, generation: &Generation) -> Option<Box<Trail>> {
        let is_recording = self.trials.is_recording_any();
        if generation.followers.is_empty() && !is_recording {
            return None;
        }
        let is_recorded = |loaded: &Arc<Loaded>| is_recording && self.trials.is_recording(&loaded.code.plugin.name);
        let mut wanted: Vec<bool> = generation.plugins.iter().map(is_recorded).collect();
        for of in generation.followers.iter().filter_map(|follower| follower.of) {
            wanted[of] = true;
        }
        // Where the other has no hook, the chain without it is what it is measured by.
        wanted.push(!generation.followers.is_empty());
        Some(Trail::new(wanted))
    }

    /// The transaction is over: those who follow are asked beside the mail, once those of the session's transaction
    /// before are through.
    pub(super) fn follow(
        self: &Arc<Self>,
        generation: Arc<Generation>,
        trail: Trail,
        session: Option<&Arc<SessionScene>>,
        tenant: Option<&Arc<str>>,
        before: Option<JoinHandle<()>>,
    ) -> Option<JoinHandle<()>> {
        let Trail { steps, missed, .. } = trail;
        let names = generation.plugins.iter().map(|loaded| &*loaded.code.plugin.name);
        let recorders = self.trials.wanted(&names, &steps);
        let places = places(&generation, &steps, missed, session, tenant);
        if places.is_empty() && recorders.is_empty() {
            return before;
        }
        let Some(share) = self.trials.share(&steps) else {
            for (at, _) in &places {
                let Some(follower) = generation.followers.get(*at) else { continue };
                follower.reporter.part.report.dropped(follower.steps(&generation, &steps).count() as u64);
            }
            return before;
        };
        let (session, tenant) = (session.cloned(), tenant.cloned());
        let trail = Done { generation, session, tenant, steps };
        let host = self.clone();
        Some(self.telling.spawn(async move {
            if let Some(before) = before {
                // However it ended.
                let _ = before.await;
            }
            let _share = share;
            for (calls, out) in recorders {
                trail.send(&calls, &out).await;
            }
            for (at, _place) in places {
                if let Some(follower) = trail.generation.followers.get(at) {
                    trail.compare(&host, follower).await;
                }
            }
        }))
    }
}

/// The followers that have something to be asked, each with its right to wait.
fn places(
    generation: &Generation,
    steps: &[Step],
    missed: u64,
    session: Option<&Arc<SessionScene>>,
    tenant: Option<&Arc<str>>,
) -> Vec<(usize, Option<Place>)> {
    let mut places = Vec::new();
    let listener = session.map(|session| &*session.listener);
    for (at, follower) in generation.followers.iter().enumerate() {
        let calls = follower.steps(generation, steps).count() as u64;
        let serves = |loaded: &Arc<Loaded>| loaded.serves(listener, tenant.map(|tenant| &**tenant));
        if calls == 0 || follower.loaded.as_ref().is_some_and(|loaded| !serves(loaded)) {
            continue;
        }
        let report = &follower.reporter.part.report;
        report.dropped(missed);
        match &follower.loaded {
            None => places.push((at, None)),
            Some(loaded) => match loaded.reports.place() {
                Some(place) => places.push((at, Some(place))),
                None => report.dropped(calls),
            },
        }
    }
    places
}

impl Follower {
    /// The calls that it is asked too: those of whom it follows, and where that one has no such hook, those of the chain.
    fn steps<'a>(&'a self, generation: &'a Generation, steps: &'a [Step]) -> impl Iterator<Item = &'a Step> {
        steps.iter().filter(move |step| {
            let followed = self
                .of
                .filter(|of| generation.plugins.get(*of).is_some_and(|loaded| loaded.asked_at.contains(&step.hook())));
            let has = || self.loaded.as_ref().is_some_and(|loaded| loaded.asked_at.contains(&step.hook()));
            step.by == followed && (followed.is_some() || (has() && self.may_stand_alone()))
        })
    }

    /// A hook that only the follower has is compared where it is a shadow. What a canary lacks, its twin may have, and is
    /// compared where the canary decided: there its calls say so.
    fn may_stand_alone(&self) -> bool {
        self.loaded.as_ref().is_some_and(|loaded| Arc::ptr_eq(loaded, &self.reporter))
    }
}

/// A transaction that is over.
struct Done {
    generation: Arc<Generation>,
    session: Option<Arc<SessionScene>>,
    tenant: Option<Arc<str>>,
    steps: Vec<Step>,
}

impl Done {
    /// Asks the follower what the other was asked, and notes where they differ.
    async fn compare(&self, host: &Arc<Shared>, follower: &Follower) {
        let mut lease = None;
        let _turn = match &follower.loaded {
            Some(loaded) => loaded.reports.turn().await,
            None => None,
        };
        for step in follower.steps(&self.generation, &self.steps) {
            let other = match &follower.loaded {
                Some(loaded) if loaded.asked_at.contains(&step.hook()) => {
                    let (session, tenant) = (self.session.as_ref(), self.tenant.as_ref());
                    let answer = match host.admit(loaded) {
                        Ok(()) => Box::pin(ask(&host.pool, loaded, &mut lease, session, tenant, step)).await,
                        Err(fault) => Err(fault),
                    };
                    if loaded.ends_with_call() {
                        lease = None;
                    }
                    match host.noted(loaded, answer) {
                        Ok(answered) => answered.said,
                        Err(Fault { kind: Kind::Breaker | Kind::Pool, .. }) => {
                            lease = None;
                            follower.reporter.part.report.dropped(1);
                            continue;
                        }
                        Err(fault) => {
                            lease = None;
                            follower.reporter.part.report.faulted();
                            fault_said(&fault)
                        }
                    }
                }
                _ => Said::next(),
            };
            self.note(host, follower, step, other);
        }
    }

    fn note(&self, host: &Shared, follower: &Follower, step: &Step, other: Said) {
        let report = &follower.reporter.part.report;
        // Of whom it is measured by, one that lacks the hook has no opinion there.
        let said = if step.by.is_none() && follower.of.is_some() { Said::next() } else { step.said.clone() };
        if !differ(step.by.is_none(), &said, &other) {
            report.alike();
            return;
        }
        let now = host.pool.world.clock.now().wall;
        let session = self.session.as_ref().map(|session| &*session.id);
        let (hook, id) = (step.hook().name(), step.id());
        let (verdict, others) = (said.verdict.clone(), other.verdict.clone());
        let difference = Difference {
            at: now.to_string(),
            hook: hook.to_owned(),
            session: session.map(str::to_owned),
            id,
            said,
            other,
        };
        if let Some(differences) = report.differs(difference, now.0 / 1000) {
            let plugin = &follower.reporter.code.plugin.name;
            let (said, other) = (&*verdict, &*others);
            host.pool.world.observe.event(Event::PluginDiffers { plugin, hook, session, id, said, other, differences });
        }
    }

    /// Sends calls to whoever records them; lost where it does not read.
    async fn send(&self, calls: &[usize], out: &mpsc::Sender<Recorded>) {
        let session = self.session.as_ref().map(|session| RecordedSession {
            id: session.id.to_string(),
            listener: session.listener.to_string(),
            peer: session.peer,
            helo: session.helo(),
            user: session.user(),
        });
        let mut recorded = Recorded {
            session,
            tenant: self.tenant.as_deref().map(str::to_owned),
            calls: Vec::with_capacity(calls.len()),
        };
        for step in calls.iter().filter_map(|at| self.steps.get(*at)) {
            let body = match &step.message {
                Some(MessageScene { content, .. }) => {
                    let begin = content.head.len() as u64;
                    // What can't be read is told by the spool; the record has an empty body then.
                    octets::read(content, begin, recorded::BODY_BYTES_MAX).await.unwrap_or_default()
                }
                None => Vec::new(),
            };
            recorded.calls.push(recorded::call(step, body));
        }
        drop(out.try_send(recorded));
    }
}

/// Routes and pools of any name: whether those are there is seen where mail goes by them.
struct Any;

impl Routes for Any {
    fn next_hop(&self, _domain: Option<&Domain>) -> NextHop {
        NextHop::Nowhere
    }

    fn named(&self, _route: &str) -> Option<NextHop> {
        Some(NextHop::Nowhere)
    }

    fn has_pool(&self, _pool: &str) -> bool {
        true
    }
}

/// Asks a plugin as another was asked.
pub(super) async fn ask(
    pool: &Pool,
    loaded: &Arc<Loaded>,
    lease: &mut Option<Lease>,
    session: Option<&Arc<SessionScene>>,
    tenant: Option<&Arc<str>>,
    step: &Step,
) -> Result<Answered, Fault> {
    let live = match lease {
        Some(lease) => lease,
        none => none.insert(Lease::begin(pool, loaded, tenant).await?),
    };
    let live = live.live()?;
    let delivery = match &step.asked {
        Ask::Route(delivery) | Ask::PreSend(delivery) => Some(delivery.clone()),
        Ask::Gate(_) | Ask::Data => None,
    };
    let message = step.message.as_ref().map(|message| Box::new(message.twin()));
    let mut scene = Scene { tenant: tenant.cloned(), session: session.cloned(), message, delivery };
    let mark = scene.mark();
    let hooks = &loaded.code.hooks;
    let began = pool.world.clock.now().mono;
    let verdict = match &step.asked {
        Ask::Gate(question) => {
            let gate = live.gate(pool, hooks, std::mem::take(&mut scene), question).await?;
            words::gate(&verdict::gate(gate)?)
        }
        Ask::Data => words::disposition(&verdict::disposition(live.data(pool, hooks, &mut scene).await?)?),
        Ask::Route(_) => {
            let said = live.route(pool, hooks, &mut scene).await?;
            words::routing(&routing::routing(said, &loaded.code.plugin.name, &Any)?)
        }
        Ask::PreSend(_) => words::sending(&verdict::sending(live.pre_send(pool, hooks, &mut scene).await?)?),
    };
    let took = pool.world.clock.now().mono.saturating_duration_since(began);
    kept(&mut scene)?;
    let edits = scene.message.as_ref().map_or_else(Vec::new, |message| message.words_since(mark));
    let memory_bytes = live.memory_bytes() as u64;
    Ok(Answered { said: Said { verdict, edits }, took, memory_bytes })
}
