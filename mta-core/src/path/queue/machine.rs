//! The scheduler: a machine without clock, socket or task. Inputs are method calls with the present time, effects come
//! out of [`Machine::poll`].
//!
//! An *item* is what is left of one message for one destination. It is always in exactly one place: waiting for its due
//! time, in its destination's line, in the line for a look at its age or for policy's word on its way, at work (one of
//! these, until the ruling is durable), or parked while an operation on its message goes on. Destinations with something
//! to send and room in their window stand in a round of their most urgent mail; each turn starts one attempt.
//!
//! Who works on an item owns its recipients. So a recipient is never in two attempts at once, as long as two items of
//! a message never share one: items divide the recipients by next hop. When the routes change, a recipient may move to
//! another item while its attempt is under way; such messages are parked until they are still, then divided anew.

use super::congestion::Health;
use super::destinations::Destinations;
use super::items::{Items, NONE, Place, Slot};
use super::operation::{Desk, Operation};
use super::rules::{Rules, Ways};
use super::timers::{Timers, Whose};
use crate::base::fault::Scope;
use crate::base::flow::attempt::NextHop;
use crate::base::flow::entry::Entry;
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use std::collections::{HashMap, VecDeque};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;
use turns::Turns;

/// Looks at ages under way at once: few, because they are short, and their own, because they must not wait for slots.
const AGE_LOOKS_MAX: u32 = 64;
/// Times that fire in one poll, so that a million of them do not hold up the inbox.
const TIMES_PER_POLL_MAX: u32 = 256;
/// A message that came of age while nobody could try it (the server was down, an operator held it) has this long for
/// its last attempt before it expires.
const LAST_CHANCE: Duration = Duration::from_secs(3600);
/// When a look at an age found nothing to do, the next one comes after this at the earliest.
const AGE_AGAIN: Duration = Duration::from_secs(60);
/// When the spool could not be read, the item is tried again after this.
const UNREADABLE_AGAIN: Duration = Duration::from_secs(30);

/// What the driver is to do.
pub enum Effect {
    /// Try the recipients of the message that go to `hop` and are due; then [`Machine::attempted`].
    Attempt(Job),
    /// Look at the age of the recipients of the message that go to `hop`; then [`Machine::aged`].
    Age(Job),
    /// Ask policy which way the recipients of the message go that it was not asked about and that are due; then
    /// [`Machine::placed`].
    Place(Job),
    /// Carry out an operation on the message; then [`Machine::operated`].
    Operate {
        /// The message.
        id: QueueId,
        /// What to do.
        operation: Operation,
        /// Recipients that go there are being worked on: they are left alone.
        except: Vec<Arc<NextHop>>,
        /// By which the recipients are divided.
        ways: Ways,
    },
}

/// Work on one item.
#[derive(Clone)]
pub struct Job {
    /// Names the item towards the machine.
    pub slot: u32,
    /// The message.
    pub id: QueueId,
    /// The destination.
    pub hop: Arc<NextHop>,
    /// By which the recipients are divided.
    pub ways: Ways,
    /// It is the message's only item: who was pending when the message was divided goes to `hop`, and nobody need ask
    /// for their ways again. True of the entry that was admitted alone, for since then others may have become pending.
    pub is_whole: bool,
}

/// How a job left the message.
#[derive(Clone, Debug)]
pub enum After {
    /// What the spool says is left of it.
    Entry(Arc<Entry>),
    /// Every recipient has ended, or the message can't be read and was set aside.
    Gone,
    /// The spool could not say: to be looked at again.
    Unknown,
}

/// How much the machine holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Items in all.
    pub items: u64,
    /// Attempts under way.
    pub attempts: u32,
    /// Looks at ages under way.
    pub age_looks: u32,
    /// Messages about which policy is being asked.
    pub placings: u32,
}

