//! `cargo xtask bench`: runs mta-core's benches (examples named `…_bench`) in release and prints one table.
//!
//! A bench prints a figure a line, `name<TAB>figure<TAB>unit`; anything else that it prints is shown as it is.

use crate::command;
use clap::Args;
use std::path::Path;

const FOLDER: &str = "mta-core/examples";

#[derive(Args)]
pub(crate) struct Options {
    /// Only benches whose name has this in it.
    filter: Option<String>,
}

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
struct Row {
    bench: String,
    name: String,
    figure: String,
    unit: String,
}

/// Runs the benches.
///
/// # Errors
/// There are none of that name, or one failed.
pub(crate) fn run(root: &Path, options: &Options) -> Result<(), String> {
    command::ensure_wasm_target(root)?;
    let wanted = options.filter.as_deref().unwrap_or("");
    let names: Vec<_> = benches(root)?.into_iter().filter(|name| name.contains(wanted)).collect();
    if names.is_empty() {
        return Err(format!("no bench in {FOLDER} has `{wanted}` in its name"));
    }
    // Benches of the whole program start the built program itself.
    command::run(command::cargo(root).args(["build", "--quiet", "--release", "--package", "mta-core", "--bins"]))?;
    let mut rows = Vec::new();
    for name in &names {
        let mut bench = command::cargo(root);
        bench.args(["run", "--quiet", "--release", "--package", "mta-core", "--example", name]);
        bench.stderr(std::process::Stdio::inherit());
        eprintln!("{name} …");
        let said = command::output(&mut bench)?;
        for line in said.lines() {
            match row(name, line) {
                Some(row) => rows.push(row),
                None => println!("{line}"),
            }
        }
    }
    print!("{}", table(&rows));
    Ok(())
}

fn benches(root: &Path) -> Result<Vec<String>, String> {
    let folder = root.join(FOLDER);
    let mut names = Vec::new();
    for file in std::fs::read_dir(&folder).map_err(|e| format!("{FOLDER}: {e}"))? {
        let file = file.map_err(|e| format!("{FOLDER}: {e}"))?.path();
        let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        names.extend(stem.filter(|stem| stem.ends_with("_bench")));
    }
    names.sort();
    Ok(names)
}

fn row(bench: &str, line: &str) -> Option<Row> {
    let [name, figure, unit] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let bench = bench.trim_end_matches("_bench").to_owned();
    Some(Row { bench, name: name.to_owned(), figure: figure.to_owned(), unit: unit.to_owned() })
}

fn table(rows: &[Row]) -> String {
    let width = |of: fn(&Row) -> &str| rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
    let (bench, name, figure) = (width(|row| &row.bench), width(|row| &row.name), width(|row| &row.figure));
    let line = |row: &Row| format!("{:bench$}  {:name$}  {:>figure$} {}\n", row.bench, row.name, row.figure, row.unit);
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_become_a_table_and_words_stay_words() {
        let rows: Vec<_> = ["append, 20 at once\t16500\tmsg/s", "a remark", "a\t1.5\tms"]
            .iter()
            .filter_map(|line| row("spool_bench", line))
            .collect();
        assert_eq!(table(&rows), "spool  append, 20 at once  16500 msg/s\nspool  a                     1.5 ms\n");
    }
}
