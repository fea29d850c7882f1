//! What the cache keeps, and what it refuses to take for its own.

use super::*;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;
use tempfile::TempDir;

fn cache() -> (TempDir, Cache) {
    let dir = tempfile::tempdir().expect("a directory");
    let cache = Cache::open(dir.path()).expect("it is made");
    (dir, cache)
}

fn code(octets: &[u8]) -> OwnCode {
    OwnCode::from_child(octets.to_vec())
}

fn got(cache: &Cache, key: Key) -> Option<Vec<u8>> {
    cache.get(key).map(|code| code.octets().to_vec())
}

fn key(number: u8) -> Key {
    Key([number; SUM_BYTES])
}

fn entries(dir: &TempDir) -> usize {
    fs::read_dir(dir.path().join(FOLDER)).expect("it is there").count()
}

#[test]
fn what_was_put_is_got_after_a_restart_too_and_is_readable_by_us_alone() {
    let (dir, cache) = cache();
    assert_eq!(got(&cache, key(1)), None);
    cache.put(key(1), &code(b"one")).expect("kept");
    cache.put(key(1), &code(b"uno")).expect("kept over the first");
    drop(cache);
    let cache = Cache::open(dir.path()).expect("opened again");
    assert_eq!(got(&cache, key(1)).as_deref(), Some(&b"uno"[..]));
    let mode = |path: &Path| fs::metadata(path).expect("it is there").mode() & 0o7777;
    assert_eq!(mode(cache.path()), 0o700);
    assert_eq!(mode(&cache.path().join(key(1).name())), 0o600);
}

#[test]
fn a_changed_cut_or_renamed_entry_is_removed() {
    let (dir, cache) = cache();
    let path = cache.path().join(key(1).name());
    let spoils: [&dyn Fn(); 4] = [
        &|| {
            let mut octets = fs::read(&path).expect("read");
            *octets.last_mut().expect("an octet") ^= 1;
            fs::write(&path, octets).expect("written");
        },
        &|| File::options().write(true).open(&path).and_then(|file| file.set_len(20)).expect("cut"),
        &|| fs::rename(cache.path().join(key(2).name()), &path).expect("renamed"),
        &|| fs::set_permissions(&path, Permissions::from_mode(0o620)).expect("opened to others"),
    ];
    for (number, spoil) in spoils.iter().enumerate() {
        cache.put(key(1), &code(b"code")).expect("kept");
        cache.put(key(2), &code(b"other")).expect("kept");
        assert!(got(&cache, key(1)).is_some());
        spoil();
        assert_eq!(got(&cache, key(1)), None, "spoil {number}");
        assert!(!path.exists(), "spoil {number}");
    }
    // Whoever may write there could put a link to anything.
    let elsewhere = dir.path().join("elsewhere");
    cache.put(key(1), &code(b"code")).expect("kept");
    fs::rename(&path, &elsewhere).expect("moved");
    symlink(&elsewhere, &path).expect("linked");
    assert_eq!(got(&cache, key(1)), None);
}

#[test]
fn a_directory_that_others_may_write_is_refused_in_clear_words() {
    let dir = tempfile::tempdir().expect("a directory");
    let folder = dir.path().join(FOLDER);
    fs::create_dir(&folder).expect("made");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("opened to others");
    let words = Cache::open(dir.path()).err().expect("refused");
    assert!(words.contains("with mode 0755, and must be our own"), "{words}");
    assert!(words.contains("remove it, and the server makes another"), "{words}");
    fs::remove_dir(&folder).expect("removed");
    let other = tempfile::tempdir().expect("a directory");
    symlink(other.path(), &folder).expect("linked");
    assert!(Cache::open(dir.path()).is_err(), "a link is not followed");
}

#[test]
fn what_was_used_longest_ago_makes_room() {
    let (dir, mut cache) = cache();
    let octets = [7; 1000];
    let one = (octets.len() + HEAD_BYTES) as u64;
    cache.bytes_max = 3 * one;
    let old = SystemTime::now() - Duration::from_secs(3600);
    for number in 1..=3 {
        cache.put(key(number), &code(&octets)).expect("kept");
        let file = File::options().write(true).open(cache.path().join(key(number).name())).expect("it is there");
        file.set_modified(old + Duration::from_secs(number.into())).expect("set");
    }
    assert!(got(&cache, key(1)).is_some(), "used now");
    cache.put(key(4), &code(&octets)).expect("kept");
    assert!(got(&cache, key(2)).is_none(), "the one that was used longest ago");
    assert!([1, 3, 4].iter().all(|number| got(&cache, key(*number)).is_some()));
    fs::write(cache.path().join(format!("x{ENTRY}{DRAFT}")), "left by a crash").expect("written");
    cache.bytes_max = 0;
    cache.put(key(5), &code(&octets)).expect("kept");
    assert_eq!(entries(&dir), 1, "what was put last stays, and drafts go");
    assert!(got(&cache, key(5)).is_some());
}

#[test]
fn keys_differ_by_component() {
    let engine = crate::sandbox::compiling_engine(crate::sandbox::Profile::Narrow).expect("an engine");
    let name = |octets: &[u8]| Key::new(&engine, octets).name();
    assert_eq!(name(b"a"), name(b"a"));
    assert_ne!(name(b"a"), name(b"b"));
}
