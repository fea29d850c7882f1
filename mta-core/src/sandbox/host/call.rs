//! The store's data: who is running, what the call is about, and what it may still use.

use super::super::bounds::pulse::TICK;
use super::super::capability::expressions::Expressions;
use super::super::capability::grants::Grants;
use super::super::capability::standing::Standing;
use super::super::capability::submit::Post;
use super::super::fault::frames::frames;
use super::super::fault::{Fault, Kind};
use super::super::scene::{Mark, Scene};
use super::super::wide::needs::Profile;
use super::super::wide::said::Said;
use super::bindings::mailwright::plugin::setup::OutcomeKind;
use super::figures::Figures;
use crate::base::flow::Answer;
use crate::base::flow::operator::suppression::Suppress;
use crate::base::flow::policy::Hook;
use crate::base::mail::tie::Key;
use crate::base::sasl::Hidden;
use crate::base::world::dns::Dns;
use crate::base::world::http::HttpClient;
use crate::base::world::{Clock, Dice, Observe};
use crate::config::model::{Budget, SubmitLimits};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use wasmtime::{ResourceLimiter, UpdateDeadline};

/// Searching this much costs about a millisecond; the host's work for a guest counts as the guest's.
const OCTETS_PER_TICK: u64 = 8 * 1024 * 1024;
/// Hashing an octet, or drawing one, costs about as much as searching so many.
const SEARCHED_PER_HASHED: u64 = 32;
/// The shortest wait that a guest is given: what is left of its time gets smaller with each.
const WAIT_MIN: Duration = Duration::from_millis(10);
/// Requests that one plugin has under way at once; further ones wait.
pub(crate) const FETCHES_PER_PLUGIN_MAX: usize = 32;
/// What is said of a call that was ended by the clock.
pub(crate) const TOO_LONG: &str = "it took too long by the clock";
/// What is said in the place of a text that has a password in it.
const WITHHELD: &str = "(withheld: the password is in it)";
/// Compiled pattern sets that one plugin keeps.
const SETS_MAX: usize = 64;
/// After a call that lasted so many get a stack of their own.
const CALLS_AFTER_LASTING: u32 = 1_000;

/// What a plugin is, apart from its code.
pub(crate) struct Identity {
    pub(crate) name: Arc<str>,
    /// Whose notes and buckets are its own.
    pub(crate) space: Arc<str>,
    /// Nothing may come of what it does.
    pub(crate) shadow: bool,
    /// The engine that it runs in.
    pub(crate) profile: Profile,
    /// It was told of that it gets fixed numbers for randomness.
    pub(crate) fixed_told: AtomicBool,
    pub(crate) grants: Grants,
    pub(crate) budget: Budget,
    /// What mail it may send, where it may.
    pub(crate) submit: SubmitLimits,
    /// What `configure` is given.
    pub(crate) config_json: String,
    /// The time between two ticks.
    pub(crate) tick: Duration,
    pub(crate) log: LogGate,
    pub(crate) figures: Arc<Figures>,
    /// One permit for each request that may be under way.
    pub(crate) fetching: Semaphore,
    /// Calls to come that get a stack of their own, since one lasted.
    pub(crate) lasting: AtomicU32,
    /// Compiled sets by their expressions: where `configure` runs in each instance, it finds them here.
    pub(crate) sets: Mutex<HashMap<Vec<String>, Arc<Expressions>>>,
}

/// Where a plugin need not be called.
#[derive(Clone, Debug, Default)]
pub(crate) struct Skipped {
    pub(crate) hooks: Vec<Hook>,
    /// Of what `on-outcome` need not be told.
    pub(crate) outcomes: Vec<OutcomeKind>,
}

/// How many lines a plugin may write in this second.
#[derive(Default)]
pub(crate) struct LogGate {
    /// The second in the upper half, lines in it in the lower.
    state: AtomicU64,
    dropped: AtomicU64,
}

