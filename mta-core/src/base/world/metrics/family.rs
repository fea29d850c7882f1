//! A metric as it is shown: its name, its kind, and its samples.

use std::borrow::Cow;

/// Metrics of one name, as OpenMetrics has them.
#[derive(Clone, Debug, PartialEq)]
pub struct Family {
    /// Without the suffixes of its samples, as `_total`.
    pub name: Cow<'static, str>,
    /// What it counts, in a sentence.
    pub help: Cow<'static, str>,
    /// What its samples are.
    pub kind: Kind,
    /// One for each set of labels.
    pub samples: Vec<Sample>,
}

/// What a family's samples are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, until the server starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A [`Distribution`].
    Histogram,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Names and values.
    pub labels: Vec<(Cow<'static, str>, String)>,
    /// What was counted.
    pub value: Value,
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Things.
    Whole(u64),
    /// Seconds, mostly.
    Real(f64),
    /// How values are spread.
    Spread(Distribution),
}

/// How values are spread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution {
    /// Upper bounds, each of which includes its own value, with how many values fell behind the bound before it.
    pub below: Vec<(f64, u64)>,
    /// Values above all bounds.
    pub above: u64,
    /// All values together.
    pub sum: f64,
}

impl Family {
    /// A family without samples.
    #[must_use]
    pub fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name: name.into(), help: help.into(), kind, samples: Vec::new() }
    }

    /// The same with one more sample.
    #[must_use]
    pub fn with(mut self, labels: &[(&'static str, &str)], value: Value) -> Self {
        self.push(labels, value);
        self
    }

    /// One more sample.
    pub fn push(&mut self, labels: &[(&'static str, &str)], value: Value) {
        let labels = labels.iter().map(|(name, value)| (Cow::Borrowed(*name), (*value).to_owned())).collect();
        self.samples.push(Sample { labels, value });
    }
}
