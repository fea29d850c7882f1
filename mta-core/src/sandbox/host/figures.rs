//! What is counted of a plugin: calls by tenant, hook and verdict, how long they took, faults, waits, memory.
//!
//! A call costs three additions to atomics and two readings of the clock. A plugin keeps its figures over reloads.

use super::super::exchange::said::Said;
use super::super::fault::Kind as FaultKind;
use crate::base::flow::policy::Hook;
use crate::base::world::metrics::{Durations, Family, HOOK_MICROS, Kind, Measure, Refused, Series, Value};
use std::array::from_fn;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};
use std::time::Duration;

/// Tenants that are counted apart; calls for those beyond are counted together.
const TENANTS_MAX: usize = 64;
/// How those beyond are named: no tenant can be, since names have no `*`.
const OTHERS: &str = "*";

const HOOKS: usize = Hook::ALL.len();
const SAID: usize = Said::ALL.len();
const FAULTS: usize = FaultKind::ALL.len();
const REFUSED: usize = Refused::ALL.len();

/// A tenant by its number, so that a call need not look its name up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tenant(usize);

/// Calls by hook and by what they came to.
type Calls = [[AtomicU64; SAID]; HOOKS];

/// The figures of one plugin.
pub(crate) struct Figures {
    plugin: Arc<str>,
    /// By the tenant's number; made at its first call.
    calls: [OnceLock<Box<Calls>>; TENANTS_MAX + 2],
    took: [Durations<18>; HOOKS],
    faults: [[AtomicU64; FAULTS]; HOOKS],
    untold: [AtomicU64; HOOKS],
    /// How often a call waited for an instance, and how long in all.
    waits: AtomicU64,
    waited_nanos: AtomicU64,
    in_use: AtomicU64,
    memory_bytes_high: AtomicU64,
    compiled_nanos: AtomicU64,
    left_alone: AtomicU64,
    /// The plugin's own.
    own: Series,
    own_refused: [AtomicU64; REFUSED],
    /// Why samples were dropped, as far as the log said so since the last load: one bit each.
    refused_told: AtomicU8,
}

impl Figures {
    fn new(plugin: Arc<str>) -> Self {
        Self {
            plugin,
            calls: from_fn(|_| OnceLock::new()),
            took: from_fn(|_| Durations::new(&HOOK_MICROS)),
            faults: from_fn(|_| from_fn(|_| AtomicU64::new(0))),
            untold: from_fn(|_| AtomicU64::new(0)),
            waits: AtomicU64::new(0),
            waited_nanos: AtomicU64::new(0),
            in_use: AtomicU64::new(0),
            memory_bytes_high: AtomicU64::new(0),
            compiled_nanos: AtomicU64::new(0),
            left_alone: AtomicU64::new(0),
            own: Series::default(),
            own_refused: from_fn(|_| AtomicU64::new(0)),
            refused_told: AtomicU8::new(0),
        }
    }

    /// It was asked or told.
    pub(crate) fn called(&self, tenant: Tenant, hook: Hook, said: Said, took: Duration) {
        self.count(tenant, hook, said);
        self.took[hook as usize].observe(took);
    }

    /// It failed. What was not asked, because it is left alone, took no time.
    pub(crate) fn failed(&self, tenant: Tenant, hook: Hook, kind: FaultKind, took: Duration) {
        add(&self.faults[hook as usize][kind as usize], 1);
        match kind {
            FaultKind::Breaker => self.count(tenant, hook, Said::Fault),
            _ => self.called(tenant, hook, Said::Fault, took),
        }
    }

    fn count(&self, tenant: Tenant, hook: Hook, said: Said) {
        let calls = self.calls[tenant.0.min(TENANTS_MAX + 1)]
            .get_or_init(|| Box::new(from_fn(|_| from_fn(|_| AtomicU64::new(0)))));
        add(&calls[hook as usize][said as usize], 1);
    }

    /// A report was dropped.
    pub(crate) fn untold(&self, hook: Hook) {
        add(&self.untold[hook as usize], 1);
    }

