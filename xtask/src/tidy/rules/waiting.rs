//! Where the program may wait: machines don't, drivers do.

use super::super::Finding;
use super::super::code::Sight;
use super::super::tree::Tree;

const SOURCES: &str = "mta-core/src/";

/// `.await` and `async` only in files named `driver.rs`, folders named `driver`, the sandbox's doors, the edge,
/// the wiring and the door. Everything else is (input, now) in, effects out.
pub(super) fn waits_only_in_drivers(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, _, code) in tree.code().filter(|(path, ..)| path.starts_with(SOURCES) && !may_wait(path)) {
        // One line says it; ten would hide other findings.
        if let Some(line) = code.sighted(Sight::Waiting).min() {
            let advice = "waits; move it into the stage's driver.rs and leave a machine here";
            findings.push(Finding::new(path, line, "waiting", advice));
        }
    }
    findings
}

fn may_wait(path: &str) -> bool {
    let inside = &path[SOURCES.len()..];
    let is_driver = inside.ends_with("/driver.rs") || inside.contains("/driver/");
    is_driver
        || ["edge/", "sandbox/bounds/", "sandbox/doors/", "sandbox/host/", "sandbox/loading/", "app/", "cli/"]
            .iter()
            .any(|folder| inside.starts_with(folder))
        || ["app.rs", "cli.rs", "main.rs"].contains(&inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(path: &str, text: &str) -> usize {
        waits_only_in_drivers(&Tree::new([(format!("{SOURCES}{path}"), text)])).len()
    }

    #[test]
    fn a_machine_that_waits_is_refused_and_its_driver_is_not() {
        let text = "async fn f() { g().await }";
        assert_eq!(waiting("path/receive/session.rs", text), 1);
        assert_eq!(waiting("path/receive/driver.rs", text), 0);
        assert_eq!(waiting("path/receive/driver/pump.rs", text), 0);
        assert_eq!(waiting("sandbox/host/log.rs", text), 0);
        assert_eq!(waiting("edge/world/net.rs", text), 0);
        assert_eq!(waiting("path/receive/hosts.rs", "#[cfg(test)] mod tests { async fn f() {} }"), 0);
    }

    #[test]
    fn waits_are_seen_in_closures_blocks_and_macros() {
        for text in
            ["fn f() { async move {}; }", "fn f() { h(async || 1); }", "fn f() { select! { a = b.await => {} } }"]
        {
            assert_eq!(waiting("path/queue/wheel.rs", text), 1, "{text}");
        }
    }
}
