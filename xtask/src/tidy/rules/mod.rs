//! Every rule, one function each.

mod circles;
mod citations;
mod functions;
mod layers;
mod layout;
mod outside;
mod panics;
mod text;
mod waiting;

use super::Finding;
use super::pages::{limits_are_the_sources, pages_are_current};
use super::tree::Tree;

/// What `cargo xtask tidy` checks.
pub(super) const ALL: &[fn(&Tree) -> Vec<Finding>] = &[
    circles::no_import_circles,
    citations::cited_in_tests_and_code,
    citations::protocol_files_cite,
    functions::short_functions,
    layers::imports_follow_layers,
    layers::stages_stay_apart,
    layout::allowed_top_level,
    layout::shallow_sources,
    layout::short_files,
    layout::small_folders,
    limits_are_the_sources,
    outside::outside_only_at_the_edge,
    pages_are_current,
    panics::no_reasonless_allow,
    panics::no_unsafe,
    panics::no_wordless_panics,
    text::files_say_what_they_are_for,
    text::links_resolve,
    text::no_unfinished_marks,
    text::parses,
    waiting::waits_only_in_drivers,
];
