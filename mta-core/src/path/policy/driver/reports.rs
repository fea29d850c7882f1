//! The hooks that are told, and the time that passes for them: beside the mail, in tasks of their own, dropped where a
//! plugin can't keep up.

use super::attempt::{attempt_scene, report_scene};
use super::generation::{Generation, key};
use super::shared::Shared;
use crate::base::event::Event;
use crate::base::flow::policy::feedback::{Heard, Returned};
use crate::base::flow::policy::{Attempted, Hook};
use crate::base::mail::id::QueueId;
use crate::sandbox::bounds::reports::Place;
use crate::sandbox::exchange::verdict;
use crate::sandbox::fault::Kind;
use crate::sandbox::host::questions::Told;
use crate::sandbox::host::stock::{Lease, Loaded};
use crate::sandbox::scene::{Scene, SessionScene};
use std::future::pending;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinHandle;

impl Shared {
    /// Tells `on-outcome`. Plugins whose calls are over at once are told one after the other, by one task; each of the others
    /// has a task of its own, in which nobody waits for it.
    pub(super) fn tell_outcome(self: &Arc<Self>, attempted: &Attempted) {
        let generation = self.serving.load();
        let id = attempted.entry.id;
        let Attempted { entry, content, recipient, attempt, site, outcome } = attempted;
        let scene = || attempt_scene(entry, content.as_ref(), *recipient, *attempt, site).unwrap_or_default();
        let told = || Told::Outcome(verdict::outcome(outcome));
        let about = || About { generation: generation.number, session: None, id: Some(id) };
        let mut at_once = Vec::new();
        let kind = verdict::outcome_kind(outcome);
        let asked = generation.asked(Hook::Outcome, None, entry.tenant.as_deref(), key(id));
        for (_, loaded) in asked.filter(|(_, loaded)| !loaded.skipped_outcomes.contains(&kind)) {
            let Some(place) = self.place(loaded, Hook::Outcome) else { continue };
            match loaded.code.is_short().then(|| loaded.reports.turn_at_once()).flatten() {
                Some(turn) => at_once.push((loaded.clone(), place, turn)),
                None => drop(self.tell(loaded.clone(), place, scene(), told(), about())),
            }
        }
        if at_once.is_empty() {
            return;
        }
        let (host, mut scene, told, about) = (self.clone(), scene(), told(), about());
        self.telling.spawn(async move {
            for (loaded, _place, _turn) in at_once {
                // What failed is logged.
                let _ = host.told(&loaded, &mut scene, &told, &about).await;
            }
        });
    }

    /// Tells `on-feedback`, and waits until it is told: what came back is durable, and ends with this. Where a plugin has no
    /// place, nobody is told yet.
    pub(super) async fn tell_feedback(self: &Arc<Self>, returned: Returned<'_>) -> Heard {
        let generation = self.serving.load_full();
        let Returned { entry, content, sent, kind } = returned;
        let tenant: Option<Arc<str>> = sent.tenant.as_deref().map(Into::into);
        let mut placed = Vec::new();
        for (_, loaded) in generation.asked(Hook::Feedback, None, tenant.as_deref(), key(sent.id)) {
            match loaded.reports.place() {
                Some(place) => placed.push((loaded.clone(), place)),
                None => return Heard::Later(loaded.code.plugin.name.clone()),
            }
        }
        let plugins = u32::try_from(placed.len()).unwrap_or(u32::MAX);
        let calls: Vec<_> = placed
            .into_iter()
            .map(|(loaded, place)| {
                let scene = Scene { tenant: tenant.clone(), ..report_scene(entry, content) };
                let about = About { generation: generation.number, session: None, id: Some(entry.id) };
                let told = Told::Feedback(Box::new(verdict::feedback(sent, kind)));
                (loaded.code.plugin.name.clone(), self.tell(loaded, place, scene, told, about))
            })
            .collect();
        let mut later = None;
        for (plugin, call) in calls {
            // A plugin that failed was told. One that is left alone, or found no instance, was not. A task that panicked
            // would do so again.
            if let Ok(Err(Kind::Breaker | Kind::Pool)) = call.await {
                later = Some(plugin);
            }
        }
        later.map_or(Heard::By(plugins), Heard::Later)
    }

