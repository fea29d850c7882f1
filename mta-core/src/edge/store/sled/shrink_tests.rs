//! An index that shrinks says the same throughout, whatever is written meanwhile and wherever it is cut short.

use super::super::disk::LocalDisk;
use super::draft::SPARE_BYTES;
use super::note::{self, Note};
use super::trees::{Trees, guard};
use crate::base::world::store::{Position, Shrunk, Write};
use bytes::Bytes;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

const TREES: [&str; 2] = ["entry", "kv"];
/// Free space without end.
const PLENTY: u64 = u64::MAX;

type Model = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

/// Trees that are worth shrinking from the first few octets on, a few entries a step.
fn open(dir: &Path) -> Trees {
    let trees = Trees::open(Arc::new(LocalDisk::DIRECT), dir, &dir.join("damaged"), 1 << 20).expect("an index");
    let mut turn = guard(&trees.turn);
    turn.shrinking.spare_bytes = 1;
    turn.shrinking.step_entries = 7;
    drop(turn);
    trees
}

fn put(trees: &Trees, model: &mut Model, tree: &'static str, key: u8, value: Option<Vec<u8>>) {
    match value.clone() {
        Some(value) => model.insert((tree, vec![key]), value),
        None => model.remove(&(tree, vec![key])),
    };
    let write = Write { tree, key: vec![key].into(), value: value.map(Bytes::from) };
    trees.apply(&[write]).expect("applied");
}

fn contents(trees: &Trees) -> Model {
    let pairs = TREES.into_iter().flat_map(|tree| {
        let pairs = trees.scan(tree, None, usize::MAX).expect("scanned");
        pairs.into_iter().map(move |(key, value)| ((tree, key.to_vec()), value.to_vec()))
    });
    pairs.collect()
}

/// An index that was large and in which little is left.
fn mostly_dead(dir: &Path, model: &mut Model) -> Trees {
    let trees = open(dir);
    for key in 0..200 {
        put(&trees, model, TREES[usize::from(key % 2)], key, Some(vec![key; 4000]));
    }
    trees.checkpoint(Position(1)).expect("made");
    for key in 0..160 {
        put(&trees, model, TREES[usize::from(key % 2)], key, None);
    }
    trees.checkpoint(Position(2)).expect("made");
    trees
}

/// The directory as a crash at this moment would leave it, opened again.
fn crashed(dir: &Path) -> (tempfile::TempDir, Trees) {
    let after = tempfile::tempdir().expect("a directory");
    copy(dir, after.path());
    let trees = open(after.path());
    (after, trees)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for item in fs::read_dir(from).expect("readable") {
        let item = item.expect("readable");
        let target = to.join(item.file_name());
        if item.file_type().expect("known").is_dir() {
            copy(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).expect("copied");
        }
    }
}

fn indexes(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir.join("index")).expect("readable");
    let mut names: Vec<_> =
        names.map(|item| item.expect("readable").file_name().into_string().expect("text")).collect();
    names.sort();
    names
}

fn bytes(dir: &Path) -> u64 {
    let items = fs::read_dir(dir).expect("readable").map(|item| item.expect("readable"));
    items.map(|item| item.metadata().map_or(0, |m| if m.is_dir() { bytes(&item.path()) } else { m.len() })).sum()
}

#[test]
fn a_crash_between_any_two_steps_leaves_one_whole_index() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut model = Model::new();
    let trees = mostly_dead(dir.path(), &mut model);
    let before = tempfile::tempdir().expect("a directory");
    copy(dir.path(), before.path());
    let mut steps = 0;
    loop {
        let shrunk = trees.shrink(PLENTY).expect("a step");
        let (place, after) = crashed(dir.path());
        assert!(contents(&after) == model, "after step {steps}");
        assert_eq!((after.lost(), after.checkpointed()), (None, Some(Position(2))));
        assert_eq!(indexes(place.path()).len(), 1, "the other is removed");
        if shrunk != Shrunk::GoesOn {
            assert!(matches!(shrunk, Shrunk::By { bytes } if bytes > 0), "{shrunk:?}");
            break;
        }
        steps += 1;
    }
    assert!(steps > 3);
    assert_eq!((indexes(before.path()), indexes(dir.path())), (vec!["1".to_owned()], vec!["2".to_owned()]));

    // Within the last step: the new one is whole and not yet named; it is named and the old one not yet removed.
    copy(&before.path().join("index"), &dir.path().join("index"));
    for (named, counts) in [(before.path(), "1"), (dir.path(), "2")] {
        let note = note::read(named).expect("readable").expect("a note");
        let (place, after) = {
            let place = tempfile::tempdir().expect("a directory");
            copy(dir.path(), place.path());
            note::write(&LocalDisk::DIRECT, place.path(), note).expect("written");
            let after = open(place.path());
            (place, after)
        };
        assert!(contents(&after) == model, "index {counts}");
        assert_eq!((after.lost(), indexes(place.path())), (None, vec![counts.to_owned()]));
    }
    assert_eq!(trees.shrink(PLENTY), Ok(Shrunk::Not), "once is enough");
}

