//! The file of users is followed, and a bad version of it changes nothing.

use super::*;
use crate::base::event::Event;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const ANN: &str = "ann@example.org password=$5$saltsalt$hl9BvcGsj7AkON13nbqeQHDgRpHyFxt7WDzLoS.OCQ/\n";

#[derive(Default)]
struct Events(Mutex<Vec<String>>);

impl Observe for Events {
    fn event(&self, event: Event<'_>) {
        self.0.lock().expect("one thread").push(serde_json::to_string(&event).expect("events are data"));
    }
}

/// A new file takes the old one's place.
fn write(path: &Path, content: &str, mode: u32) {
    let new = path.with_extension("new");
    fs::write(&new, content).expect("written");
    fs::set_permissions(&new, Permissions::from_mode(mode)).expect("our own file");
    fs::rename(new, path).expect("renamed");
}

fn config(path: &Path) -> Config {
    let text = format!(
        "hostname = \"a\"\ndata_dir = \"d\"\nlistener = [{{ name = \"l\", bind = \"127.0.0.1:0\" }}]\n\
         tenant = [{{ name = \"acme\" }}]\nauth = {{ users = \"{}\" }}\n",
        path.display()
    );
    crate::config::parse::parse("f", &text, &[]).expect("a good file")
}

#[test]
fn users_are_followed_and_a_bad_version_changes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("users");
    let (shelf, events) = (Shelf::default(), Events::default());
    write(&path, ANN, 0o600);
    shelf.put(shelf.read(&config(&path)).expect("it can be read"));
    let users = shelf.users();
    assert_eq!(users.load().len(), 1);
    let looks = || {
        shelf.look(&events);
        shelf.look(&events);
        std::mem::take(&mut *events.0.lock().expect("one thread")).concat()
    };
    assert_eq!(looks(), "");
    write(&path, &format!("{ANN}{}", ANN.replace("ann", "bob").replace('\n', " tenant=acme\n")), 0o600);
    assert!(looks().contains("\"event\":\"users-reloaded\""));
    assert_eq!(users.load().user("bob@example.org").and_then(|bob| bob.tenant.clone()).as_deref(), Some("acme"));
    for (content, mode, told) in [
        (format!("{ANN}bob@example.org"), 0o600, "line 2: expected `password=`"),
        (ANN.to_owned(), 0o644, "may be read or written by others"),
        (format!("{ANN}{}", ANN.replace("ann", "eve").replace('\n', " tenant=none\n")), 0o600, "no [[tenant]]"),
    ] {
        write(&path, &content, mode);
        let said = looks();
        assert!(said.contains("users-refused") && said.contains(told) && !said.contains("saltsalt"), "{said}");
        assert_eq!((users.load().len(), looks()), (2, String::new()), "told once");
    }
    let told = shelf.read(&config(&path)).err().expect("it is refused");
    assert!(told.starts_with("auth.users: ") && told.contains("no [[tenant]]"), "{told}");
    write(&path, ANN, 0o600);
    shelf.put(shelf.read(&config(&path)).expect("it can be read"));
    assert_eq!(users.load().len(), 1, "a reload has read it");
}