/// The outside, as calls use it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observe: Arc<dyn Observe>,
    pub(crate) reach: Reach,
    /// The suppression lists, where there are some.
    pub(crate) suppress: Option<Arc<dyn Suppress>>,
    /// Where the monotonic clock of guests begins.
    pub(crate) began: Instant,
    /// Octets that new bodies may still take, of all messages together.
    pub(crate) body_memory: Arc<Semaphore>,
    /// What ties reports that come back to what goes out; none where nothing goes out.
    pub(crate) key: Option<Arc<Key>>,
    /// Where mail of plugins goes.
    pub(crate) post: Arc<Post>,
    /// Who knows how mail that leaves looks to others, once somebody does.
    pub(crate) standing: Arc<OnceLock<Standing>>,
}

/// What capabilities reach the outside by.
#[derive(Clone)]
pub struct Reach {
    /// Randomness, for `random`.
    pub dice: Arc<dyn Dice>,
    /// Names, for `dns`.
    pub dns: Arc<dyn Dns>,
    /// The web, for `http`.
    pub http: Arc<dyn HttpClient>,
}

/// The data of one instance's store.
pub(crate) struct Call {
    pub(crate) plugin: Arc<Identity>,
    pub(crate) world: World,
    pub(crate) scene: Scene,
    /// Where the message's edits began, when this call did.
    pub(crate) mark: Mark,
    pub(crate) configuring: bool,
    /// The hook; the first one while none is called.
    pub(crate) hook: Hook,
    /// Nothing would come of a change of the message.
    pub(crate) reading: bool,
    /// The guest may wait for others.
    pub(crate) waits: bool,
    /// The guest runs on the thread's own stack, from which it can't yield.
    pub(crate) at_once: bool,
    pub(crate) sets: Vec<Arc<Expressions>>,
    ticks_left: u64,
    /// The time that it may take by the clock, in ticks; counted where no timer can end it.
    wall_ticks_left: u64,
    /// It saw a tick already.
    ticked: bool,
    octets_searched: u64,
    memory_refused: bool,
    /// Names that it looked up.
    pub(crate) lookups: u32,
    /// Requests that it sent.
    pub(crate) fetches: u32,
    /// When its wall time is over; known from its first wait on.
    waits_until: Option<Instant>,
    /// The password that the call is about, which nothing that it says may hold.
    pub(crate) password: Option<Hidden>,
    /// It drew randomness in `configure`.
    pub(crate) drew: bool,
    /// It saw a secret in `configure`.
    pub(crate) saw: bool,
    /// Where its configuration has nothing to do.
    pub(crate) skipped: Skipped,
    /// The memory is larger than it was when this was set to false.
    pub(crate) grew: bool,
    /// What it printed.
    pub(crate) said: Said,
    /// Fixed numbers that it got for randomness.
    pub(crate) fixed_numbers: u64,
    /// Its size, in octets.
    pub(crate) memory_bytes: usize,
}

/// The guest took too long by the clock, on a stack on which no timer could end it.
#[derive(Debug, thiserror::Error)]
#[error("{TOO_LONG}")]
struct WallSpent;

/// The guest spent its processor time.
#[derive(Debug, thiserror::Error)]
#[error("it used up its processor time")]
struct CpuSpent;

impl Identity {
    /// A call lasts: the next ones get a stack of their own, so that they yield to their neighbours.
    pub(crate) fn lasted(&self) {
        self.lasting.store(CALLS_AFTER_LASTING, Ordering::Relaxed);
    }

    /// Whether its last calls were short. Counts one.
    pub(crate) fn is_short(&self) -> bool {
        let left = self.lasting.load(Ordering::Relaxed);
        if left > 0 {
            // Two threads may count one call between them: it is a rough number.
            self.lasting.store(left - 1, Ordering::Relaxed);
        }
        left == 0
    }

