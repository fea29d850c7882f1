//! The cache of compiled code: a second start compiles nothing, a spoilt entry is made again, and a directory that others
//! may write is not used.

use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

/// Whether the code of each step of the load came from the cache.
fn cached(server: &Mailwright) -> Vec<bool> {
    server.events("plugin-compiled").iter().filter_map(|event| event["cached"].as_bool()).collect()
}

fn entries(server: &Mailwright) -> Vec<PathBuf> {
    let folder = fs::read_dir(server.data_dir().join("plugin-cache")).expect("the cache is there");
    folder.map(|entry| entry.expect("an entry").path()).collect()
}

#[test]
fn compiled_code_is_kept_and_checked() {
    let mut server = Mailwright::start(&Setup::new().hello("X-Greeted"));
    assert_eq!(cached(&server), [false, false]);
    let kept = entries(&server);
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().all(|path| fs::metadata(path).is_ok_and(|entry| entry.mode() & 0o7777 == 0o600)), "{kept:?}");
    assert!(server.stop().success());
    server.restart(&[]);
    assert_eq!(cached(&server), [true, true]);
    assert!(server.stop().success());

    for path in &kept {
        let mut octets = fs::read(path).expect("it can be read");
        let middle = octets.len() / 2;
        octets[middle] ^= 1;
        fs::write(path, octets).expect("it can be written");
    }
    server.restart(&[]);
    assert_eq!(cached(&server), [false, false], "what is damaged is made again");
    assert_eq!(entries(&server).len(), 2);
    assert!(server.stop().success());

    fs::set_permissions(server.data_dir().join("plugin-cache"), Permissions::from_mode(0o777)).expect("ours to change");
    server.restart(&[]);
    assert_eq!(cached(&server), [false, false], "what others may write is not run");
    let told = server.event("plugin-cache-unused", |_| true);
    assert!(told["why"].as_str().is_some_and(|why| why.contains("with mode 0777, and must be our own")), "{told}");
}

#[test]
fn a_component_that_is_not_the_pinned_one_is_not_loaded() {
    let pin = "0".repeat(64);
    let plugin =
        format!("[[plugin]]\nname = \"hello\"\nsource = \"builtin:hello\"\nallow = [\"log\"]\nsha256 = \"{pin}\"");
    let checked = Mailwright::prepare(&Setup::new().table(&plugin)).cli(&["check-config"]);
    let words = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        !checked.status.success() && words.contains(&format!("wants {pin}; if the new component is meant")),
        "{words}"
    );
}

#[test]
fn code_from_elsewhere_is_never_loaded() {
    let server = Mailwright::start(&Setup::new().hello("X-Greeted"));
    let entry = fs::read(&entries(&server)[0]).expect("it can be read");
    let begin = entry.windows(4).position(|octets| octets == b"\x7fELF").expect("the code is an ELF file");
    fs::write(server.dir().join("code.wasm"), &entry[begin..]).expect("it can be written");
    server.configure(&Setup::new().table("[[plugin]]\nname = \"code\"\nsource = \"code.wasm\""));
    let checked = server.cli(&["check-config"]);
    let words = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && words.contains("it can't be compiled: "), "{words}");
}
