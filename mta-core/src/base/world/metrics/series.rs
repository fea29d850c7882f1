//! Metrics that somebody else names: checked and bounded, so that no label makes them grow without end.

use super::family::{Distribution, Family, Kind, Sample, Value};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Sets of labels, of all names together.
const SERIES_MAX: usize = 1_000;
/// Labels of one sample.
const LABELS_MAX: usize = 8;
/// A name of a metric or of a label, in octets.
const NAME_BYTES_MAX: usize = 64;
/// A label's value, in octets; beyond, it is cut.
const LABEL_VALUE_BYTES_MAX: usize = 128;

/// Upper bounds for values of which nobody said what they are: of seconds, milliseconds, counts and scores alike.
const BOUNDS: [f64; 15] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 50.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0];

/// What the samples of counters and histograms are named with.
const SUFFIXES: [&str; 6] = ["_total", "_created", "_bucket", "_count", "_sum", "_info"];

/// Why a sample was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The name is no name, or has the suffix of a sample.
    Name,
    /// A label's name is none or is there twice, or there are too many.
    Labels,
    /// A counter goes down, or a value is no number.
    Value,
    /// The name was a counter before and is a histogram now, or the other way round.
    Kind,
    /// There are as many sets of labels as there may be.
    Series,
}

/// All metrics of one namer.
#[derive(Debug, Default)]
pub struct Series {
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    names: BTreeMap<Box<str>, Named>,
    series: usize,
}

/// The series of a name, by their labels in the order of the labels' names.
#[derive(Debug)]
enum Named {
    Counters(BTreeMap<Labels, u64>),
    Histograms(BTreeMap<Labels, Box<Histogram>>),
}

type Labels = Vec<(Box<str>, Box<str>)>;

#[derive(Debug, Default)]
struct Histogram {
    below: [u64; BOUNDS.len()],
    above: u64,
    sum: f64,
}

impl Refused {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [Self::Name, Self::Labels, Self::Value, Self::Kind, Self::Series];

    /// As a label names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Labels => "labels",
            Self::Value => "value",
            Self::Kind => "kind",
            Self::Series => "series",
        }
    }

    /// In words.
    #[must_use]
    pub fn why(self) -> String {
        match self {
            Self::Name => format!(
                "its name is not 1 to {NAME_BYTES_MAX} of a-z, A-Z, 0-9 and _, beginning with a letter, and without \
                 _created, _bucket, _count, _sum or _info at its end"
            ),
            Self::Labels => format!(
                "it has more than {LABELS_MAX} labels, or one twice, or one that is not 1 to {NAME_BYTES_MAX} of a-z, \
                 A-Z, 0-9 and _, beginning with a letter, or is `le`, `quantile` or `plugin`"
            ),
            Self::Value => "a counter was to go down, or a value is no finite number".to_owned(),
            Self::Kind => "its name was counted by `add` before and is observed now, or the other way round".to_owned(),
            Self::Series => format!("there are {SERIES_MAX} sets of labels already"),
        }
    }
}

impl Series {
    /// Adds to a counter; a name that ends in `_total` is the same without.
    ///
    /// # Errors
    /// The sample was dropped.
    pub fn add(&self, name: &str, labels: Vec<(String, String)>, delta: i64) -> Result<(), Refused> {
        let name = checked_name(name.strip_suffix("_total").unwrap_or(name))?;
        let delta = u64::try_from(delta).map_err(|_| Refused::Value)?;
        let labels = checked(labels)?;
        let mut all = self.all();
        let All { names, series } = &mut *all;
        match names.get_mut(name) {
            Some(Named::Counters(counters)) => match counters.get_mut(&labels) {
                Some(counter) => *counter = counter.saturating_add(delta),
                None => drop(counters.insert(one_more(series, labels)?, delta)),
            },
            Some(Named::Histograms(_)) => return Err(Refused::Kind),
            None => {
                let labels = one_more(series, labels)?;
                names.insert(name.into(), Named::Counters(BTreeMap::from([(labels, delta)])));
            }
        }
        Ok(())
    }

