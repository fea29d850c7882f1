//! Says by rules where, when and how each recipient goes: streams, sending windows, frequency caps.
//!
//! `allow = ["clock", "kv:caps", "log", "metrics", "tables"]`; docs/plugins/standard-routing.md has its configuration.

mod cap;
mod condition;
mod hash;
mod pattern;
mod rule;
mod scene;
#[cfg(test)]
mod tests;
mod window;
mod zone;

use cap::{Cap, Capped, Granted};
use mailwright_plugin::{Config, Fault, Priority, Route, Routing, clock, metrics};
use rule::{Ready, Rule, Way};
use scene::Scene;
use std::collections::BTreeMap;
use window::{Window, Windows};
use zone::{Zones, ZonesConfig};

/// The rules, and what they name.
#[derive(Debug, Config)]
pub struct Config {
    /// What is to be done with which mail. They are gone through in their order; the first that fits says what it says, and
    /// the rest is passed over unless it says `then = "go-on"`.
    #[config(default, length = 0..=1000)]
    pub rules: Vec<Rule>,
    /// Ways that have a name: where from, what goes first, what it belongs to.
    #[config(default, length = 0..=100)]
    pub streams: BTreeMap<String, Stream>,
    /// Hours of the week in which mail is sent.
    #[config(default, length = 0..=100)]
    pub windows: BTreeMap<String, Window>,
    /// How often one recipient is written to.
    #[config(default, length = 0..=100)]
    pub caps: BTreeMap<String, Cap>,
    /// Where recipients are.
    #[config(default)]
    pub zones: ZonesConfig,
}

/// A way that has a name. What a rule says itself goes before it.
#[derive(Clone, Debug, Default, Config)]
pub struct Stream {
    /// The `[[route]]`.
    pub via: Option<String>,
    /// The `[[pool]]` of source addresses.
    pub pool: Option<String>,
    /// What the mail belongs to.
    #[config(length = 1..=128)]
    pub campaign: Option<String>,
    /// What goes first.
    pub priority: Option<Urgency>,
}

/// What goes first where not everything can go at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Urgency {
    /// What can wait: newsletters.
    Bulk,
    /// What people write.
    Normal,
    /// What somebody waits for: codes, receipts.
    Transactional,
}

impl From<Urgency> for Priority {
    fn from(urgency: Urgency) -> Self {
        match urgency {
            Urgency::Bulk => Self::Bulk,
            Urgency::Normal => Self::Normal,
            Urgency::Transactional => Self::Transactional,
        }
    }
}

/// Goes through the rules.
#[derive(Debug)]
pub struct Ways {
    rules: Vec<Ready>,
    windows: Windows,
    caps: Vec<(String, Cap)>,
    zones: Zones,
}

#[mailwright_plugin::plugin]
impl Ways {
    fn configure(config: Config) -> Result<Self, Fault> {
        let zones = Zones::new(config.zones)?;
        let windows = Windows::new(&config.windows)?;
        cap::check(&config.caps)?;
        let caps: Vec<(String, Cap)> = config.caps.into_iter().collect();
        let known = rule::Known { streams: &config.streams, windows: &windows, caps: &caps };
        let (mut rules, mut splits) = (Vec::new(), condition::Splits::default());
        for (at, rule) in config.rules.into_iter().enumerate() {
            rules.push(Ready::new(at, rule, &known, &mut splits)?);
        }
        Ok(Self { rules, windows, caps, zones })
    }

    fn on_route(&mut self) -> Result<Routing, Fault> {
        if self.rules.is_empty() {
            return Ok(Routing::Next);
        }
        let mut scene = Scene::new(&self.zones)?;
        let mut way = Way::default();
        for rule in &self.rules {
            if !rule.fits(&mut scene, &self.windows)? {
                continue;
            }
            metrics::add("matched", &[("rule", &rule.name)], 1);
            way.fill(rule, &mut scene)?;
            if !rule.goes_on {
                break;
            }
        }
        self.answer(&way, &mut scene)
    }
}

impl Ways {
    fn answer(&self, way: &Way<'_>, scene: &mut Scene<'_>) -> Result<Routing, Fault> {
        if let Some(text) = way.refuse {
            return Ok(Routing::reject(text));
        }
        if let Some(reason) = way.hold {
            return Ok(Routing::hold(reason));
        }
        if way.is_empty() {
            return Ok(Routing::Next);
        }
        let begins_ms = match self.begins_ms(way, scene)? {
            Ok(begins_ms) => begins_ms,
            Err(over) => return Ok(over),
        };
        let mut route = Route::new();
        route.via = way.via.map(str::to_owned);
        route.pool = way.pool.map(str::to_owned);
        route.campaign = way.campaign.clone();
        route.priority = way.priority.map(Priority::from);
        route.not_before_ms = begins_ms;
        // The time to send begins when it may be sent: a window must not use it up.
        let begins = begins_ms.unwrap_or(scene.delivery.queued_ms);
        route.expires_ms = way.expires_after.map(|after| begins.saturating_add(rule::ms(after)));
        Ok(Routing::Place(route))
    }

    /// When it may go, if not at once; or what is answered since it was written to often enough.
    fn begins_ms(&self, way: &Way<'_>, scene: &mut Scene<'_>) -> Result<Result<Option<u64>, Routing>, Fault> {
        if way.window.is_none() && way.cap.is_none() {
            return Ok(Ok(None));
        }
        let now = clock::now_ms();
        let window = match way.window {
            Some(window) => Some((window, self.windows.zone(window).map_or_else(|| scene.zone(), Ok)?.to_owned())),
            None => None,
        };
        let mut open = |at: u64| match &window {
            Some((window, zone)) => self.windows.opens(*window, zone, at),
            None => Ok(at),
        };
        let mut begins = open(now)?;
        if begins > now {
            metrics::add("waiting", &[("cause", "window")], 1);
        }
        if let Some(number) = way.cap {
            let (name, cap) = &self.caps[number];
            let about = Granted {
                name,
                cap,
                campaign: way.campaign.as_deref(),
                recipient: &scene.delivery.recipient,
                message: &scene.delivery.queue_id,
            };
            begins = match about.take(begins, now, &mut open)? {
                Capped::At(at) => at,
                Capped::Over => return Ok(Err(cap.answer(name))),
            };
        }
        Ok(Ok((begins > now).then_some(begins)))
    }
}
