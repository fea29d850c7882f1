//! A live instance: made lazily, called within its budget, dropped at the end of its transaction or at a fault.

use super::super::fault::{Fault, Kind};
use super::super::scene::Scene;
use super::bindings::exports::mailwright::plugin::on_pre_send::Sending;
use super::bindings::mailwright::plugin::types::{self, Disposition, Gate};
use super::call::{Call, World};
use super::loaded::Loaded;
use super::pulse::Pulse;
use crate::base::flow::Answer;
use crate::base::flow::policy::Hook;
use crate::base::world::Clock;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;
use wasmtime::component::Instance;

/// What a guest may send to the host in one call, in octets.
const HOSTCALL_BYTES_MAX: usize = 1 << 20;
/// The contract has no resources; what guests' languages make for themselves is bounded.
const HANDLES_MAX: usize = 64;

/// Where instances come from.
#[derive(Clone)]
pub(crate) struct Pool {
    pub(crate) world: World,
    pub(crate) pulse: Arc<Pulse>,
    /// One permit for each instance that may live; the pool of the engine only refuses, this one lets callers wait.
    pub(crate) permits: Arc<Semaphore>,
}

/// One instance of one plugin.
pub(crate) struct Live {
    store: Store<Call>,
    instance: Instance,
    _permit: OwnedSemaphorePermit,
}

/// An envelope hook and what it is told.
#[derive(Clone, Debug)]
pub(crate) enum Question {
    /// `on-connect`.
    Connect,
    /// `on-rcpt`.
    Rcpt(Box<Rcpt>),
}

/// The arguments of `on-rcpt`.
#[derive(Clone, Debug)]
pub(crate) struct Rcpt {
    pub(crate) sender: Option<types::Address>,
    pub(crate) to: types::Address,
    pub(crate) params: Vec<(String, String)>,
}

/// Why a call ended without an answer.
enum Stop {
    Wall,
    Engine(wasmtime::Error),
}

impl Live {
    /// A fresh instance, configured.
    pub(crate) async fn begin(pool: &Pool, loaded: &Loaded) -> Result<Self, Fault> {
        let budget = &loaded.plugin.budget;
        let permit = match pool.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => wait_for_permit(pool, budget.wall).await?,
        };
        let mut store = Store::new(loaded.pre.engine(), Call::new(loaded.plugin.clone(), pool.world.clone()));
        store.limiter(|call| call);
        store.set_epoch_deadline(1);
        store.epoch_deadline_callback(|mut context| context.data_mut().tick());
        store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
        store.set_max_component_handles(HANDLES_MAX);
        store.data_mut().begin(Scene::default(), loaded.ticks(Hook::Connect, 0));

        let made = bounded(pool, budget.wall, loaded.pre.instantiate_async(&mut store)).await;
        let instance = made.map_err(|stop| stop.fault(&store))?;
        let mut live = Self { store, instance, _permit: permit };
        live.configure(pool, loaded).await?;
        Ok(live)
    }

    async fn configure(&mut self, pool: &Pool, loaded: &Loaded) -> Result<(), Fault> {
        let Some(indices) = &loaded.hooks.lifecycle else { return Ok(()) };
        let Self { store, instance, .. } = self;
        store.data_mut().configuring = true;
        let config = &loaded.config_json;
        let call = async {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_configure(&mut *store, config).await
        };
        let said = bounded(pool, loaded.plugin.budget.wall, call).await;
        store.data_mut().configuring = false;
        said.map_err(|stop| stop.fault(store))?.map_err(|fault| said_fault(&fault))
    }

    /// Runs the plugin's own test of itself; the words of what failed.
    pub(crate) async fn self_test(&mut self, pool: &Pool, loaded: &Loaded) -> Result<Result<(), String>, Fault> {
        let Some(indices) = &loaded.hooks.lifecycle else { return Ok(Ok(())) };
        let Self { store, instance, .. } = self;
        store.data_mut().begin(Scene::default(), loaded.ticks(Hook::Connect, 0));
        let call = async {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_self_test(&mut *store).await
        };
        let said = bounded(pool, loaded.plugin.budget.wall, call).await;
        said.map_err(|stop| stop.fault(store))
    }

    /// Asks an envelope hook.
    pub(crate) async fn gate(
        &mut self,
        pool: &Pool,
        loaded: &Loaded,
        scene: Scene,
        question: &Question,
    ) -> Result<Gate, Fault> {
        let Self { store, instance, .. } = self;
        store.data_mut().begin(scene, loaded.ticks(Hook::Rcpt, 0));
        let call = async {
            match (question, &loaded.hooks.connect, &loaded.hooks.rcpt) {
                (Question::Connect, Some(indices), _) => {
                    let guest = indices.load(&mut *store, instance)?;
                    guest.call_handle(&mut *store).await
                }
                (Question::Rcpt(rcpt), _, Some(indices)) => {
                    let guest = indices.load(&mut *store, instance)?;
                    guest.call_handle(&mut *store, rcpt.sender.as_ref(), &rcpt.to, &rcpt.params).await
                }
                _ => Ok(Ok(Gate::Next)),
            }
        };
        let said = bounded(pool, loaded.plugin.budget.wall, call).await;
        store.data_mut().scene = Scene::default();
        said.map_err(|stop| stop.fault(store))?.map_err(|fault| said_fault(&fault))
    }

    /// Asks `on-data`. The scene comes back with the edits recorded: after a fault the caller rolls them back.
    pub(crate) async fn data(&mut self, pool: &Pool, loaded: &Loaded, scene: &mut Scene) -> Result<Disposition, Fault> {
        let Self { store, instance, .. } = self;
        let Some(indices) = &loaded.hooks.data else { return Ok(Disposition::Next) };
        enter(store, loaded, scene, Hook::Data);
        let call = async {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_handle(&mut *store).await
        };
        let said = bounded(pool, loaded.plugin.budget.wall, call).await;
        leave(store, scene);
        said.map_err(|stop| stop.fault(store))?.map_err(|fault| said_fault(&fault))
    }

    /// Asks `on-pre-send`; the scene as at `data`.
    pub(crate) async fn pre_send(&mut self, pool: &Pool, loaded: &Loaded, scene: &mut Scene) -> Result<Sending, Fault> {
        let Self { store, instance, .. } = self;
        let Some(indices) = &loaded.hooks.pre_send else { return Ok(Sending::Next) };
        enter(store, loaded, scene, Hook::PreSend);
        let call = async {
            let guest = indices.load(&mut *store, instance)?;
            guest.call_handle(&mut *store).await
        };
        let said = bounded(pool, loaded.plugin.budget.wall, call).await;
        leave(store, scene);
        said.map_err(|stop| stop.fault(store))?.map_err(|fault| said_fault(&fault))
    }
}