/// The scheduler.
pub struct Machine {
    rules: Rules,
    /// Counts changes of the routes, so that attempts from before one are known.
    generation: u16,
    items: Items,
    destinations: Destinations,
    timers: Timers,
    /// Destinations that may start something, in the order of their turns.
    turns: Turns,
    /// Items whose recipients' way policy is to say.
    unplaced: VecDeque<Slot>,
    /// Items whose age is to be looked at.
    aging: VecDeque<Slot>,
    /// Operations on messages that are not over.
    desks: HashMap<QueueId, Desk>,
    /// Operations that can be carried out.
    operations: VecDeque<Effect>,
    attempts: u32,
    age_looks: u32,
    placings: u32,
    draining: bool,
}

impl Machine {
    /// An empty queue.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            generation: 0,
            items: Items::new(),
            destinations: Destinations::default(),
            timers: Timers::default(),
            turns: Turns::default(),
            unplaced: VecDeque::new(),
            aging: VecDeque::new(),
            desks: HashMap::new(),
            operations: VecDeque::new(),
            attempts: 0,
            age_looks: 0,
            placings: 0,
            draining: false,
        }
    }

    /// Takes a message in, fresh from the spool or from a listing of it. A message that is known already gains what
    /// it lacks and loses nothing, because a listing may be older than what is known. Returns whether it was new.
    pub fn admit(&mut self, entry: &Entry, now: UnixMillis) -> bool {
        let new = !self.items.knows(entry.id) && !self.desks.contains_key(&entry.id);
        if new || self.is_still(entry.id) {
            self.divide(entry, now, false);
        } else {
            self.operate(entry.id, Operation::divide());
        }
        new
    }

    /// An attempt's ruling is durable, or there was nothing to attempt.
    pub fn attempted(&mut self, slot: Slot, after: &After, health: AttemptHealth, now: UnixMillis) {
        let (number, wave) = (self.items.get(slot).destination, self.items.get(slot).wave);
        self.attempts -= 1;
        let destination = self.destinations.get_mut(number);
        destination.under_way -= 1;
        let (under_way, limit) = (destination.under_way, self.rules.attempts_per_destination_max);
        if destination.congestion.observe(health.0, wave, under_way, limit, &self.rules.retry, now)
            && let Some(until) = destination.congestion.resting_until()
        {
            self.timers.set(until, Whose::Destination(number));
        }
        self.settle(slot, after, now);
        self.give_turn(number);
    }

    /// A look at an item's age is over; `acted` when it changed something.
    pub fn aged(&mut self, slot: Slot, after: &After, acted: bool, now: UnixMillis) {
        self.age_looks -= 1;
        self.settle(slot, after, now);
        let item = self.items.get(slot);
        if !acted && item.place != Place::Vacant && item.age_at < now.plus(AGE_AGAIN) {
            self.set_age(slot, now.plus(AGE_AGAIN));
        }
    }

    /// The configuration changed. True when messages have to be admitted again, from a listing of the spool, because
    /// they may go another way or have another time limit.
    pub fn set_rules(&mut self, rules: Rules, rerouted: bool) -> bool {
        let old = std::mem::replace(&mut self.rules, rules);
        if rerouted {
            self.generation = self.generation.wrapping_add(1);
        }
        for number in self.destinations.numbers() {
            self.give_turn(number);
        }
        let new = &self.rules;
        rerouted
            || (old.age_max, old.notification_age_max, old.delay_notice)
                != (new.age_max, new.notification_age_max, new.delay_notice)
    }

    /// Nothing is begun any more.
    pub fn drain(&mut self) {
        self.draining = true;
    }

    /// How much is held and under way.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Self { attempts, age_looks, placings, .. } = *self;
        Counts { items: self.items.len() as u64, attempts, age_looks, placings }
    }

    /// When to poll again if nothing else happens.
    #[must_use]
    pub fn wake(&self) -> Option<UnixMillis> {
        self.timers.first()
    }

    /// The next thing to do; none when nothing can be begun now.
    pub fn poll(&mut self, now: UnixMillis) -> Option<Effect> {
        self.destinations.trim();
        for _ in 0..TIMES_PER_POLL_MAX {
            match self.timers.fire(now) {
                Some(Whose::Item(slot)) => self.item_time(slot, now),
                Some(Whose::Destination(number)) => self.end_rest(number),
                None => break,
            }
        }
        if self.draining {
            return None;
        }
        let operation = self.operations.pop_front();
        let first = operation.or_else(|| self.next_age_look()).or_else(|| self.next_placing());
        first.or_else(|| self.next_attempt())
    }

    fn item_time(&mut self, slot: Slot, now: UnixMillis) {
        let item = self.items.get_mut(slot);
        item.timer = None;
        let aged = item.age_at <= now;
        match item.place {
            Place::Waiting if !aged => self.make_ready(slot),
            Place::Waiting => self.enter_aging(slot),
            Place::Ready => {
                self.destinations.remove_ready(&mut self.items, slot);
                self.enter_aging(slot);
            }
            place => debug_assert!(false, "no time is set for an item that is {place:?}"),
        }
    }

    fn enter_aging(&mut self, slot: Slot) {
        self.items.get_mut(slot).place = Place::Aging;
        self.aging.push_back(slot);
    }

    fn end_rest(&mut self, number: u32) {
        self.destinations.get_mut(number).congestion.wake();
        self.give_turn(number);
        self.destinations.recheck(number);
    }

    fn next_age_look(&mut self) -> Option<Effect> {
        while self.age_looks < AGE_LOOKS_MAX {
            let slot = self.aging.pop_front()?;
            // Parked, or gone, since it was put here: whoever took it out of this place puts it back where it belongs.
            if self.items.get(slot).place != Place::Aging || !self.may_begin(slot) {
                continue;
            }
            self.items.get_mut(slot).place = Place::Aged;
            self.items.get_mut(slot).generation = self.generation;
            self.age_looks += 1;
            return Some(Effect::Age(self.job(slot)));
        }
        None
    }

    fn next_attempt(&mut self) -> Option<Effect> {
        while !self.rules.paused && self.attempts < self.rules.attempts_max {
            let (round, number) = self.turns.pop()?;
            self.destinations.get_mut(number).in_turn[round as usize] = false;
            if !self.destinations.get(number).may_start(self.rules.attempts_per_destination_max) {
                self.destinations.recheck(number);
                continue;
            }
            let slot = self.destinations.first_ready(number);
            if self.may_begin(slot) {
                self.unplace(slot);
                let destination = self.destinations.get_mut(number);
                destination.under_way += 1;
                let item = self.items.get_mut(slot);
                item.place = Place::Attempted;
                item.wave = destination.congestion.wave();
                item.generation = self.generation;
                self.attempts += 1;
                self.give_turn(number);
                return Some(Effect::Attempt(self.job(slot)));
            }
            self.give_turn(number);
        }
        None
    }

    /// Whether work on the item may begin. Not while another item of its message is worked on that was divided by
    /// older routes, as the two may share recipients: then the message is parked, to be divided anew.
    fn may_begin(&mut self, slot: Slot) -> bool {
        let id = self.items.get(slot).id();
        let clear = !self.is_busy_with_old_routes(id);
        if !clear {
            self.operate(id, Operation::divide());
        }
        clear
    }

    fn job(&self, slot: Slot) -> Job {
        let item = self.items.get(slot);
        let hop = Arc::clone(&self.destinations.get(item.destination).hop);
        let is_whole = self.items.of_message(item.id()).nth(1).is_none();
        Job { slot, id: item.id(), hop, ways: self.rules.ways.clone(), is_whole }
    }

    /// Lets the destination into the round, if it may start something.
    fn give_turn(&mut self, number: u32) {
        if self.destinations.exists(number) {
            let destination = self.destinations.get_mut(number);
            if destination.may_start(self.rules.attempts_per_destination_max)
                && let Some(priority) = destination.most_urgent()
                && !std::mem::replace(&mut destination.in_turn[priority as usize], true)
            {
                self.turns.push(priority, number);
            }
        }
    }

    /// Work on the item ended: it goes back into the schedule, out of the queue, or is parked for an operation.
    fn settle(&mut self, slot: Slot, after: &After, now: UnixMillis) {
        let id = self.items.get(slot).id();
        self.items.get_mut(slot).place = Place::Parked;
        let parked = self.desks.contains_key(&id);
        match after {
            After::Gone => self.forget(slot),
            After::Unknown => {
                self.items.get_mut(slot).due = now.plus(UNREADABLE_AGAIN);
                if !parked {
                    self.schedule(slot, now);
                }
            }
            After::Entry(entry) => match self.want(entry, self.items.get(slot).destination, now) {
                None => {
                    let unplaced = self.is_unplaced(slot);
                    self.forget(slot);
                    // Policy's answer is durable, though nobody could say so when it was given: its recipients go where
                    // that says, and have no item there yet.
                    if unplaced {
                        self.operate(id, Operation::divide());
                    }
                }
                Some(want) => {
                    let item = self.items.get_mut(slot);
                    item.due = want.due;
                    item.age_at = want.age_at;
                    item.priority = want.priority;
                    if !parked {
                        self.schedule(slot, now);
                    }
                }
            },
        }
        if parked {
            self.resume(id, now);
        }
    }

    /// Puts a parked item where its times say.
    fn schedule(&mut self, slot: Slot, now: UnixMillis) {
        let item = self.items.get_mut(slot);
        debug_assert_eq!(item.place, Place::Parked, "an item is in one place at a time");
        if item.due <= now {
            self.make_ready(slot);
        } else {
            item.place = Place::Waiting;
            let at = item.due.min(item.age_at);
            self.set_timer(slot, at);
        }
    }

    fn make_ready(&mut self, slot: Slot) {
        if self.is_unplaced(slot) {
            return self.enter_placing(slot);
        }
        let item = self.items.get_mut(slot);
        item.place = Place::Ready;
        let (number, age_at) = (item.destination, item.age_at);
        self.set_timer(slot, age_at);
        self.destinations.push_ready(&mut self.items, slot);
        self.give_turn(number);
    }

    /// Takes an item that nobody works on out of its place, and parks it.
    fn unplace(&mut self, slot: Slot) {
        let item = self.items.get_mut(slot);
        if let Some(at) = item.timer.take() {
            self.timers.unset(UnixMillis(at.get()), Whose::Item(slot));
        }
        if item.place == Place::Ready {
            self.destinations.remove_ready(&mut self.items, slot);
        }
        self.items.get_mut(slot).place = Place::Parked;
    }

    fn forget(&mut self, slot: Slot) {
        let number = self.items.get(slot).destination;
        self.items.remove(slot);
        self.destinations.leave(number);
    }

    fn set_age(&mut self, slot: Slot, at: UnixMillis) {
        let item = self.items.get_mut(slot);
        item.age_at = at;
        let when = match item.place {
            Place::Waiting => at.min(item.due),
            Place::Ready => at,
            _ => return,
        };
        if let Some(old) = item.timer.take() {
            self.timers.unset(UnixMillis(old.get()), Whose::Item(slot));
        }
        self.set_timer(slot, when);
    }

    fn set_timer(&mut self, slot: Slot, at: UnixMillis) {
        debug_assert!(slot < NONE / 2, "slots leave a bit for destinations");
        let at = NonZeroU64::new(at.0).unwrap_or(NonZeroU64::MIN);
        self.items.get_mut(slot).timer = Some(at);
        self.timers.set(UnixMillis(at.get()), Whose::Item(slot));
    }
}

/// What an attempt showed of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttemptHealth(Health);

impl AttemptHealth {
    /// The destination was not asked: nothing was due, or policy held everything back.
    pub const NOT_ASKED: Self = Self(Health::Unknown);

    /// By the widest thing that failed; `reached` when a remote was spoken to.
    #[must_use]
    pub fn of(trouble: Option<Scope>, reached: bool) -> Self {
        Self(match trouble {
            Some(Scope::Site) => Health::SiteFailed,
            Some(Scope::Session) => Health::SessionFailed,
            Some(Scope::Recipient | Scope::Message) | None if reached => Health::Answered,
            Some(Scope::Recipient | Scope::Message) | None => Health::Unknown,
        })
    }

    /// The wider trouble of two transactions of one attempt.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |health: Self| match health.0 {
            Health::Unknown => 0,
            Health::Answered => 1,
            Health::SessionFailed => 2,
            Health::SiteFailed => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

mod operations;
mod placing;
#[cfg(test)]
mod placing_tests;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
mod turns;
