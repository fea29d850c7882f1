//! Who may import whom: layers from the words to the door, and stages that don't know each other.

use super::super::Finding;
use super::super::imports::{Import, imports, module_of};
use super::super::tree::Tree;

/// Bottom first; a module imports only from its own layer and those before it.
const LAYERS: &[&str] = &["base", "config", "sandbox", "path", "report", "edge", "app", "cli", "main"];

/// Layers are not turned round.
pub(super) fn imports_follow_layers(tree: &Tree) -> Vec<Finding> {
    let strangers = tree.code().filter_map(|(path, ..)| {
        let top = module_of(path)?.into_iter().next()?;
        let advice = format!("`{top}` is no layer; mta-core has {}", LAYERS.join(", "));
        layer(path).is_none().then(|| Finding::new(path, 1, "layers", advice))
    });
    let upward = imports(tree).into_iter().filter_map(|import| {
        let (from, to) = (layer(&import.from)?, layer(&import.to)?);
        let advice = format!(
            "`{}` may not import `{}` ({}): turn it round, or put a trait in base",
            LAYERS[from], LAYERS[to], import.to
        );
        (to > from).then(|| Finding::new(&import.from, import.line, "layers", advice))
    });
    strangers.chain(upward).collect()
}

/// Stages meet only in `app`, by the doors in base/flow.
pub(super) fn stages_stay_apart(tree: &Tree) -> Vec<Finding> {
    let crossing = imports(tree).into_iter().filter_map(|import: Import| {
        let (from, to) = (stage(&import.from)?, stage(&import.to)?);
        let advice = format!("stage `{from}` imports stage `{to}`: use a door of base/flow, which app hands out");
        (from != to).then(|| Finding::new(&import.from, import.line, "stages", advice))
    });
    crossing.collect()
}

fn layer(path: &str) -> Option<usize> {
    let top = module_of(path)?.into_iter().next()?;
    LAYERS.iter().position(|layer| *layer == top)
}

/// What is told from beside the mail counts as one: it knows no stage, as no stage knows it.
fn stage(path: &str) -> Option<String> {
    let module = module_of(path)?;
    match module.first()?.as_str() {
        "path" => module.get(1).cloned(),
        "report" => Some("report".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let words = [
            ("mta-core/src/base/time.rs", ""),
            ("mta-core/src/edge/world.rs", ""),
            ("mta-core/src/path/queue/mod.rs", ""),
        ];
        Tree::new(words.into_iter().chain(files.iter().copied()))
    }

    #[test]
    fn an_import_from_a_later_layer_is_refused() {
        let up = tree(&[("mta-core/src/path/spool/mod.rs", "//! x\nuse crate::edge::world::Clock;")]);
        let found = imports_follow_layers(&up);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].line, found[0].rule), (2, "layers"));
        let down = tree(&[("mta-core/src/edge/x.rs", "use crate::base::time::Now;")]);
        assert_eq!(imports_follow_layers(&down), []);
    }

    #[test]
    fn a_new_module_beside_the_layers_is_refused() {
        assert_eq!(imports_follow_layers(&tree(&[("mta-core/src/things.rs", "")])).len(), 1);
    }

    #[test]
    fn a_stage_that_imports_another_is_refused_but_its_tests_may() {
        let crossing = tree(&[("mta-core/src/path/spool/mod.rs", "use crate::path::queue::Wheel;")]);
        assert_eq!(stages_stay_apart(&crossing).len(), 1);
        assert_eq!(
            stages_stay_apart(&tree(&[("mta-core/src/report/mod.rs", "use crate::path::queue::Wheel;")])).len(),
            1
        );
        let test = "#[cfg(test)] mod tests { use crate::path::queue::Wheel; }";
        assert_eq!(stages_stay_apart(&tree(&[("mta-core/src/path/spool/mod.rs", test)])), []);
    }
}
