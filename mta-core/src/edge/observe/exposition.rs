//! Metrics as text: OpenMetrics 1.0, which Prometheus reads.

use crate::base::world::metrics::{Family, Kind, Measure, Value};
use std::borrow::Cow;
use std::fmt::{self, Write};
use std::sync::Arc;

/// The text's type in HTTP.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that counts, in the order in which it is shown.
pub struct Metrics(pub Vec<Arc<dyn Measure>>);

impl Metrics {
    /// All of it as it is now.
    #[must_use]
    pub fn text(&self) -> String {
        let mut families = Vec::new();
        self.0.iter().for_each(|counting| counting.measure(&mut families));
        let mut text = String::new();
        // Writing to memory does not fail.
        let _ = families.iter().try_for_each(|family| write_family(&mut text, family));
        text.push_str("# EOF\n");
        text
    }
}

fn write_family(text: &mut String, family: &Family) -> fmt::Result {
    let Family { name, help, kind, samples } = family;
    let kind_name = match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    writeln!(text, "# TYPE {name} {kind_name}\n# HELP {name} {}", escaped(help))?;
    for sample in samples {
        let labels = Labels(&sample.labels, None);
        match &sample.value {
            Value::Whole(count) => writeln!(text, "{name}{}{labels} {count}", suffix(*kind))?,
            Value::Real(value) => writeln!(text, "{name}{}{labels} {}", suffix(*kind), Real(*value))?,
            Value::Spread(spread) => {
                let mut below = 0;
                for (bound, count) in &spread.below {
                    below += count;
                    writeln!(text, "{name}_bucket{} {below}", Labels(&sample.labels, Some(*bound)))?;
                }
                let all = below + spread.above;
                writeln!(text, "{name}_bucket{} {all}", Labels(&sample.labels, Some(f64::INFINITY)))?;
                writeln!(text, "{name}_count{labels} {all}\n{name}_sum{labels} {}", Real(spread.sum))?;
            }
        }
    }
    Ok(())
}

fn suffix(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "_total",
        Kind::Gauge | Kind::Histogram => "",
    }
}

/// `{name="value",le="0.5"}`; nothing where there is none.
struct Labels<'a>(&'a [(Cow<'static, str>, String)], Option<f64>);

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(labels, bound) = self;
        let mut before = '{';
        for (name, value) in *labels {
            write!(f, "{before}{name}=\"{}\"", escaped(value))?;
            before = ',';
        }
        if let Some(bound) = bound {
            write!(f, "{before}le=\"{}\"", Real(*bound))?;
            before = ',';
        }
        if before == ',' { f.write_str("}") } else { Ok(()) }
    }
}

/// A number that is seen to be none of whole ones.
struct Real(f64);

impl fmt::Display for Real {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            value if value == f64::INFINITY => f.write_str("+Inf"),
            value if value.fract() == 0.0 => write!(f, "{value}.0"),
            value => write!(f, "{value}"),
        }
    }
}

/// What would end the text, or the line, is written with a backslash.
fn escaped(text: &str) -> Cow<'_, str> {
    match text.contains(['\\', '"', '\n']) {
        true => text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::world::metrics::Distribution;

    struct Some3;

    impl Measure for Some3 {
        fn measure(&self, into: &mut Vec<Family>) {
            let counter = Family::new("a", Kind::Counter, "Counts \"a\".");
            into.push(counter.with(&[], Value::Whole(7)).with(&[("x", "1\\\"\n")], Value::Real(1.5)));
            into.push(Family::new("b", Kind::Gauge, "B."));
            let spread = Distribution { below: vec![(0.000_001, 2), (1.0, 0)], above: 1, sum: 10.0 };
            into.push(Family::new("c", Kind::Histogram, "C.").with(&[("x", "y")], Value::Spread(spread)));
        }
    }

    #[test]
    fn families_are_written_as_openmetrics_has_them() {
        let wanted = r##"# TYPE a counter
# HELP a Counts \"a\".
a_total 7
a_total{x="1\\\"\n"} 1.5
# TYPE b gauge
# HELP b B.
# TYPE c histogram
# HELP c C.
c_bucket{x="y",le="0.000001"} 2
c_bucket{x="y",le="1.0"} 2
c_bucket{x="y",le="+Inf"} 3
c_count{x="y"} 3
c_sum{x="y"} 10.0
# EOF
"##;
        assert_eq!(Metrics(vec![Arc::new(Some3)]).text(), wanted);
    }
}
