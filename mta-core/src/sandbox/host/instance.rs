//! A live instance: made lazily, called within its budget, at rest after its transaction, dropped at a fault.

use super::super::bounds::permits::Permits;
use super::super::bounds::pulse::Pulse;
use super::super::fault::{Fault, Kind};
use super::super::scene::Scene;
use super::super::wide::stubs::end_lines;
use super::bindings::exports::mailwright::plugin as exports;
use super::bindings::exports::mailwright::plugin::on_http::{Request, Response};
use super::bindings::exports::mailwright::plugin::on_password::Admission;
use super::bindings::exports::mailwright::plugin::on_pre_send::Sending;
use super::bindings::exports::mailwright::plugin::on_route::Routing;
use super::bindings::mailwright::plugin::types::{self, Disposition, Gate};
use super::call::{Call, TOO_LONG, World, in_time};
use super::code::{Code, Hooks, Ready};
use super::figures::Ledger;
use super::questions::{Question, Told};
use crate::base::flow::Answer;
use crate::base::flow::policy::Hook;
use crate::base::flow::policy::password::PasswordQuestion;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::Store;
use wasmtime::component::{ComponentNamedList, Instance, Lift, Lower, TypedFunc};

/// What a guest may send to the host in one call, in octets.
const HOSTCALL_BYTES_MAX: usize = 1 << 20;
/// The contract has no resources; what guests' languages make for themselves is bounded.
const HANDLES_MAX: usize = 64;
/// An instance is dropped after so many transactions, whatever the engine may have gathered in it.
const TRANSACTIONS_MAX: u32 = 10_000;

/// Processor time that `configure` has when a plugin is loaded: it reads, sorts and compiles whatever its operator wrote.
const CONFIGURE_CPU: Duration = Duration::from_secs(1);
/// The same by the clock, where its budget does not give it more.
const CONFIGURE_WALL: Duration = Duration::from_secs(30);

/// When an instance is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Configured {
    /// At the load, beside the mail.
    Load,
    /// In each transaction, since no image could be had: within the budget of an envelope's hook.
    Transaction,
}

/// Where instances come from.
#[derive(Clone)]
pub(crate) struct Pool {
    pub(crate) world: World,
    pub(crate) pulse: Arc<Pulse>,
    /// Who may have how many instances in use.
    pub(crate) permits: Arc<Permits>,
    /// The same for the wide profile.
    pub(crate) wide_permits: Arc<Permits>,
    /// One permit for each instance that rests between transactions, or has rested and is used again.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) ledger: Arc<Ledger>,
}

/// One instance of one plugin.
pub(crate) struct Live {
    store: Store<Call>,
    instance: Instance,
    restore: Vec<TypedFunc<(), (u32,)>>,
    guests: Guests,
    transactions: u32,
    /// Its right to rest, once it has rested.
    room: Option<OwnedSemaphorePermit>,
    /// It is as the image of the configured plugin.
    restored: bool,
    /// No call is under way, and none ended otherwise than by an answer.
    sound: bool,
}

/// The hooks of an instance, each looked up at its first call.
#[derive(Default)]
struct Guests {
    lifecycle: Option<exports::lifecycle::Guest>,
    connect: Option<exports::on_connect::Guest>,
    helo: Option<exports::on_helo::Guest>,
    auth: Option<exports::on_auth::Guest>,
    password: Option<exports::on_password::Guest>,
    mail: Option<exports::on_mail::Guest>,
    rcpt: Option<exports::on_rcpt::Guest>,
    data: Option<exports::on_data::Guest>,
    route: Option<exports::on_route::Guest>,
    pre_send: Option<exports::on_pre_send::Guest>,
    outcome: Option<exports::on_outcome::Guest>,
    feedback: Option<exports::on_feedback::Guest>,
    http: Option<exports::on_http::Guest>,
    tick: Option<exports::on_tick::Guest>,
    disconnect: Option<exports::on_disconnect::Guest>,
}

/// Why a call ended without an answer.
enum Stop {
    Wall,
    Engine(wasmtime::Error),
}