    /// Adds a value to a histogram.
    ///
    /// # Errors
    /// The sample was dropped.
    pub fn observe(&self, name: &str, labels: Vec<(String, String)>, value: f64) -> Result<(), Refused> {
        let name = checked_name(name)?;
        if !value.is_finite() {
            return Err(Refused::Value);
        }
        let labels = checked(labels)?;
        let mut all = self.all();
        let All { names, series } = &mut *all;
        match names.get_mut(name) {
            Some(Named::Histograms(histograms)) => match histograms.get_mut(&labels) {
                Some(histogram) => histogram.observe(value),
                None => histograms.entry(one_more(series, labels)?).or_default().observe(value),
            },
            Some(Named::Counters(_)) => return Err(Refused::Kind),
            None => {
                let labels = one_more(series, labels)?;
                let mut histograms: BTreeMap<Labels, Box<Histogram>> = BTreeMap::new();
                histograms.entry(labels).or_default().observe(value);
                names.insert(name.into(), Named::Histograms(histograms));
            }
        }
        Ok(())
    }

    /// Everything, under these names with a prefix, each with the label `plugin`.
    #[must_use]
    pub fn read(&self, prefix: &str, plugin: &str) -> Vec<Family> {
        let sample = |own: &Labels, value| {
            let plugin = (Cow::Borrowed("plugin"), plugin.to_owned());
            let own = own.iter().map(|(name, value)| (Cow::Owned(name.to_string()), value.to_string()));
            Sample { labels: [plugin].into_iter().chain(own).collect(), value }
        };
        let mut families = Vec::new();
        for (name, named) in &self.all().names {
            let (kind, samples) = match named {
                Named::Counters(counters) => {
                    let samples = counters.iter().map(|(own, count)| sample(own, Value::Whole(*count)));
                    (Kind::Counter, samples.collect())
                }
                Named::Histograms(histograms) => {
                    let samples =
                        histograms.iter().map(|(own, histogram)| sample(own, Value::Spread(histogram.read())));
                    (Kind::Histogram, samples.collect())
                }
            };
            let name = format!("{prefix}{name}").into();
            families.push(Family { name, help: "Of the plugin itself.".into(), kind, samples });
        }
        families
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Histogram {
    fn observe(&mut self, value: f64) {
        let at = BOUNDS.partition_point(|bound| *bound < value);
        *self.below.get_mut(at).unwrap_or(&mut self.above) += 1;
        self.sum += value;
    }

    fn read(&self) -> Distribution {
        let below = BOUNDS.iter().copied().zip(self.below).collect();
        Distribution { below, above: self.above, sum: self.sum }
    }
}

/// Room for one more set of labels.
fn one_more(series: &mut usize, labels: Labels) -> Result<Labels, Refused> {
    if *series >= SERIES_MAX {
        return Err(Refused::Series);
    }
    *series += 1;
    Ok(labels)
}

fn checked_name(name: &str) -> Result<&str, Refused> {
    // Behind a prefix a suffix alone would be one too.
    let is_suffixed = |suffix: &&str| name.ends_with(*suffix) || name == &suffix[1..];
    match is_name(name) && !SUFFIXES.iter().any(is_suffixed) {
        true => Ok(name),
        false => Err(Refused::Name),
    }
}

/// Labels in the order of their names, their values cut and made printable.
fn checked(labels: Vec<(String, String)>) -> Result<Labels, Refused> {
    if labels.len() > LABELS_MAX {
        return Err(Refused::Labels);
    }
    let taken = |name: &str| matches!(name, "le" | "quantile" | "plugin");
    let mut checked = Vec::with_capacity(labels.len());
    for (name, mut value) in labels {
        if !is_name(&name) || taken(&name) {
            return Err(Refused::Labels);
        }
        value.truncate(value.floor_char_boundary(LABEL_VALUE_BYTES_MAX));
        let value = if value.contains(char::is_control) { value.replace(char::is_control, " ") } else { value };
        checked.push((name.into_boxed_str(), value.into_boxed_str()));
    }
    checked.sort_unstable();
    match checked.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        true => Err(Refused::Labels),
        false => Ok(checked),
    }
}

/// Letters, digits and `_`, beginning with a letter: what every reader of metrics takes.
fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn counted(series: &Series) -> Vec<(String, String, u64)> {
        let mut all = Vec::new();
        for family in series.read("p_", "a-b") {
            for Sample { labels, value } in family.samples {
                let shown = labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",");
                let count = match value {
                    Value::Whole(count) => count,
                    Value::Spread(spread) => spread.below.iter().map(|(_, count)| count).sum::<u64>() + spread.above,
                    Value::Real(_) => unreachable!("there are none"),
                };
                all.push((family.name.to_string(), shown, count));
            }
        }
        all
    }

    #[test]
    fn the_order_of_labels_makes_no_other_series() {
        let series = Series::default();
        assert_eq!(series.add("seen_total", labels(&[("b", "2"), ("a", "1")]), 2), Ok(()));
        assert_eq!(series.add("seen", labels(&[("a", "1"), ("b", "2")]), 40), Ok(()));
        assert_eq!(counted(&series), [("p_seen".to_owned(), "plugin=a-b,a=1,b=2".to_owned(), 42)]);
    }

    #[test]
    fn what_no_reader_takes_is_dropped() {
        let series = Series::default();
        for name in ["", "1a", "_a", "a-b", "ä", "a_bucket", "a_sum", "total", &"x".repeat(NAME_BYTES_MAX + 1)] {
            assert_eq!(series.add(name, Vec::new(), 1), Err(Refused::Name), "{name}");
        }
        assert_eq!(series.observe("a_total", Vec::new(), 1.0), Err(Refused::Name));
        for bad in [&[("le", "1")][..], &[("plugin", "p")], &[("a", "1"), ("a", "2")], &[("__a", "1")], &[("a b", "1")]]
        {
            assert_eq!(series.add("a", labels(bad), 1), Err(Refused::Labels), "{bad:?}");
        }
        let many = (0..=LABELS_MAX).map(|n| (format!("l{n}"), String::new())).collect();
        assert_eq!(series.add("a", many, 1), Err(Refused::Labels));
        assert_eq!(series.add("a", Vec::new(), -1), Err(Refused::Value));
        for value in [f64::NAN, f64::INFINITY] {
            assert_eq!(series.observe("a", Vec::new(), value), Err(Refused::Value));
        }
        assert_eq!(counted(&series), []);
    }

    #[test]
    fn a_name_is_one_kind_for_ever() {
        let series = Series::default();
        assert_eq!((series.add("a", Vec::new(), 1), series.observe("b", Vec::new(), 1.0)), (Ok(()), Ok(())));
        assert_eq!(series.observe("a", Vec::new(), 1.0), Err(Refused::Kind));
        assert_eq!(series.add("b_total", Vec::new(), 1), Err(Refused::Kind));
        assert_eq!(counted(&series).len(), 2);
    }

    #[test]
    fn labels_are_bounded_in_number_and_length() {
        let series = Series::default();
        for n in 0..SERIES_MAX {
            assert_eq!(series.add("a", labels(&[("n", &n.to_string())]), 1), Ok(()));
        }
        assert_eq!(series.add("a", labels(&[("n", "one more")]), 1), Err(Refused::Series));
        assert_eq!(series.observe("b", Vec::new(), 1.0), Err(Refused::Series));
        assert_eq!(series.add("a", labels(&[("n", "7")]), 1), Ok(()), "those that are there still count");
        assert_eq!(counted(&series).len(), SERIES_MAX);
        let cut = Series::default();
        assert_eq!(cut.add("a", labels(&[("n", &"ä\n".repeat(LABEL_VALUE_BYTES_MAX))]), 1), Ok(()));
        let (_, shown, _) = &counted(&cut)[0];
        assert!(shown.len() <= "plugin=a-b,n=".len() + LABEL_VALUE_BYTES_MAX && !shown.contains('\n'));
    }

    #[test]
    fn values_fall_below_the_bound_that_includes_them() {
        let series = Series::default();
        for value in [-1.0, 0.001, 0.002, 10_000.0, 10_001.0] {
            assert_eq!(series.observe("a", Vec::new(), value), Ok(()));
        }
        let families = series.read("", "p");
        let Value::Spread(spread) = &families[0].samples[0].value else { panic!("a histogram") };
        let filled: Vec<_> = spread.below.iter().filter(|(_, count)| *count > 0).copied().collect();
        assert_eq!((filled, spread.above), (vec![(0.001, 2), (0.005, 1), (10_000.0, 1)], 1));
        assert!((spread.sum - 20_000.003).abs() < 1e-9);
    }
}
