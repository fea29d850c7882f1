//! `plugin bench`: what a component costs, hook by hook.

use super::super::super::queue::as_json;
use super::super::super::say;
use super::{test, tried};
use mta_core::app::trial::Case;
use mta_core::app::trial::bench::{Measured, Times, bench};
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// How long hooks are called.
const TIME: Duration = Duration::from_secs(2);

/// The message, where no cases are given.
const HEAD: &str = "From: a@from.example\r\nTo: b@to.example\r\nSubject: Hello, world\r\n\
    Message-ID: <1@from.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n";
/// The length of its body.
const BODY_BYTES: usize = 4096;

#[derive(Serialize)]
struct Benched {
    component: String,
    component_bytes: u64,
    #[serde(flatten)]
    measured: Measured,
}

pub(in crate::cli::plugin) fn run(
    component: &str,
    config: Option<&Path>,
    plugin: Option<&str>,
    cases: Option<&Path>,
    json: bool,
) -> Result<(), String> {
    let (config, name) = match cases.filter(|_| config.is_none()) {
        Some(folder) => {
            let config = test::configuration(Path::new(component), folder)?;
            let name = config.plugins.first().map(|plugin| plugin.name.clone());
            (config, name.ok_or_else(|| format!("{}: plugin.toml has no [[plugin]]", folder.display()))?)
        }
        None => tried(component, config, plugin)?,
    };
    let cases = match cases {
        Some(folder) => {
            let read = |path: &std::path::PathBuf| test::read(path).map_err(|why| format!("{}: {why}", path.display()));
            test::cases(folder)?.iter().map(read).collect::<Result<Vec<_>, String>>()?
        }
        None => vec![plain()],
    };
    let source = config.plugins.iter().find(|plugin| plugin.name == name).map(|plugin| plugin.source.clone());
    let octets = source.map_or(Ok(0), |source| mta_core::edge::plugins::read(&source).map(|octets| octets.len()))?;
    let measured = bench(&config, &name, &cases, TIME)?;
    let benched = Benched { component: component.to_owned(), component_bytes: octets as u64, measured };
    say(&if json { as_json(&benched)? } else { text(&benched) })
}

fn plain() -> (Case, Option<Vec<u8>>) {
    let case = Case {
        sender: "a@from.example".to_owned(),
        recipients: vec!["b@to.example".to_owned(), "c@to.example".to_owned()],
        ..Case::default()
    };
    let body = "All work and no play makes a dull message.\r\n".bytes().cycle().take(BODY_BYTES);
    (case, Some(HEAD.bytes().chain(body).collect()))
}

fn text(benched: &Benched) -> String {
    let Benched { component, component_bytes, measured } = benched;
    let row = |name: &str, times: &Times| {
        let micros = |nanos: u64| format!("{}.{:02}", nanos / 1000, nanos % 1000 / 10);
        let [median, lowest, highest] = [times.median_ns, times.lowest_ns, times.highest_ns].map(micros);
        format!("  {name:<16}{median:>10}{lowest:>10}{highest:>11}{:>9}", times.count)
    };
    let mut lines = vec![
        format!("{component}, {component_bytes} octets; times in microseconds"),
        format!("  {:<16}{:>10}{:>10}{:>11}{:>9}", "", "median", "lowest", "highest", "calls"),
    ];
    lines.extend(measured.hooks.iter().map(|hook| row(&hook.hook, &hook.times)));
    lines.push(row("fresh instance", &measured.fresh_instance));
    lines.push(format!("  memory of an instance: {} octets; instances: {}", measured.memory_bytes, measured.instances));
    if !measured.not_called.is_empty() {
        lines.push(format!("  not measured: {}", measured.not_called.join(", ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_core::app::trial::bench::HookMeasured;

    #[test]
    fn figures_stand_in_columns() {
        let times = Times { count: 1000, median_ns: 870, lowest_ns: 800, highest_ns: 123_456 };
        let measured = Measured {
            hooks: vec![HookMeasured { hook: "rcpt".to_owned(), times }],
            not_called: vec!["tick".to_owned()],
            fresh_instance: times,
            instances: "restored".to_owned(),
            memory_bytes: 65536,
        };
        let benched = Benched { component: "p.wasm".to_owned(), component_bytes: 50_000, measured };
        assert_eq!(
            text(&benched),
            "p.wasm, 50000 octets; times in microseconds
                      median    lowest    highest    calls
  rcpt                  0.87      0.80     123.45     1000
  fresh instance        0.87      0.80     123.45     1000
  memory of an instance: 65536 octets; instances: restored
  not measured: tick"
        );
    }
}