impl Live {
    /// A fresh instance. It has been neither configured nor brought to the image.
    pub(crate) async fn new(pool: &Pool, code: &Code) -> Result<Self, Fault> {
        let plugin = &code.plugin;
        let mut store =
            Store::new(code.pre.engine(), Call::new(plugin.clone(), code.sets.clone(), pool.world.clone(), code.waits));
        store.limiter(|call| call);
        let pulse = pool.pulse.clone();
        store.epoch_deadline_callback(move |mut context| {
            let call = context.data_mut();
            if call.lasts() {
                pulse.hurry();
                call.plugin.lasted();
            }
            call.tick()
        });
        store.set_hostcall_fuel(HOSTCALL_BYTES_MAX);
        store.set_max_component_handles(HANDLES_MAX);
        begin(&mut store, Scene::default(), plugin.ticks(Hook::Connect, 0));
        let made = bounded(pool, plugin.budget.wall, pin!(code.pre.instantiate_async(&mut store))).await;
        let instance = made.map_err(|stop| stop.fault(&mut store))?;
        let mut restore = Vec::new();
        if let Ready::Restored(functions) = &code.ready {
            for index in functions {
                let function = instance.get_typed_func(&mut store, index);
                restore.push(function.map_err(|error| store.data_mut().fault(&error))?);
            }
        }
        store.data_mut().grew = false;
        let guests = Guests::default();
        Ok(Self { store, instance, restore, guests, transactions: 0, room: None, restored: false, sound: true })
    }

