//! No circle in the import graph of mta-core's files.

use super::super::Finding;
use super::super::imports::imports;
use super::super::tree::Tree;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What one file says can be understood without those that import it. A circle takes that away from all its files.
pub(super) fn no_import_circles(tree: &Tree) -> Vec<Finding> {
    let imports = imports(tree);
    let mut graph: BTreeMap<&str, Vec<(&str, usize)>> = BTreeMap::new();
    for import in &imports {
        graph.entry(&import.from).or_default().push((&import.to, import.line));
    }
    let mut told: BTreeSet<Vec<&str>> = BTreeSet::new();
    let mut findings = Vec::new();
    for start in graph.keys() {
        let Some(circle) = shortest_circle(&graph, start) else { continue };
        // Told once, at its first file by name.
        if circle.iter().min() != Some(start) || !told.insert(circle.clone()) {
            continue;
        }
        let line = graph[start].iter().find(|(to, _)| *to == circle[1 % circle.len()]).map_or(1, |(_, line)| *line);
        let way = circle.iter().chain([start]).copied().collect::<Vec<_>>().join(" -> ");
        let advice = format!("imports go in a circle: {way}; move what they share below all of them");
        findings.push(Finding::new(start, line, "circle", advice));
    }
    findings
}

/// The files of the shortest way from `start` back to itself, without its end.
fn shortest_circle<'t>(graph: &BTreeMap<&'t str, Vec<(&'t str, usize)>>, start: &'t str) -> Option<Vec<&'t str>> {
    let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
    let mut next = VecDeque::from([start]);
    while let Some(file) = next.pop_front() {
        for (to, _) in graph.get(file).into_iter().flatten() {
            if *to == start {
                let mut way = vec![file];
                while let Some(before) = came_from.get(way[way.len() - 1]) {
                    way.push(before);
                }
                way.reverse();
                return Some(way);
            }
            if !came_from.contains_key(to) {
                came_from.insert(to, file);
                next.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_of_three_is_found_once_and_a_chain_is_not() {
        let circle = Tree::new([
            ("mta-core/src/base/a.rs", "use super::b::B;"),
            ("mta-core/src/base/b.rs", "use super::c::C;"),
            ("mta-core/src/base/c.rs", "use crate::base::a::A;"),
            ("mta-core/src/base/d.rs", "use super::a::A;"),
        ]);
        let found = no_import_circles(&circle);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].file, "mta-core/src/base/a.rs");
        assert!(found[0].advice.contains("base/a.rs -> mta-core/src/base/b.rs -> mta-core/src/base/c.rs"));
        let chain = Tree::new([("mta-core/src/base/a.rs", "use super::b::B;"), ("mta-core/src/base/b.rs", "")]);
        assert_eq!(no_import_circles(&chain), []);
    }
}
