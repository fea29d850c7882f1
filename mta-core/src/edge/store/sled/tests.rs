//! The engine on a directory: one server at a time, formats, and names of blobs.

use super::super::disk::LocalDisk;
use super::*;
use crate::config::model::Storage;

#[tokio::test]
async fn a_second_server_on_the_directory_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = open(dir.path(), &Storage::default()).expect("a store");
    match open(dir.path(), &Storage::default()) {
        Err(StoreFault::Io(why)) => assert!(why.ends_with("is in use by another running server"), "{why}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("two servers on one directory"),
    }
    drop(first);
    assert!(open(dir.path(), &Storage::default()).is_ok());
}

#[tokio::test]
async fn a_newer_note_is_refused_and_a_damaged_one_is_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let noted = note::Note { upto: Position(5), generation: 3 };
    note::write(&LocalDisk::DIRECT, dir.path(), noted).expect("written");
    assert_eq!(note::read(dir.path()), Ok(Some(noted)));
    let path = dir.path().join("checkpoint");
    let good = fs::read(&path).expect("readable");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0x10;
        fs::write(&path, bad).expect("written");
        match note::read(dir.path()) {
            Ok(None) => {}
            Err(StoreFault::Newer(_)) if (8..12).contains(&at) => {}
            other => panic!("octet {at}: {other:?}"),
        }
    }
    for length in 0..good.len() {
        fs::write(&path, &good[..length]).expect("written");
        assert_eq!(note::read(dir.path()), Ok(None), "{length} octets");
    }
}

#[tokio::test]
async fn a_blob_has_no_name_that_leaves_its_directory() {
    let dir = tempfile::tempdir().expect("a directory");
    let store = open(dir.path(), &Storage::default()).expect("a store");
    for name in ["", "..", "../lock", "a/b", "a.b"] {
        assert!(store.blob(name).await.is_err(), "{name}");
        assert!(store.remove_blob(name).await.is_err(), "{name}");
    }
    assert!(dir.path().join("lock").exists());
}
