//! `plugin test`: a component on the cases of a folder, with what differs from what they expect.

use super::super::super::say;
use super::configuration_of;
use mta_core::app::trial::{Case, Told, play};
use mta_core::config::model::Config;
use std::fs;
use std::path::{Path, PathBuf};

/// The folder's own word on grants and configuration: a `[[plugin]]` as the operator would write it.
const PLUGIN: &str = "plugin.toml";

/// Plays every case, and says which differ.
pub(in crate::cli::plugin) fn run(component: &Path, folder: &Path) -> Result<(), String> {
    let config = configuration(component, folder)?;
    let cases = cases(folder)?;
    let mut failed = 0_usize;
    for path in &cases {
        let name = path.display();
        let differences = one(&config, path).map_err(|why| format!("{name}: {why}"))?;
        if differences.is_empty() {
            say(&format!("ok      {name}"))?;
        } else {
            failed += 1;
            say(&format!("FAILED  {name}\n{}", differences.join("\n")))?;
        }
    }
    match failed {
        0 => say(&format!("{0} of {0} cases are as expected", cases.len())),
        failed => Err(format!("{failed} of {} cases are not as expected (- expected, + got)", cases.len())),
    }
}

pub(super) fn configuration(component: &Path, folder: &Path) -> Result<Config, String> {
    let path = folder.join(PLUGIN);
    let shown = path.display().to_string();
    let text = fs::read_to_string(&path).map_err(|error| {
        format!(
            "{shown}: {error}; it says what the plugin is allowed, as the server's configuration would: a [[plugin]] \
                 with name, source, and allow, edit and config where it has some"
        )
    })?;
    configuration_of(&shown, &text, component)
}

/// The cases in the order of their names.
pub(super) fn cases(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let told = |error: std::io::Error| format!("{}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(told)? {
        let path = entry.map_err(told)?.path();
        if path.extension().is_some_and(|end| end == "toml") && path.file_name().is_some_and(|name| name != PLUGIN) {
            found.push(path);
        }
    }
    found.sort();
    if found.is_empty() { Err(format!("{}: it has no cases (NAME.toml)", folder.display())) } else { Ok(found) }
}

fn one(config: &Config, path: &Path) -> Result<Vec<String>, String> {
    let (case, message) = read(path)?;
    let told = play(config, &case, message.as_deref())?;
    Ok(differences(&case.expect, &told))
}

/// A case, and its message.
pub(super) fn read(path: &Path) -> Result<(Case, Option<Vec<u8>>), String> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let case: Case = toml::from_str(&text).map_err(|error| error.to_string())?;
    let message = case.message.as_ref().map(|name| {
        let file = path.parent().unwrap_or(path).join(name);
        fs::read(&file).map_err(|error| format!("message {}: {error}", file.display()))
    });
    let message = message.transpose()?;
    Ok((case, message))
}

/// Lines of what was expected and of what was got, for each hook where they differ. A fault that no case expects is one.
fn differences(expected: &Told, told: &Told) -> Vec<String> {
    let one = |text: &Option<String>| text.as_ref().map(|text| vec![text.clone()]);
    let hooks = [
        ("connect", one(&expected.connect), one(&told.connect)),
        ("helo", one(&expected.helo), one(&told.helo)),
        ("mail", one(&expected.mail), one(&told.mail)),
        ("rcpt", expected.rcpt.clone(), told.rcpt.clone()),
        ("data", one(&expected.data), one(&told.data)),
        ("edits", expected.edits.clone(), told.edits.clone()),
        ("route", expected.route.clone(), told.route.clone()),
        ("pre_send", expected.pre_send.clone(), told.pre_send.clone()),
        ("login", expected.login.clone(), told.login.clone()),
        ("request", expected.request.clone(), told.request.clone()),
        ("log", expected.log.clone(), told.log.clone()),
        ("suppressed", expected.suppressed.clone(), told.suppressed.clone()),
        ("faults", Some(expected.faults.clone().unwrap_or_default()), told.faults.clone()),
    ];
    let mut lines = Vec::new();
    for (hook, expected, told) in hooks {
        let Some(expected) = expected else { continue };
        let told = told.unwrap_or_else(|| vec!["(not asked)".to_owned()]);
        if expected != told {
            lines.push(format!("  {hook}"));
            lines.extend(expected.iter().filter(|line| !told.contains(line)).map(|line| format!("    - {line}")));
            lines.extend(told.iter().filter(|line| !expected.contains(line)).map(|line| format!("    + {line}")));
            if expected.len() == told.len() && expected.iter().all(|line| told.contains(line)) {
                lines.push("    the same lines in another order, or another number of times".to_owned());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_expected_is_compared_and_faults_always() {
        let text = |text: &str| Some(text.to_owned());
        let told = Told { connect: text("next"), rcpt: Some(vec!["next".to_owned()]), ..Told::default() };
        let told = Told { faults: Some(Vec::new()), ..told };
        assert!(differences(&Told::default(), &told).is_empty());
        let expected = Told { rcpt: Some(vec!["accept".to_owned()]), data: text("next"), ..Told::default() };
        let lines = differences(&expected, &told);
        assert_eq!(lines, ["  rcpt", "    - accept", "    + next", "  data", "    - next", "    + (not asked)"]);
        let faulty = Told { faults: Some(vec!["rcpt trap: x".to_owned()]), ..told };
        assert_eq!(differences(&Told::default(), &faulty), ["  faults", "    + rcpt trap: x"]);
    }

    #[test]
    fn a_folder_says_what_the_plugin_is_allowed() {
        let dir = tempfile::tempdir().expect("a directory");
        let words = configuration(Path::new("p.wasm"), dir.path()).expect_err("there is no plugin.toml");
        assert!(words.contains("plugin.toml") && words.contains("a [[plugin]]"), "{words}");
        let text = "[[plugin]]\nname = \"p\"\nsource = \"else.wasm\"\nallow = [\"log\"]\nconfig = { a = 1 }\n";
        fs::write(dir.path().join(PLUGIN), text).expect("written");
        let config = configuration(Path::new("p.wasm"), dir.path()).expect("it is sound");
        assert_eq!(config.plugins[0].source.to_string(), "p.wasm");
        assert_eq!(config.plugins[0].config_json, "{\"a\":1}");
        assert!(cases(dir.path()).is_err_and(|words| words.contains("it has no cases")));
    }
}
