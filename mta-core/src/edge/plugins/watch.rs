//! Files of components that are looked at again and again, for those who want to be told when one has changed.

use std::fs::metadata;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

/// What tells a file's versions apart; none when there is no file.
type Version = Option<(u64, u64, u64, i64, i64)>;

/// The versions of some files.
#[derive(Debug, Default)]
pub struct Watch {
    /// Those that were there when they were first looked at, or when a change was told.
    seen: Vec<(PathBuf, Version)>,
    /// What was there at the last look, where that was something else.
    changing: Option<Vec<(PathBuf, Version)>>,
}

impl Watch {
    /// Looks at the files: whether one of them has changed, and none of them since the last look, so that what is being
    /// written is not taken for a component. A change is told once. A file that is new here has not changed.
    pub fn look(&mut self, files: &[PathBuf]) -> bool {
        let now: Vec<_> = files.iter().map(|path| (path.clone(), version(path))).collect();
        let known = |path: &PathBuf| self.seen.iter().find(|(other, _)| other == path);
        let changed = now.iter().any(|(path, version)| known(path).is_some_and(|(_, seen)| seen != version));
        if !changed {
            (self.seen, self.changing) = (now, None);
            return false;
        }
        if self.changing.as_ref() != Some(&now) {
            self.changing = Some(now);
            return false;
        }
        (self.seen, self.changing) = (now, None);
        true
    }
}

fn version(path: &PathBuf) -> Version {
    let about = metadata(path).ok()?;
    Some((about.dev(), about.ino(), about.size(), about.mtime(), about.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_change_is_told_once_when_it_is_over() {
        let dir = tempfile::tempdir().expect("a directory");
        let files = [dir.path().join("a.wasm"), dir.path().join("b.wasm")];
        fs::write(&files[0], "one").expect("ours");
        let mut watch = Watch::default();
        assert!(!watch.look(&files) && !watch.look(&files), "nothing changes");
        fs::write(&files[0], "longer").expect("ours");
        assert!(!watch.look(&files), "it may be under way");
        fs::write(&files[0], "longer still").expect("ours");
        assert!(!watch.look(&files), "it was");
        assert!(watch.look(&files) && !watch.look(&files));
        // Another file comes, and goes.
        fs::write(&files[1], "two").expect("ours");
        assert!(!watch.look(&files) && watch.look(&files));
        fs::remove_file(&files[1]).expect("ours");
        assert!(!watch.look(&files) && watch.look(&files) && !watch.look(&files));
        // What is looked at for the first time has not changed, and what was put back neither.
        let third = dir.path().join("c.wasm");
        fs::write(&third, "three").expect("ours");
        assert!(!watch.look(&[files[0].clone(), third]));
        assert!(!watch.look(&files[..1]));
    }
}