/// Lends the scene to the call.
fn enter(store: &mut Store<Call>, loaded: &Loaded, scene: &mut Scene, hook: Hook) {
    let bytes = scene.message.as_ref().map_or(0, |message| message.content.size_bytes());
    store.data_mut().begin(std::mem::take(scene), loaded.ticks(hook, bytes));
}

/// Takes the scene back, with what the call recorded.
fn leave(store: &mut Store<Call>, scene: &mut Scene) {
    *scene = std::mem::take(&mut store.data_mut().scene);
}

fn said_fault(fault: &types::Fault) -> Fault {
    let (what, words) = match fault {
        types::Fault::Unavailable(words) => ("unavailable", words),
        types::Fault::InvalidConfig(words) => ("invalid-config", words),
        types::Fault::Internal(words) => ("internal", words),
    };
    let mut words = words.replace(char::is_control, " ");
    words.truncate(words.floor_char_boundary(512));
    Fault::new(Kind::Fault, format!("{what}: {words}"))
}

impl Stop {
    fn fault(self, store: &Store<Call>) -> Fault {
        match self {
            Self::Wall => Fault::new(Kind::Wall, "it took too long by the clock"),
            Self::Engine(error) => store.data().fault(&error),
        }
    }
}

/// Runs a call while the pulse beats, and ends it when the wall time is over. The timer is set only when the call is
/// not over at its first turn: most are.
async fn bounded<T>(pool: &Pool, wall: Duration, call: impl Future<Output = wasmtime::Result<T>>) -> Result<T, Stop> {
    let _running = pool.pulse.enter();
    let mut call = pin!(call);
    let mut timer: Option<Answer<'static, ()>> = None;
    poll_fn(|context| {
        if let Poll::Ready(done) = call.as_mut().poll(context) {
            return Poll::Ready(done.map_err(Stop::Engine));
        }
        let timer = timer.get_or_insert_with(|| in_time(&*pool.world.clock, wall));
        timer.as_mut().poll(context).map(|()| Err(Stop::Wall))
    })
    .await
}

fn in_time(clock: &dyn Clock, wall: Duration) -> Answer<'static, ()> {
    clock.sleep_until(clock.now().mono + wall)
}

/// Every instance is taken: waits for one, but no longer than a call may take.
async fn wait_for_permit(pool: &Pool, wall: Duration) -> Result<OwnedSemaphorePermit, Fault> {
    let mut permit = pin!(pool.permits.clone().acquire_owned());
    let mut timer = in_time(&*pool.world.clock, wall);
    let full = || Fault::new(Kind::Pool, "no instance became free in time");
    poll_fn(|context| match permit.as_mut().poll(context) {
        Poll::Ready(permit) => Poll::Ready(permit.map_err(|_| full())),
        Poll::Pending => timer.as_mut().poll(context).map(|()| Err(full())),
    })
    .await
}