    /// Tells `on-disconnect`.
    pub(super) fn tell_disconnect(self: &Arc<Self>, session: &Arc<SessionScene>, tenant: Option<&Arc<str>>) {
        let generation = self.serving.load();
        let (listener, tenant_name, key) = (Some(&*session.listener), tenant.map(|name| &**name), key(&session.id));
        for (_, loaded) in generation.asked(Hook::Disconnect, listener, tenant_name, key) {
            let Some(place) = self.place(loaded, Hook::Disconnect) else { continue };
            let scene = Scene { session: Some(session.clone()), tenant: tenant.cloned(), ..Scene::default() };
            let about = About { generation: generation.number, session: Some(session.clone()), id: None };
            drop(self.tell(loaded.clone(), place, scene, Told::Disconnect, about));
        }
    }

    /// Tells `on-tick` of one plugin; not while its last tick is under way.
    pub(super) fn tell_tick(self: &Arc<Self>, generation: u64, loaded: &Arc<Loaded>) {
        match loaded.reports.tick_place() {
            Some(place) => {
                let about = About { generation, session: None, id: None };
                let scene = Scene { tenant: loaded.only_tenant(), ..Scene::default() };
                drop(self.tell(loaded.clone(), place, scene, Told::Tick, about));
            }
            None => self.dropped(loaded, Hook::Tick),
        }
    }

    fn place(&self, loaded: &Loaded, hook: Hook) -> Option<Place> {
        let place = loaded.reports.place();
        if place.is_none() {
            self.dropped(loaded, hook);
        }
        place
    }

    fn dropped(&self, loaded: &Loaded, hook: Hook) {
        loaded.code.plugin.figures.untold(hook);
        let second = self.pool.world.clock.now().wall.0 / 1000;
        if let Some(reports) = loaded.reports.dropped(second) {
            let plugin = &loaded.code.plugin.name;
            self.pool.world.observe.event(Event::PluginUntold { plugin, hook: hook.name(), reports });
        }
    }

    /// Tells it, in a task of its own; what it was that failed, where it did.
    fn tell(
        self: &Arc<Self>,
        loaded: Arc<Loaded>,
        place: Place,
        mut scene: Scene,
        told: Told,
        about: About,
    ) -> JoinHandle<Result<(), Kind>> {
        let host = self.clone();
        self.telling.spawn(async move {
            let _place = place;
            let _turn = loaded.reports.turn().await;
            host.told(&loaded, &mut scene, &told, &about).await
        })
    }

    async fn told(&self, loaded: &Arc<Loaded>, scene: &mut Scene, told: &Told, about: &About) -> Result<(), Kind> {
        let tenant = self.pool.ledger.tenant(scene.tenant.as_ref());
        let call = self.call(about.generation, loaded, told.hook(), tenant);
        let answer = async {
            self.admit(loaded)?;
            let mut lease = Lease::begin(&self.pool, loaded, scene.tenant.as_ref()).await?;
            lease.live()?.tell(&self.pool, &loaded.code.hooks, scene, told).await
        };
        call.noted(answer.await, about.session.as_ref(), about.id).map_err(|fault| {
            self.failed(loaded, told.hook(), &fault, about.session.as_ref(), about.id);
            fault.kind
        })
    }
}

/// What a report is about, for the log.
struct About {
    generation: u64,
    session: Option<Arc<SessionScene>>,
    id: Option<QueueId>,
}

impl Shared {
    /// Tells each plugin in its own interval, from a whole interval after it was loaded. Never ends.
    pub(super) async fn tick(self: Arc<Self>) {
        let clock = self.pool.world.clock.clone();
        let mut changed = self.generations.subscribe();
        loop {
            changed.mark_unchanged();
            let generation = self.serving.load_full();
            let mut due = schedule(&generation, clock.now().mono);
            loop {
                let next = due.iter().map(|(at, _)| *at).min();
                let wait = async {
                    match next {
                        Some(at) => clock.sleep_until(at).await,
                        None => pending().await,
                    }
                };
                tokio::select! {
                    // An error would be the host's end, and this holds the host.
                    _ = changed.changed() => break,
                    () = wait => {}
                }
                let now = clock.now().mono;
                for (at, loaded) in due.iter_mut().filter(|(at, _)| *at <= now) {
                    self.tell_tick(generation.number, loaded);
                    // Of what was missed, as while the machine slept, one tick is told.
                    *at = now + loaded.code.plugin.tick;
                }
            }
        }
    }
}

fn schedule(generation: &Generation, now: Instant) -> Vec<(Instant, Arc<Loaded>)> {
    generation.all(Hook::Tick).map(|(_, loaded)| (now + loaded.code.plugin.tick, loaded.clone())).collect()
}