#[test]
fn a_note_that_names_no_index_makes_an_empty_one_that_is_told_as_lost() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut model = Model::new();
    drop(mostly_dead(dir.path(), &mut model));
    note::write(&LocalDisk::DIRECT, dir.path(), Note { upto: Position(2), generation: 9 }).expect("written");
    let trees = open(dir.path());
    assert_eq!((trees.lost().as_deref(), trees.checkpointed()), (Some("its files are not there"), None));
    assert!(contents(&trees).is_empty());
    assert!(dir.path().join("damaged/index/1/db").exists(), "what was there is kept");
}

#[test]
fn a_copy_that_there_is_no_room_for_is_not_begun_and_a_reset_lets_one_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut model = Model::new();
    let trees = mostly_dead(dir.path(), &mut model);
    assert_eq!(trees.shrink(1000), Ok(Shrunk::Not));
    assert_eq!(trees.shrink(PLENTY), Ok(Shrunk::GoesOn));
    assert_eq!(indexes(dir.path()), ["1", "2"]);
    trees.reset().expect("reset");
    assert_eq!(trees.shrink(PLENTY), Ok(Shrunk::Not));
    assert!(contents(&trees).is_empty());
    assert_eq!(indexes(dir.path()).len(), 1);
}

#[test]
fn an_index_where_nothing_lives_gives_its_file_back() {
    let dir = tempfile::tempdir().expect("a directory");
    let trees =
        Trees::open(Arc::new(LocalDisk::DIRECT), dir.path(), &dir.path().join("damaged"), 8 << 20).expect("an index");
    let write = |n: u32, value| Write { tree: "entry", key: Bytes::copy_from_slice(&n.to_be_bytes()), value };
    for n in 0..30_000 {
        trees.apply(&[write(n, Some(vec![7; 600].into()))]).expect("applied");
    }
    trees.checkpoint(Position(1)).expect("made");
    assert_eq!(trees.shrink(PLENTY), Ok(Shrunk::Not), "all of it lives");
    drop(trees);
    // What lives is not known from before: it is counted.
    let trees =
        Trees::open(Arc::new(LocalDisk::DIRECT), dir.path(), &dir.path().join("damaged"), 8 << 20).expect("an index");
    trees.apply(&(0..30_000).map(|n| write(n, None)).collect::<Vec<_>>()).expect("applied");
    trees.checkpoint(Position(2)).expect("made");
    assert!(bytes(dir.path()) > 2 * SPARE_BYTES);
    assert!(matches!(trees.shrink(PLENTY), Ok(Shrunk::By { .. })), "in one step");
    assert!(bytes(dir.path()) < 2 << 20, "{} octets are left", bytes(dir.path()));
    assert_eq!((trees.checkpointed(), trees.scan("entry", None, 1)), (Some(Position(2)), Ok(Vec::new())));
}

/// What may happen between two steps.
#[derive(Clone, Debug)]
enum Deed {
    Put(usize, u8, usize),
    Remove(usize, u8),
    Step,
    Checkpoint,
    Crash,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..2usize, any::<u8>(), 1..6000usize).prop_map(|(tree, key, length)| Deed::Put(tree, key, length)),
        4 => (0..2usize, any::<u8>()).prop_map(|(tree, key)| Deed::Remove(tree, key)),
        4 => Just(Deed::Step),
        1 => Just(Deed::Checkpoint),
        1 => Just(Deed::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_index_says_the_same_whatever_is_written_while_it_shrinks(deeds in proptest::collection::vec(deed(), 0..60)) {
        let dir = tempfile::tempdir().expect("a directory");
        let mut model = Model::new();
        let trees = mostly_dead(dir.path(), &mut model);
        let (mut saved, mut upto) = (model.clone(), 2);
        for (n, deed) in deeds.into_iter().enumerate() {
            match deed {
                Deed::Put(tree, key, length) => {
                    let value = vec![u8::try_from(n).expect("few"); length];
                    put(&trees, &mut model, TREES[tree], key, Some(value));
                }
                Deed::Remove(tree, key) => put(&trees, &mut model, TREES[tree], key, None),
                Deed::Step => { trees.shrink(PLENTY).expect("a step"); }
                Deed::Checkpoint => {
                    upto += 1;
                    trees.checkpoint(Position(upto)).expect("made");
                    saved.clone_from(&model);
                }
                Deed::Crash => {
                    let (_place, after) = crashed(dir.path());
                    prop_assert_eq!((after.lost(), after.checkpointed()), (None, Some(Position(upto))));
                    // What was written since the last checkpoint may be there or not: the journal says it again.
                    let found = contents(&after);
                    for (key, value) in &saved {
                        if model.get(key) == Some(value) {
                            prop_assert_eq!(found.get(key), Some(value));
                        }
                    }
                }
            }
            prop_assert!(contents(&trees) == model);
        }
    }
}