    /// The processor time of a call, in ticks.
    pub(crate) fn ticks(&self, hook: Hook, message_bytes: u64) -> u64 {
        let budget = &self.budget;
        let time = match hook {
            Hook::Connect | Hook::Helo | Hook::Auth | Hook::Mail | Hook::Rcpt | Hook::Http | Hook::Disconnect => {
                budget.cpu_envelope
            }
            // Hashing a password is meant to be slow.
            Hook::Tick | Hook::Password => budget.cpu_message,
            Hook::Data | Hook::Route | Hook::PreSend | Hook::Outcome | Hook::Feedback => {
                let mib = u32::try_from(message_bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
                budget.cpu_message.saturating_add(budget.cpu_message_per_mib.saturating_mul(mib))
            }
        };
        in_ticks(time)
    }

    /// What an instance's memory may grow to.
    pub(crate) fn memory_bytes_max(&self) -> usize {
        self.budget.memory_bytes_max.unwrap_or_else(|| self.profile.memory_bytes_max())
    }

    /// The set, compiled at its first use.
    pub(crate) fn compile(&self, expressions: Vec<String>) -> Result<Arc<Expressions>, String> {
        let mut sets = self.sets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = sets.get(&expressions) {
            return Ok(set.clone());
        }
        if sets.len() >= SETS_MAX {
            return Err(format!("a plugin has at most {SETS_MAX} sets"));
        }
        let set = Arc::new(Expressions::new(&expressions)?);
        sets.insert(expressions, set.clone());
        Ok(set)
    }
}

impl LogGate {
    /// Whether a line may be written in this second; with how many were dropped before it, once that is over.
    pub(crate) fn pass(&self, second: u64, lines_max: u32) -> Option<u64> {
        let second = second & 0xffff_ffff;
        let took = self.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |state| {
            let lines = if state >> 32 == second { state & 0xffff_ffff } else { 0 };
            (lines < u64::from(lines_max)).then_some(second << 32 | (lines + 1))
        });
        match took {
            Ok(_) => Some(self.dropped.swap(0, Ordering::Relaxed)),
            Err(_) => {
                self.dropped.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

impl Call {
    pub(crate) fn new(plugin: Arc<Identity>, sets: Vec<Arc<Expressions>>, world: World, waits: bool) -> Self {
        Self {
            plugin,
            world,
            scene: Scene::default(),
            mark: Mark::default(),
            configuring: false,
            hook: Hook::Connect,
            reading: true,
            waits,
            at_once: false,
            sets,
            ticks_left: 0,
            wall_ticks_left: 0,
            ticked: false,
            octets_searched: 0,
            memory_refused: false,
            lookups: 0,
            fetches: 0,
            waits_until: None,
            password: None,
            drew: false,
            saw: false,
            skipped: Skipped::default(),
            grew: false,
            said: Said::default(),
            fixed_numbers: 0,
            memory_bytes: 0,
        }
    }

    /// A call begins with this many ticks to spend.
    pub(crate) fn begin(&mut self, scene: Scene, ticks: u64) {
        self.mark = scene.mark();
        self.scene = scene;
        // The first tick comes at any moment of the first millisecond.
        self.ticks_left = ticks.saturating_add(1);
        self.wall_ticks_left = in_ticks(self.plugin.budget.wall);
        self.ticked = false;
        self.octets_searched = 0;
        self.memory_refused = false;
        self.lookups = 0;
        self.fetches = 0;
        self.waits_until = None;
    }

    /// The call that began is a load's: it has a time of its own, and yields to its neighbours.
    pub(crate) fn loads(&mut self, cpu: Duration, wall: Duration) {
        self.ticks_left = self.ticks_left.max(in_ticks(cpu));
        self.wall_ticks_left = in_ticks(wall);
        self.at_once = false;
    }

    /// Milliseconds since 1970.
    pub(crate) fn now_ms(&self) -> u64 {
        self.world.clock.now().wall.0
    }

    /// How long the next wait may take: three quarters of the wall time that is left, so that the guest is told that
    /// nobody answered while it can still say what follows from that.
    pub(crate) fn patience(&mut self) -> Duration {
        let now = self.world.clock.now().mono;
        let until = *self.waits_until.get_or_insert(now + self.plugin.budget.wall);
        (until.saturating_duration_since(now) * 3 / 4).max(WAIT_MIN)
    }

    /// The host searched so much for the guest.
    pub(crate) fn searched(&mut self, octets: u64) {
        self.octets_searched = self.octets_searched.saturating_add(octets);
    }

    /// The host hashed or drew so much for the guest.
    pub(crate) fn hashed(&mut self, octets: usize) {
        self.searched((octets as u64).saturating_mul(SEARCHED_PER_HASHED));
    }

    /// Whether this is not the first tick that the call sees. The first one comes at any moment, and meets calls that are
    /// over within microseconds.
    pub(crate) fn lasts(&mut self) -> bool {
        std::mem::replace(&mut self.ticked, true)
    }

    /// Whether a text has the password in it that the call is about.
    pub(crate) fn gives_away(&self, text: &str) -> bool {
        self.password.as_ref().is_some_and(|password| text.contains(password.reveal()))
    }

    /// What the guest says, for the operator.
    pub(crate) fn withheld(&self, text: String) -> String {
        if self.gives_away(&text) { WITHHELD.to_owned() } else { text }
    }

    /// An epoch tick came while the guest ran: it yields to its neighbours, or has spent its time.
    pub(crate) fn tick(&mut self) -> wasmtime::Result<UpdateDeadline> {
        let searched = self.octets_searched / OCTETS_PER_TICK;
        self.octets_searched %= OCTETS_PER_TICK;
        match self.ticks_left.checked_sub(1 + searched) {
            None | Some(0) => Err(CpuSpent.into()),
            Some(left) => {
                self.ticks_left = left;
                if self.at_once {
                    self.wall_ticks_left = self.wall_ticks_left.checked_sub(1).ok_or(WallSpent)?;
                    return Ok(UpdateDeadline::Continue(1));
                }
                // The engine's own yield was measured to make neighbours hundreds of milliseconds late.
                Ok(UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now())))
            }
        }
    }

    /// What an error of the engine means.
    pub(crate) fn fault(&mut self, error: &wasmtime::Error) -> Fault {
        let trap = error.downcast_ref::<wasmtime::Trap>();
        let kind = match trap {
            _ if error.is::<CpuSpent>() => Kind::Cpu,
            _ if error.is::<WallSpent>() => Kind::Wall,
            _ if self.memory_refused => Kind::Memory,
            _ => Kind::Trap,
        };
        let mut why = trap.map_or_else(|| error.root_cause().to_string(), ToString::to_string);
        if self.memory_refused {
            why = format!("it wanted more than {} octets of memory ({why})", self.plugin.memory_bytes_max());
        }
        // An interpreter says there what its trap is about.
        if let Some(last) = self.said.last_words().filter(|_| self.password.is_none()) {
            why.push_str("; it printed: ");
            why.push_str(&last);
        }
        let frames = error.downcast_ref().map(frames).unwrap_or_default();
        Fault { frames, ..Fault::new(kind, why) }
    }
}

fn in_ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX).max(1)
}

/// Over when so much time has passed.
pub(crate) fn in_time(clock: &dyn Clock, wall: Duration) -> Answer<'static, ()> {
    clock.sleep_until(clock.now().mono + wall)
}

impl ResourceLimiter for Call {
    fn memory_growing(&mut self, _now: usize, desired: usize, _most: Option<usize>) -> wasmtime::Result<bool> {
        let fits = desired <= self.plugin.memory_bytes_max();
        self.memory_refused |= !fits;
        self.grew |= fits;
        if fits {
            self.memory_bytes = desired;
        }
        Ok(fits)
    }

    fn table_growing(&mut self, _now: usize, _desired: usize, most: Option<usize>) -> wasmtime::Result<bool> {
        // The pool's own bound is the limit; tables of dynamic libraries are not among what guests are made of.
        Ok(most.is_some())
    }
}
