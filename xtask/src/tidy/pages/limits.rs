//! The page of the plugins' limits: what it says of a constant or a key's default is what the sources say.

use super::super::Finding;
use super::super::tree::Tree;

const PAGE: &str = "docs/plugins/limits.md";
const CONFIGURATION: &str = "docs/configuration.md";

/// A row whose last cells are `` `CONSTANT` `` and `` `path` `` has that constant's value, and one with a key of the
/// configuration, as `` `plugin.budget.wall` ``, the default of that key.
pub(in super::super) fn limits_are_the_sources(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(page) = tree.text(PAGE) else { return findings };
    for (number, line) in (1..).zip(page.lines()) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [_, value, name, ..] = cells[..] else { continue };
        let Some(named) = name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) else { continue };
        let wanted = match named.rsplit_once(": ") {
            Some((path, constant)) => {
                match tree.text(&format!("mta-core/src/{path}")).and_then(|text| constant_of(text, constant)) {
                    Some(value) => value,
                    None => {
                        let advice =
                            format!("there is no constant {constant} with a plain value in mta-core/src/{path}");
                        findings.push(Finding::new(PAGE, number, "limits", advice));
                        continue;
                    }
                }
            }
            None => match tree.text(CONFIGURATION).and_then(|text| default_of(text, named)) {
                Some(default) => default,
                None => {
                    findings.push(Finding::new(PAGE, number, "limits", format!("{CONFIGURATION} has no key {named}")));
                    continue;
                }
            },
        };
        if plain(value) != plain(&wanted) {
            findings.push(Finding::new(PAGE, number, "limits", format!("it says {value}; {named} is {wanted}")));
        }
    }
    findings
}

/// A value without what people put into it: `64 KiB`, `65,536` and `"64KiB"` are one.
fn plain(value: &str) -> String {
    let value: String = value.chars().filter(|c| !matches!(c, ' ' | ',' | '"' | '`' | '_')).collect();
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let sized = units.iter().find_map(|(unit, shift)| {
        let number: u128 = value.strip_suffix(unit)?.parse().ok()?;
        Some((number << shift).to_string())
    });
    sized.unwrap_or(value)
}

/// A constant's value: a product, sum or shift of numbers, or a time as `30s`.
fn constant_of(text: &str, name: &str) -> Option<String> {
    let start = format!("const {name}:");
    let line = text.lines().find(|line| line.contains(&start))?;
    let value = line.split_once(" = ")?.1.trim_end_matches(';');
    let within = |prefix: &str| value.strip_prefix(prefix)?.strip_suffix(')');
    if let Some(seconds) = within("Duration::from_secs(") {
        return Some(format!("{seconds}s"));
    }
    if let Some(millis) = within("Duration::from_millis(") {
        return Some(format!("{millis}ms"));
    }
    let number = |text: &str| text.trim().replace('_', "").parse::<u128>().ok();
    if let Some((one, shift)) = value.split_once("<<") {
        return Some((number(one)? << number(shift)?).to_string());
    }
    value.split('*').map(number).try_fold(1, |product: u128, factor| Some(product * factor?)).map(|all| all.to_string())
}

/// The default of a key: the second cell of its row, below the heading of its section.
fn default_of(text: &str, key: &str) -> Option<String> {
    let (section, key) = key.rsplit_once('.')?;
    let heading = format!("## `{section}`");
    let mut lines =
        text.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with("## "));
    let row = lines.find(|line| line.starts_with(&format!("| `{key}` | ")))?;
    row.split(" | ").nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_that_is_not_the_sources_is_refused() {
        let source = "const A_MAX: usize = 64 * 1024;\nconst B_MAX: u32 = 1 << 20;\nconst C: Duration = Duration::from_secs(30);\n\
            const D_MAX: usize = A_MAX + 1;\n";
        let configuration =
            "## `plugin.budget`\n\n| key | default |\n| `wall` | `\"5s\"` | Time. |\n\n## `log`\n| `x` | 1 | |\n";
        let found = |row: &str| {
            let tree = Tree::new([
                (PAGE, format!("| what | default | name | beyond |\n|---|---|---|---|\n{row}\n")),
                ("mta-core/src/a.rs", source.to_owned()),
                (CONFIGURATION, configuration.to_owned()),
            ]);
            limits_are_the_sources(&tree).into_iter().map(|finding| finding.advice).collect::<Vec<_>>()
        };
        for right in [
            "| A | 64 KiB | `a.rs: A_MAX` | cut |",
            "| B | 1,048,576 | `a.rs: B_MAX` | cut |",
            "| C | 30 s | `a.rs: C` | cut |",
            "| W | 5 s | `plugin.budget.wall` | ended |",
            "| words | 5 | in words alone | - |",
        ] {
            assert_eq!(found(right), [""; 0], "{right}");
        }
        for wrong in [
            "| A | 65 KiB | `a.rs: A_MAX` | cut |",
            "| A | 1 | `b.rs: A_MAX` | cut |",
            "| D | 65,537 | `a.rs: D_MAX` | cut |",
            "| W | 6 s | `plugin.budget.wall` | ended |",
            "| W | 5 s | `plugin.budget.cpu` | ended |",
        ] {
            assert_eq!(found(wrong).len(), 1, "{wrong}");
        }
    }
}