    /// A call waited for an instance.
    pub(crate) fn waited(&self, waited: Duration) {
        add(&self.waits, 1);
        add(&self.waited_nanos, u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX));
    }

    /// An instance is in use from here on, or not any more.
    pub(crate) fn in_use(&self, now: bool) {
        match now {
            true => add(&self.in_use, 1),
            false => drop(self.in_use.fetch_sub(1, Ordering::Relaxed)),
        }
    }

    /// An instance has this much memory.
    pub(crate) fn has_memory(&self, bytes: usize) {
        // All threads read it at each transaction; it is seldom higher than before.
        if self.memory_bytes_high.load(Ordering::Relaxed) < bytes as u64 {
            self.memory_bytes_high.fetch_max(bytes as u64, Ordering::Relaxed);
        }
    }

    /// A load began: its code is compiled anew, and what was told may be told again.
    pub(crate) fn loading(&self) {
        self.compiled_nanos.store(0, Ordering::Relaxed);
        self.refused_told.store(0, Ordering::Relaxed);
    }

    /// Compiling took so long, once more in this load.
    pub(crate) fn compiled(&self, took: Duration) {
        add(&self.compiled_nanos, u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Its breaker opened.
    pub(crate) fn left_alone(&self) {
        add(&self.left_alone, 1);
    }

    /// The plugin's own metrics.
    pub(crate) fn own(&self) -> &Series {
        &self.own
    }

    /// One of its samples was dropped; whether the log is to say so.
    pub(crate) fn refused(&self, why: Refused) -> bool {
        add(&self.own_refused[why as usize], 1);
        let bit = 1 << why as u8;
        self.refused_told.fetch_or(bit, Ordering::Relaxed) & bit == 0
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

/// The figures of all plugins that serve or may serve again, and the numbers of tenants.
#[derive(Default)]
pub(crate) struct Ledger {
    plugins: Mutex<HashMap<Arc<str>, Arc<Figures>>>,
    tenants: RwLock<HashMap<Arc<str>, usize>>,
}

impl Ledger {
    /// A plugin's, which go on where they were.
    pub(crate) fn of(&self, plugin: &Arc<str>) -> Arc<Figures> {
        let figures = || Arc::new(Figures::new(plugin.clone()));
        self.plugins().entry(plugin.clone()).or_insert_with(figures).clone()
    }

    /// Forgets the plugins that `wanted` does not name.
    pub(crate) fn retain(&self, wanted: impl Fn(&str) -> bool) {
        self.plugins().retain(|plugin, _| wanted(plugin));
    }

    /// A tenant's number, from its first message on.
    pub(crate) fn tenant(&self, name: Option<&Arc<str>>) -> Tenant {
        let Some(name) = name else { return Tenant(0) };
        if let Some(number) = self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(name) {
            return Tenant(*number);
        }
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let next = tenants.len() + 1;
        match next <= TENANTS_MAX {
            true => Tenant(*tenants.entry(name.clone()).or_insert(next)),
            false => Tenant(TENANTS_MAX + 1),
        }
    }

    fn plugins(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Figures>>> {
        self.plugins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of tenants by their numbers; nobody's is empty.
    fn tenant_names(&self) -> Vec<Arc<str>> {
        let mut names = vec![Arc::from(""); TENANTS_MAX + 1];
        for (name, number) in &*self.tenants.read().unwrap_or_else(PoisonError::into_inner) {
            names[*number] = name.clone();
        }
        names.push(OTHERS.into());
        names
    }
}

impl Measure for Ledger {
    fn measure(&self, into: &mut Vec<Family>) {
        let tenants = self.tenant_names();
        let mut plugins: Vec<_> = self.plugins().values().cloned().collect();
        plugins.sort_unstable_by(|one, other| one.plugin.cmp(&other.plugin));
        into.push(calls(&plugins, &tenants));
        into.extend(by_hook(&plugins));
        into.extend(by_plugin(&plugins));
        for figures in &plugins {
            let name = figures.plugin.replace(|c: char| !c.is_ascii_alphanumeric(), "_");
            for family in figures.own.read(&format!("mailwright_plugin_{name}_"), &figures.plugin) {
                match into.iter_mut().find(|known| known.name == family.name) {
                    // Two names may be written the same way; the label tells them apart.
                    Some(known) if known.kind == family.kind => known.samples.extend(family.samples),
                    Some(_) => add(&figures.own_refused[Refused::Kind as usize], 1),
                    None => into.push(family),
                }
            }
        }
    }
}

fn read(counter: &AtomicU64) -> Option<Value> {
    Some(counter.load(Ordering::Relaxed)).filter(|count| *count > 0).map(Value::Whole)
}

fn calls(plugins: &[Arc<Figures>], tenants: &[Arc<str>]) -> Family {
    let help = "Calls of plugins by what they came to; the tenant is empty for mail of nobody.";
    let mut family = Family::new("mailwright_plugins_calls", Kind::Counter, help);
    for figures in plugins {
        let counted = figures.calls.iter().zip(tenants).filter_map(|(calls, tenant)| Some((calls.get()?, tenant)));
        for (calls, tenant) in counted {
            for (hook, counts) in Hook::ALL.iter().zip(&**calls) {
                for (said, count) in Said::ALL.iter().zip(counts) {
                    let Some(count) = read(count) else { continue };
                    let labels = [
                        ("plugin", &*figures.plugin),
                        ("hook", hook.name()),
                        ("tenant", tenant),
                        ("verdict", said.name()),
                    ];
                    family.push(&labels, count);
                }
            }
        }
    }
    family
}

fn by_hook(plugins: &[Arc<Figures>]) -> [Family; 3] {
    let mut took = Family::new("mailwright_plugins_call_seconds", Kind::Histogram, "How long calls of plugins took.");
    let mut faults = Family::new("mailwright_plugins_faults", Kind::Counter, "Calls that plugins did not answer.");
    let mut untold = Family::new(
        "mailwright_plugins_untold",
        Kind::Counter,
        "Reports that were dropped, for plugins that can't keep up.",
    );
    for figures in plugins {
        for (at, hook) in Hook::ALL.iter().enumerate() {
            let labels = [("plugin", &*figures.plugin), ("hook", hook.name())];
            if let Some(spread) = figures.took[at].read() {
                took.push(&labels, spread);
            }
            if let Some(count) = read(&figures.untold[at]) {
                untold.push(&labels, count);
            }
            for (kind, count) in FaultKind::ALL.iter().zip(&figures.faults[at]) {
                if let Some(count) = read(count) {
                    faults.push(&[labels[0], labels[1], ("kind", kind.name())], count);
                }
            }
        }
    }
    [took, faults, untold]
}

fn by_plugin(plugins: &[Arc<Figures>]) -> [Family; 7] {
    let counter = |name, help| Family::new(name, Kind::Counter, help);
    let gauge = |name, help| Family::new(name, Kind::Gauge, help);
    let mut waits = counter("mailwright_plugins_pool_waits", "Calls that waited for an instance.");
    let mut waited = counter("mailwright_plugins_pool_wait_seconds", "How long they waited, together.");
    let mut in_use = gauge("mailwright_plugins_instances_in_use", "Instances that transactions and attempts have now.");
    let mut memory = gauge("mailwright_plugins_memory_high_bytes", "The most memory that an instance had.");
    let mut compiled = gauge("mailwright_plugins_compile_seconds", "How long compiling took at the last load.");
    let mut alone = counter("mailwright_plugins_left_alone", "How often a plugin was left alone for a while.");
    let mut refused =
        counter("mailwright_plugins_own_samples_dropped", "Samples of plugins' own metrics that were dropped.");
    let seconds = |nanos: &AtomicU64| Value::Real(nanos.load(Ordering::Relaxed) as f64 / 1e9);
    let whole = |count: &AtomicU64| Value::Whole(count.load(Ordering::Relaxed));
    for figures in plugins {
        let labels = [("plugin", &*figures.plugin)];
        waits.push(&labels, whole(&figures.waits));
        waited.push(&labels, seconds(&figures.waited_nanos));
        in_use.push(&labels, whole(&figures.in_use));
        memory.push(&labels, whole(&figures.memory_bytes_high));
        compiled.push(&labels, seconds(&figures.compiled_nanos));
        alone.push(&labels, whole(&figures.left_alone));
        for (why, count) in Refused::ALL.iter().zip(&figures.own_refused) {
            if let Some(count) = read(count) {
                refused.push(&[labels[0], ("why", why.name())], count);
            }
        }
    }
    [waits, waited, in_use, memory, compiled, alone, refused]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(ledger: &Ledger, name: &str) -> Vec<(Vec<String>, Value)> {
        let mut families = Vec::new();
        ledger.measure(&mut families);
        let family = families.into_iter().find(|family| family.name == name).expect("there is such a family");
        let values = |labels: Vec<(_, String)>| labels.into_iter().map(|(_, value)| value).collect();
        family.samples.into_iter().map(|sample| (values(sample.labels), sample.value)).collect()
    }

    #[test]
    fn every_verdict_and_hook_has_its_place() {
        assert!(Said::ALL.iter().enumerate().all(|(at, said)| *said as usize == at));
        assert!(Hook::ALL.iter().enumerate().all(|(at, hook)| *hook as usize == at));
        assert!(FaultKind::ALL.iter().enumerate().all(|(at, kind)| *kind as usize == at));
        assert!(Refused::ALL.iter().enumerate().all(|(at, why)| *why as usize == at));
    }

    #[test]
    fn tenants_beyond_the_limit_are_counted_together() {
        let ledger = Ledger::default();
        let figures = ledger.of(&"p".into());
        for n in 0..TENANTS_MAX + 3 {
            let tenant = ledger.tenant(Some(&format!("t{n}").into()));
            figures.called(tenant, Hook::Rcpt, Said::Next, Duration::from_micros(3));
        }
        figures.called(ledger.tenant(None), Hook::Rcpt, Said::Reject, Duration::from_micros(3));
        let calls = samples(&ledger, "mailwright_plugins_calls");
        assert_eq!(calls.len(), TENANTS_MAX + 2);
        let of = |tenant: &str| calls.iter().find(|(labels, _)| labels[2] == tenant).map(|(_, count)| count.clone());
        assert_eq!((of("t0"), of(OTHERS)), (Some(Value::Whole(1)), Some(Value::Whole(3))));
        assert_eq!(calls[0].0, ["p", "rcpt", "", "reject"]);
    }

    #[test]
    fn a_plugin_that_is_left_alone_takes_no_time() {
        let ledger = Ledger::default();
        let figures = ledger.of(&"p".into());
        figures.failed(Tenant(0), Hook::Data, FaultKind::Breaker, Duration::ZERO);
        assert_eq!(samples(&ledger, "mailwright_plugins_call_seconds"), []);
        assert_eq!(samples(&ledger, "mailwright_plugins_faults")[0].0, ["p", "data", "breaker"]);
        figures.failed(Tenant(0), Hook::Data, FaultKind::Trap, Duration::ZERO);
        assert_eq!(samples(&ledger, "mailwright_plugins_call_seconds").len(), 1);
        assert_eq!(samples(&ledger, "mailwright_plugins_calls")[0].1, Value::Whole(2));
    }

    #[test]
    fn plugins_whose_names_are_written_alike_share_a_family_of_one_kind() {
        let ledger = Ledger::default();
        let (one, other) = (ledger.of(&"a-b".into()), ledger.of(&"a_b".into()));
        assert_eq!((one.own().add("x", Vec::new(), 1), other.own().add("x", Vec::new(), 2)), (Ok(()), Ok(())));
        assert_eq!((one.own().add("y", Vec::new(), 1), other.own().observe("y", Vec::new(), 2.0)), (Ok(()), Ok(())));
        assert_eq!(samples(&ledger, "mailwright_plugin_a_b_x").len(), 2);
        assert_eq!(samples(&ledger, "mailwright_plugin_a_b_y").len(), 1);
    }

    #[test]
    fn figures_go_on_over_a_reload_and_go_with_their_plugin() {
        let ledger = Ledger::default();
        ledger.of(&"p".into()).waited(Duration::from_secs(1));
        ledger.retain(|name| name == "p");
        ledger.of(&"p".into()).waited(Duration::from_secs(1));
        assert_eq!(samples(&ledger, "mailwright_plugins_pool_waits"), [(vec!["p".to_owned()], Value::Whole(2))]);
        ledger.retain(|_| false);
        assert_eq!(samples(&ledger, "mailwright_plugins_pool_waits"), []);
    }

    #[test]
    fn that_a_sample_was_dropped_is_said_once_a_load_for_each_reason() {
        let ledger = Ledger::default();
        let figures = ledger.of(&"p".into());
        assert!(figures.refused(Refused::Name) && figures.refused(Refused::Series));
        assert!(!figures.refused(Refused::Name));
        figures.loading();
        assert!(figures.refused(Refused::Name));
    }
}