    /// The size of its memory, in octets.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.store.data().memory_bytes
    }

    /// Whether the instance may be used again, once it is restored, and there is room for it to rest till then. It
    /// keeps its room while it is used.
    pub(crate) fn may_rest(&mut self, room: &Arc<Semaphore>) -> bool {
        if !self.sound || self.store.data().grew || self.restore.is_empty() || self.transactions >= TRANSACTIONS_MAX {
            return false;
        }
        if self.room.is_none() {
            self.room = room.clone().try_acquire_owned().ok();
        }
        self.room.is_some()
    }

    /// Brings it back to the image of the configured plugin; whether that could be done.
    pub(crate) async fn restore(&mut self, pool: &Pool) -> Result<bool, Fault> {
        self.transactions += 1;
        if self.restored {
            return Ok(true);
        }
        let wall = self.enter(Hook::Connect, &mut Scene::default());
        let Self { store, restore, .. } = self;
        let call = async {
            let mut done = true;
            for function in restore {
                done &= ask(&mut *store, *function, ()).await? == 0;
            }
            Ok(Ok(done))
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.restored = self.leave(&mut Scene::default(), said)?;
        Ok(self.restored)
    }

    /// The engine's side of it, to have its image taken.
    pub(crate) fn inside(&mut self) -> (&mut Store<Call>, Instance) {
        (&mut self.store, self.instance)
    }

    /// Gives the plugin its configuration, once a load or in each transaction.
    pub(crate) async fn configure(&mut self, pool: &Pool, code: &Code, at: Configured) -> Result<(), Fault> {
        let Some(indices) = &code.hooks.lifecycle else { return Ok(()) };
        let mut wall = self.enter(Hook::Connect, &mut Scene::default());
        if at == Configured::Load {
            wall = wall.max(CONFIGURE_WALL);
            self.store.data_mut().loads(CONFIGURE_CPU, wall);
        }
        let Self { store, instance, guests, .. } = self;
        store.data_mut().configuring = true;
        let call = async {
            let guest = known(&mut guests.lifecycle, || indices.load(&mut *store, instance))?;
            ask(store, guest.func_configure(), (&code.plugin.config_json,)).await
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.store.data_mut().configuring = false;
        self.leave(&mut Scene::default(), said)
    }

    /// Runs the plugin's own test of itself; the words of what failed.
    pub(crate) async fn self_test(&mut self, pool: &Pool, hooks: &Hooks) -> Result<Result<(), String>, Fault> {
        let Some(indices) = &hooks.lifecycle else { return Ok(Ok(())) };
        let wall = self.enter(Hook::Connect, &mut Scene::default());
        let Self { store, instance, guests, .. } = self;
        let call = async {
            let guest = known(&mut guests.lifecycle, || indices.load(&mut *store, instance))?;
            Ok(Ok(ask(store, guest.func_self_test(), ()).await?))
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.leave(&mut Scene::default(), said)
    }

    /// Asks an envelope hook.
    pub(crate) async fn gate(
        &mut self,
        pool: &Pool,
        hooks: &Hooks,
        mut scene: Scene,
        question: &Question,
    ) -> Result<Gate, Fault> {
        let hook = question.hook();
        let wall = self.enter(hook, &mut scene);
        let Self { store, instance, guests, .. } = self;
        let call = async {
            match question {
                Question::Connect => {
                    let Some(indices) = &hooks.connect else { return Ok(Ok(Gate::Next)) };
                    let guest = known(&mut guests.connect, || indices.load(&mut *store, instance))?;
                    ask(store, guest.func_handle(), ()).await
                }
                Question::Helo(name) => {
                    let Some(indices) = &hooks.helo else { return Ok(Ok(Gate::Next)) };
                    let guest = known(&mut guests.helo, || indices.load(&mut *store, instance))?;
                    ask(store, guest.func_handle(), (name,)).await
                }
                Question::Auth(auth) => {
                    let Some(indices) = &hooks.auth else { return Ok(Ok(Gate::Next)) };
                    let guest = known(&mut guests.auth, || indices.load(&mut *store, instance))?;
                    ask(store, guest.func_handle(), (&auth.mechanism, &auth.user, auth.succeeded)).await
                }
                Question::Mail(mail) => {
                    let Some(indices) = &hooks.mail else { return Ok(Ok(Gate::Next)) };
                    let guest = known(&mut guests.mail, || indices.load(&mut *store, instance))?;
                    ask(store, guest.func_handle(), (mail.sender.as_ref(), &mail.params)).await
                }
                Question::Rcpt(rcpt) => {
                    let Some(indices) = &hooks.rcpt else { return Ok(Ok(Gate::Next)) };
                    let guest = known(&mut guests.rcpt, || indices.load(&mut *store, instance))?;
                    ask(store, guest.func_handle(), (rcpt.sender.as_ref(), &rcpt.to, &rcpt.params)).await
                }
            }
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.left(hooks, hook, said.is_ok());
        self.leave(&mut scene, said)
    }

    /// Asks `on-data`. The scene comes back with the edits recorded: after a fault the caller rolls them back.
    pub(crate) async fn data(&mut self, pool: &Pool, hooks: &Hooks, scene: &mut Scene) -> Result<Disposition, Fault> {
        let Some(indices) = &hooks.data else { return Ok(Disposition::Next) };
        let wall = self.enter(Hook::Data, scene);
        let Self { store, instance, guests, .. } = self;
        let call = async {
            let guest = known(&mut guests.data, || indices.load(&mut *store, instance))?;
            ask(store, guest.func_handle(), ()).await
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.left(hooks, Hook::Data, said.is_ok());
        self.leave(scene, said)
    }

    /// Asks `on-route`.
    pub(crate) async fn route(&mut self, pool: &Pool, hooks: &Hooks, scene: &mut Scene) -> Result<Routing, Fault> {
        let Some(indices) = &hooks.route else { return Ok(Routing::Next) };
        let wall = self.enter(Hook::Route, scene);
        let Self { store, instance, guests, .. } = self;
        let call = async {
            let guest = known(&mut guests.route, || indices.load(&mut *store, instance))?;
            ask(store, guest.func_handle(), ()).await
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.left(hooks, Hook::Route, said.is_ok());
        self.leave(scene, said)
    }

    /// Asks `on-pre-send`; the scene as at `data`.
    pub(crate) async fn pre_send(&mut self, pool: &Pool, hooks: &Hooks, scene: &mut Scene) -> Result<Sending, Fault> {
        let Some(indices) = &hooks.pre_send else { return Ok(Sending::Next) };
        let wall = self.enter(Hook::PreSend, scene);
        let Self { store, instance, guests, .. } = self;
        let call = async {
            let guest = known(&mut guests.pre_send, || indices.load(&mut *store, instance))?;
            ask(store, guest.func_handle(), ()).await
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.left(hooks, Hook::PreSend, said.is_ok());
        self.leave(scene, said)
    }

    /// Asks `on-http`, of a plugin that has it.
    pub(crate) async fn http(
        &mut self,
        pool: &Pool,
        hooks: &Hooks,
        mut scene: Scene,
        request: &Request,
    ) -> Result<Response, Fault> {
        let Some(indices) = &hooks.http else { return Err(Fault::new(Kind::Answer, "it has no on-http")) };
        let wall = self.enter(Hook::Http, &mut scene);
        let Self { store, instance, guests, .. } = self;
        let call = async {
            let guest = known(&mut guests.http, || indices.load(&mut *store, instance))?;
            ask(store, guest.func_handle(), (request,)).await
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.left(hooks, Hook::Http, said.is_ok());
        self.leave(&mut scene, said)
    }

    /// Asks `on-password`, of a plugin that has it. The instance is not to be used again: the password is in its memory.
    pub(crate) async fn password(
        &mut self,
        pool: &Pool,
        hooks: &Hooks,
        mut scene: Scene,
        asked: &PasswordQuestion,
    ) -> Result<Admission, Fault> {
        let Some(indices) = &hooks.password else { return Err(Fault::new(Kind::Answer, "it has no on-password")) };
        let wall = self.enter(Hook::Password, &mut scene);
        self.store.data_mut().password = Some(asked.password.clone());
        let Self { store, instance, guests, .. } = self;
        let call = async {
            let guest = known(&mut guests.password, || indices.load(&mut *store, instance))?;
            let said = (asked.mechanism, &*asked.user, asked.password.reveal());
            ask(store, guest.func_handle(), said).await
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.leave(&mut scene, said)
    }

    /// Tells a hook that is only told. The scene comes back as it was: it can be read alone.
    pub(crate) async fn tell(
        &mut self,
        pool: &Pool,
        hooks: &Hooks,
        scene: &mut Scene,
        told: &Told,
    ) -> Result<(), Fault> {
        let hook = told.hook();
        let wall = self.enter(hook, scene);
        let Self { store, instance, guests, .. } = self;
        let call = async {
            match told {
                Told::Outcome(outcome) => {
                    let Some(indices) = &hooks.outcome else { return Ok(Ok(())) };
                    let guest = known(&mut guests.outcome, || indices.load(&mut *store, instance))?;
                    run(store, guest.func_handle(), (outcome,)).await.map(Ok)
                }
                Told::Feedback(feedback) => {
                    let Some(indices) = &hooks.feedback else { return Ok(Ok(())) };
                    let guest = known(&mut guests.feedback, || indices.load(&mut *store, instance))?;
                    run(store, guest.func_handle(), (feedback,)).await.map(Ok)
                }
                Told::Tick => {
                    let Some(indices) = &hooks.tick else { return Ok(Ok(())) };
                    let guest = known(&mut guests.tick, || indices.load(&mut *store, instance))?;
                    run(store, guest.func_tick(), ()).await.map(Ok)
                }
                Told::Disconnect => {
                    let Some(indices) = &hooks.disconnect else { return Ok(Ok(())) };
                    let guest = known(&mut guests.disconnect, || indices.load(&mut *store, instance))?;
                    run(store, guest.func_handle(), ()).await.map(Ok)
                }
            }
        };
        let said = bounded(pool, wall, pin!(call)).await;
        self.left(hooks, hook, said.is_ok());
        self.leave(scene, said)
    }

    /// A hook was answered: it may have left the instance restored.
    fn left(&mut self, hooks: &Hooks, hook: Hook, answered: bool) {
        self.restored = answered && !self.store.data().grew && hooks.restoring.contains(&hook);
    }

    /// A call begins: it is lent the scene. Returns how long it may take by the clock.
    fn enter(&mut self, hook: Hook, scene: &mut Scene) -> Duration {
        let bytes = scene.message.as_ref().map_or(0, |message| message.content.size_bytes());
        let plugin = &self.store.data().plugin;
        let (wall, ticks) = (plugin.budget.wall, plugin.ticks(hook, bytes));
        begin(&mut self.store, std::mem::take(scene), ticks);
        let call = self.store.data_mut();
        (call.hook, call.reading) = (hook, !hook.may_edit());
        call.at_once = !call.waits && call.plugin.is_short();
        (self.sound, self.restored) = (false, false);
        wall
    }

    /// A call ended: the scene comes back, with what the call recorded.
    fn leave<T>(&mut self, scene: &mut Scene, said: Result<Result<T, types::Fault>, Stop>) -> Result<T, Fault> {
        end_lines(self.store.data_mut());
        *scene = std::mem::take(&mut self.store.data_mut().scene);
        let said = said.map_err(|stop| stop.fault(&mut self.store))?;
        self.sound = true;
        said.map_err(|fault| said_fault(&fault, self.store.data()))
    }
}

/// The next call's budget counts from here: an instance that rested has long passed its old deadline.
fn begin(store: &mut Store<Call>, scene: Scene, ticks: u64) {
    store.set_epoch_deadline(1);
    store.data_mut().begin(scene, ticks);
}

/// Calls a function of the guest. A plugin that has nothing to wait for, and whose calls are short, runs on the thread's own
/// stack; others on one of their own, from which they yield. What that takes is boxed: it would be moved with the futures of
/// every hook.
async fn run<P, R>(store: &mut Store<Call>, function: TypedFunc<P, R>, params: P) -> wasmtime::Result<R>
where
    P: ComponentNamedList + Lower + Send + Sync,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    match store.data().at_once {
        true => function.call(store, params),
        false => Box::pin(function.call_async(store, params)).await,
    }
}

/// The same, of a function that has an answer.
async fn ask<P, S>(store: &mut Store<Call>, function: TypedFunc<P, (S,)>, params: P) -> wasmtime::Result<S>
where
    P: ComponentNamedList + Lower + Send + Sync,
    (S,): ComponentNamedList + Lift + Send + Sync + 'static,
{
    run(store, function, params).await.map(|(said,)| said)
}

/// The hook's functions, looked up at the first call.
fn known<G>(slot: &mut Option<G>, load: impl FnOnce() -> wasmtime::Result<G>) -> wasmtime::Result<&G> {
    match slot {
        Some(guest) => Ok(guest),
        none => Ok(none.insert(load()?)),
    }
}

fn said_fault(fault: &types::Fault, call: &Call) -> Fault {
    let (what, words) = match fault {
        types::Fault::Unavailable(words) => ("unavailable", words),
        types::Fault::InvalidConfig(words) => ("invalid-config", words),
        types::Fault::Internal(words) => ("internal", words),
    };
    let mut words = call.withheld(words.replace(char::is_control, " "));
    words.truncate(words.floor_char_boundary(512));
    Fault::new(Kind::Fault, format!("{what}: {words}"))
}

impl Stop {
    fn fault(self, store: &mut Store<Call>) -> Fault {
        match self {
            Self::Wall => Fault::new(Kind::Wall, TOO_LONG),
            Self::Engine(error) => store.data_mut().fault(&error),
        }
    }
}

/// Runs a call while the pulse beats, and ends it when the wall time is over. The timer is set only when the call is
/// not over at its first turn: most are. The call stays where it is pinned: passed on it would be there twice, and with
/// it in every future that asks a hook.
async fn bounded<T>(
    pool: &Pool,
    wall: Duration,
    mut call: Pin<&mut impl Future<Output = wasmtime::Result<T>>>,
) -> Result<T, Stop> {
    let mut timer: Option<Answer<'static, ()>> = None;
    poll_fn(|context| {
        // Not while the call waits for a disk or for others: no guest runs then.
        let _running = pool.pulse.enter();
        if let Poll::Ready(done) = call.as_mut().poll(context) {
            return Poll::Ready(done.map_err(Stop::Engine));
        }
        let timer = timer.get_or_insert_with(|| in_time(&*pool.world.clock, wall));
        timer.as_mut().poll(context).map(|()| Err(Stop::Wall))
    })
    .await
}
