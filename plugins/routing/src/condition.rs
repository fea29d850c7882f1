//! Which mail a rule is about.

use crate::hash::hash;
use crate::pattern::{Addresses, is_like};
use crate::rule::{Known, Rule};
use crate::scene::Scene;
use crate::window::Windows;
use crate::zone;
use mailwright_plugin::{Fault, clock, message};
use std::collections::BTreeMap;

/// Parts that mail is split into.
const PARTS: u64 = 100;

/// What must hold for a rule to fit: all of it.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    to: Option<Addresses>,
    to_table: Option<String>,
    from: Option<Addresses>,
    from_table: Option<String>,
    tenants: Vec<String>,
    headers: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
    size_min: u64,
    size_max: Option<u64>,
    /// The number of a window.
    during: Option<usize>,
    share: Option<Share>,
}

/// What part of the mail: from which of the parts to which.
#[derive(Debug)]
struct Share {
    split: String,
    by_recipient: bool,
    from: u64,
    to: u64,
}

impl Conditions {
    /// Those of a rule.
    ///
    /// # Errors
    /// What is wrong with which key.
    pub(crate) fn new(
        at: usize,
        name: &str,
        rule: &mut Rule,
        known: &Known<'_>,
        splits: &mut Splits,
    ) -> Result<Self, Fault> {
        let key = |key: &str| format!("rules.{at}.{key}");
        let addresses = |word: &str, texts: &[String]| match texts {
            [] => Ok(None),
            texts => {
                Addresses::new(texts).map(Some).map_err(|why| Fault::InvalidConfig(format!("{}: {why}", key(word))))
            }
        };
        for (word, table) in [("to_table", &rule.to_table), ("from_table", &rule.from_table)] {
            if let Some(table) = table {
                zone::granted(&key(word), table)?;
            }
        }
        let during = rule.during.as_deref().map(|window| known.window(&key("during"), window)).transpose()?;
        Ok(Self {
            to: addresses("to", &rule.to)?,
            to_table: rule.to_table.take(),
            from: addresses("from", &rule.from)?,
            from_table: rule.from_table.take(),
            tenants: std::mem::take(&mut rule.tenants),
            headers: std::mem::take(&mut rule.headers),
            tags: std::mem::take(&mut rule.tags),
            size_min: rule.size_min.map_or(0, |size| size.0),
            size_max: rule.size_max.map(|size| size.0),
            during,
            share: splits.share(&key("percent"), name, rule)?,
        })
    }

    /// Whether all of it holds. What costs nothing is looked at first.
    pub(crate) fn hold(&self, scene: &mut Scene<'_>, windows: &Windows) -> Result<bool, Fault> {
        Ok(self.of_delivery(scene)
            && self.of_tables(scene)?
            && self.of_message(scene)?
            && self.of_time(scene, windows)?)
    }

    fn of_delivery(&self, scene: &Scene<'_>) -> bool {
        let delivery = &scene.delivery;
        let is_tenant = |name: &String| delivery.tenant.as_ref() == Some(name);
        (self.tenants.is_empty() || self.tenants.iter().any(is_tenant))
            && self.to.as_ref().is_none_or(|to| to.has(Some(&delivery.recipient)))
            && self.share.as_ref().is_none_or(|share| share.has(scene))
    }

    fn of_tables(&self, scene: &mut Scene<'_>) -> Result<bool, Fault> {
        if let Some(table) = &self.to_table
            && zone::look_up(table, &scene.delivery.recipient)?.is_none()
        {
            return Ok(false);
        }
        match (&self.from_table, &self.from) {
            (None, None) => Ok(true),
            (table, from) => {
                let sender = scene.sender()?;
                let listed = match (table, sender) {
                    (Some(table), Some(sender)) => zone::look_up(table, sender)?.is_some(),
                    (Some(_), None) => false,
                    (None, _) => true,
                };
                Ok(listed && from.as_ref().is_none_or(|from| from.has(sender)))
            }
        }
    }

    fn of_message(&self, scene: &mut Scene<'_>) -> Result<bool, Fault> {
        if self.size_min > 0 || self.size_max.is_some() {
            let size = scene.size()?;
            if size < self.size_min || self.size_max.is_some_and(|most| size > most) {
                return Ok(false);
            }
        }
        for (name, form) in &self.tags {
            if !message::tag(name)?.is_some_and(|tag| is_like(&tag, form)) {
                return Ok(false);
            }
        }
        for (name, form) in &self.headers {
            if !scene.header(name)?.is_some_and(|value| is_like(value, form)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn of_time(&self, scene: &mut Scene<'_>, windows: &Windows) -> Result<bool, Fault> {
        let Some(window) = self.during else { return Ok(true) };
        let now = clock::now_ms();
        let zone = match windows.zone(window) {
            Some(zone) => zone,
            None => scene.zone()?,
        };
        Ok(windows.opens(window, zone, now)? == now)
    }
}

/// Splits by name, and how much of each is given away.
#[derive(Debug, Default)]
pub(crate) struct Splits(BTreeMap<String, u64>);

impl Splits {
    fn share(&mut self, key: &str, name: &str, rule: &Rule) -> Result<Option<Share>, Fault> {
        let Some(percent) = rule.percent else { return Ok(None) };
        let split = rule.split.clone().unwrap_or_else(|| name.to_owned());
        let given = self.0.entry(split.clone()).or_default();
        let from = *given;
        let to = from + u64::from(percent);
        if to > PARTS {
            let words = format!("the rules of the split \"{split}\" want more than 100 percent together");
            return Err(Fault::InvalidConfig(format!("{key}: {words}")));
        }
        *given = to;
        Ok(Some(Share { split, by_recipient: rule.split_by == crate::rule::SplitBy::Recipient, from, to }))
    }
}

impl Share {
    fn has(&self, scene: &Scene<'_>) -> bool {
        let delivery = &scene.delivery;
        let part = match self.by_recipient {
            true => hash(4, &[&self.split, &delivery.recipient.to_string().to_ascii_lowercase()]),
            false => hash(4, &[&self.split, &delivery.queue_id]),
        } % PARTS;
        (self.from..self.to).contains(&part)
    }
}
