//! Clocks, dice, sockets, names and files only at the edge: everything else takes them as parameters.

use super::super::Finding;
use super::super::code::PathUse;
use super::super::tree::Tree;

const SOURCES: &str = "mta-core/src/";

/// Paths that reach outside, by how they begin or (with `…`) end, and what to use in their place.
const REACHES: &[(&[&str], &str)] = &[
    (&["…", "Instant", "now"], "base::world::Clock"),
    (&["…", "SystemTime", "now"], "base::world::Clock"),
    (&["std", "thread", "sleep"], "base::world::Clock"),
    (&["tokio", "time"], "base::world::Clock"),
    (&["getrandom"], "base::world::Dice"),
    (&["rand"], "base::world::Dice"),
    (&["…", "TcpStream"], "base::world::net"),
    (&["…", "TcpListener"], "base::world::net"),
    (&["…", "UdpSocket"], "base::world::net"),
    (&["…", "UnixStream"], "base::world::net"),
    (&["…", "UnixListener"], "base::world::net"),
    (&["tokio", "net"], "base::world::net"),
    (&["socket2"], "base::world::net"),
    (&["hickory_resolver"], "base::world::dns"),
    (&["std", "fs"], "base::world::store"),
    (&["tokio", "fs"], "base::world::store"),
    (&["rustix"], "a trait of base::world"),
    (&["sled"], "base::world::store"),
];

/// A machine that is given the time can be tested at any time.
pub(super) fn outside_only_at_the_edge(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let inside = tree.code().filter(|(path, _, code)| path.starts_with(SOURCES) && !may_reach(path) && !code.all_test);
    for (path, _, code) in inside {
        for used in code.paths.iter().filter(|used| !used.place.test) {
            if let Some((_, instead)) = REACHES.iter().find(|(reach, _)| reaches(used, reach)) {
                let advice = format!("`{}` outside edge/: take {instead} as a parameter", used.segments.join("::"));
                findings.push(Finding::new(path, used.place.line, "outside", advice));
            }
        }
    }
    findings
}

fn reaches(used: &PathUse, reach: &[&str]) -> bool {
    match reach.split_first() {
        Some((&"…", tail)) => used.segments.windows(tail.len()).any(|window| window == tail),
        _ => used.segments.len() >= reach.len() && used.segments.iter().zip(reach).all(|(one, other)| one == other),
    }
}

fn may_reach(path: &str) -> bool {
    let inside = &path[SOURCES.len()..];
    ["edge/", "app/", "cli/"].iter().any(|folder| inside.starts_with(folder))
        || ["app.rs", "cli.rs", "main.rs"].contains(&inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        outside_only_at_the_edge(&Tree::new([(format!("{SOURCES}{path}"), text)])).len()
    }

    #[test]
    fn every_reach_outside_is_refused_and_allowed_at_the_edge() {
        for (reach, _) in REACHES {
            let path = reach.iter().map(|s| if *s == "…" { "std::x" } else { s }).collect::<Vec<_>>().join("::");
            let text = format!("fn f() {{ {path}::g(); }}");
            assert_eq!(found("path/queue/wheel.rs", &text), 1, "{text}");
            assert_eq!(found("edge/world/clock.rs", &text), 0, "{text}");
        }
        assert_eq!(found("path/queue/wheel.rs", "use std::net::TcpStream;"), 1);
        assert_eq!(found("path/queue/wheel.rs", "fn f() { let t = Instant::now(); }"), 1);
    }

    #[test]
    fn types_without_a_reach_and_tests_pass() {
        assert_eq!(found("path/queue/wheel.rs", "use std::time::{Duration, Instant}; use std::net::IpAddr;"), 0);
        assert_eq!(found("path/queue/wheel.rs", "#[test] fn f() { Instant::now(); }"), 0);
    }
}
