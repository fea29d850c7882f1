//! Tables follow their files, and a version that can't be read changes nothing.

use super::*;
use crate::base::event::Event;
use std::fs;
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Events(Mutex<Vec<String>>);

impl Observe for Events {
    fn event(&self, event: Event<'_>) {
        let json = serde_json::to_value(&event).expect("events are data");
        self.0.lock().expect("one thread").push(format!("{} {}", event.name(), json["why"].as_str().unwrap_or("")));
    }
}

struct Stage {
    dir: tempfile::TempDir,
    shelf: Shelf,
    events: Events,
}

impl Stage {
    fn new(content: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let stage = Self { dir, shelf: Shelf::default(), events: Events::default() };
        stage.write(content);
        stage
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("vips.txt")
    }

    /// A new file takes the old one's place, so that its version is another one even within the clock's grain.
    fn write(&self, content: &str) {
        let new = self.dir.path().join("new");
        fs::write(&new, content).expect("written");
        fs::rename(new, self.path()).expect("renamed");
    }

    fn read(&self) -> Result<Reading, String> {
        self.shelf.read(&config(&self.path()))
    }

    /// What two looks tell: the first sees that the file has changed, the second that it is complete.
    fn looks(&self) -> Vec<String> {
        self.shelf.look(&self.events);
        assert_eq!(self.events.0.lock().expect("one thread").len(), 0, "it may still be written to");
        self.shelf.look(&self.events);
        std::mem::take(&mut *self.events.0.lock().expect("one thread"))
    }
}

fn config(path: &Path) -> Config {
    let text = format!(
        "hostname = \"a\"\ndata_dir = \"d\"\nlistener = [{{ name = \"l\", bind = \"127.0.0.1:0\" }}]\n\
         table = [{{ name = \"vips\", file = \"{}\" }}]\n",
        path.display()
    );
    crate::config::parse::parse("f", &text, &[]).expect("a good file")
}

fn entries(supplies: &Supplies) -> usize {
    supplies.tables[0].1.load().entries()
}

#[test]
fn a_new_version_is_in_force_when_it_is_complete() {
    let stage = Stage::new("a\n");
    let reading = stage.read().expect("a table");
    let supplies = reading.supplies.clone();
    stage.shelf.put(reading);
    assert_eq!((entries(&supplies), stage.looks()), (1, vec![]));
    stage.write("a\nb\n");
    assert_eq!(stage.looks(), ["table-reloaded "]);
    assert_eq!(entries(&supplies), 2);
    assert_eq!(stage.looks(), [""; 0], "once a version");
}

#[test]
fn a_version_that_can_not_be_read_is_told_once_and_changes_nothing() {
    let stage = Stage::new("a\n");
    let reading = stage.read().expect("a table");
    let supplies = reading.supplies.clone();
    stage.shelf.put(reading);
    stage.write("a 1\na 2\n");
    let told = stage.looks();
    assert!(
        told[0].starts_with("table-refused ")
            && told[0].ends_with("vips.txt: line 2: \"a\" is there already, with another value: \"1\""),
        "{told:?}"
    );
    assert_eq!((entries(&supplies), stage.looks()), (1, vec![]));
    fs::remove_file(stage.path()).expect("it is there");
    let told = stage.looks();
    assert!(told[0].contains("can't be read: No such file"), "{told:?}");
    assert_eq!((entries(&supplies), stage.looks()), (1, vec![]));
    stage.write("a 1\nb 2\n");
    assert_eq!(stage.looks(), ["table-reloaded "]);
    assert_eq!(entries(&supplies), 2);
}

#[test]
fn a_reload_keeps_the_slot_and_changes_it_only_when_it_succeeds() {
    let stage = Stage::new("a\n");
    let reading = stage.read().expect("a table");
    let old = reading.supplies.clone();
    stage.shelf.put(reading);
    stage.write("a\nb\n");
    let reading = stage.read().expect("a table");
    assert_eq!(entries(&old), 1, "the plugins may be refused yet");
    stage.shelf.put(reading);
    assert_eq!(entries(&old), 2, "those who run on see it too");
    assert_eq!(stage.looks(), [""; 0], "the reload has seen this version");
    stage.write("a \0\n");
    let told = stage.read().err().expect("it is refused");
    assert!(told.starts_with("table \"vips\": ") && told.ends_with("line 1: it has a control character"), "{told}");
    assert_eq!(entries(&old), 2);
}
