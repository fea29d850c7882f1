//! Keys of our own, made at the first start and kept in the data directory: the one that ties what comes back to what went
//! out, and the one that hides addresses in the log.

use super::file;
use crate::base::mail::tie::{KEY_BYTES, Key};
use crate::base::world::Dice;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// What ties: the newest key, and behind it older ones that still count.
const TIES: &str = "feedback.key";
/// What hides addresses in the log.
const HIDES: &str = "log.key";
/// Keys in a file at most.
const KEYS_MAX: usize = 4;

type Octets = [u8; KEY_BYTES];

/// Reads the key that ties, or makes it where there is none. Who reads it could make reports about anybody's mail: it is the
/// owner's alone.
///
/// # Errors
/// The file is none of ours, others may read it, or the disk fails; in words for the operator.
pub fn key(data_dir: &Path, dice: &dyn Dice) -> Result<Arc<Key>, String> {
    let mut keys = read_or_make(&data_dir.join(TIES), dice)?;
    let newest = keys.remove(0);
    Ok(Arc::new(Key::new(newest).after(keys)))
}

/// Reads the key that hides addresses, or makes it where there is none.
///
/// # Errors
/// As [`key`].
pub fn log_key(data_dir: &Path, dice: &dyn Dice) -> Result<[u8; KEY_BYTES], String> {
    fs::create_dir_all(data_dir).map_err(|error| format!("{}: {error}", data_dir.display()))?;
    read_or_make(&data_dir.join(HIDES), dice).map(|keys| keys[0])
}

/// The key that hides addresses, which a server has made.
///
/// # Errors
/// There is none, or as [`key`].
pub fn known_log_key(data_dir: &Path) -> Result<[u8; KEY_BYTES], String> {
    read(&data_dir.join(HIDES)).map(|keys| keys[0])
}

/// Puts a new key that ties before those that are there; the oldest of many goes. How many there are now. A server has read
/// them at its start.
///
/// # Errors
/// As [`key`].
pub fn rotate(data_dir: &Path, dice: &dyn Dice) -> Result<usize, String> {
    let path = data_dir.join(TIES);
    let mut keys = read(&path)?;
    keys.insert(0, fresh(dice).map_err(|error| format!("there is no randomness: {error}"))?);
    keys.truncate(KEYS_MAX);
    write(&path, &keys).map_err(|error| format!("{} can't be written: {error}", path.display()))?;
    Ok(keys.len())
}

/// The keys in a file, never none.
fn read_or_make(path: &Path, dice: &dyn Dice) -> Result<Vec<Octets>, String> {
    let shown = path.display();
    if !path.try_exists().map_err(|error| format!("{shown} can't be read: {error}"))? {
        let made = fresh(dice).and_then(|key| write(path, &[key]));
        made.map_err(|error| format!("{shown} can't be made: {error}"))?;
    }
    read(path)
}

fn read(path: &Path) -> Result<Vec<Octets>, String> {
    let shown = path.display();
    let (opened, about) = file::open(path)?;
    file::is_private(&about, path)?;
    let octets = file::content(opened, path, KEYS_MAX * KEY_BYTES)?;
    let (keys, rest) = octets.as_chunks::<KEY_BYTES>();
    if keys.is_empty() || keys.len() > KEYS_MAX || !rest.is_empty() {
        let length = octets.len();
        return Err(format!(
            "{shown} is no key: it has {length} octets or more, and a key has {KEY_BYTES}; put the right file back, or remove it \
             to have a new one made, with which nothing is known of what was signed before"
        ));
    }
    Ok(keys.to_vec())
}

fn fresh(dice: &dyn Dice) -> io::Result<Octets> {
    let mut octets = [0; KEY_BYTES];
    dice.fill(&mut octets)?;
    Ok(octets)
}

/// Whole or not at all, also when the machine stops meanwhile: mail that went out with a key that is gone is nobody's.
fn write(path: &Path, keys: &[Octets]) -> io::Result<()> {
    let fresh = path.with_extension("key.new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&keys.concat())?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    let dir = path.parent().unwrap_or(Path::new("."));
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::address::Address;
    use crate::base::mail::id::QueueId;
    use crate::base::mail::tie::Sent;
    use crate::edge::world::dice::SystemDice;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_made_once_and_stays_private() {
        let dir = tempfile::tempdir().expect("a directory");
        let dice = SystemDice::new().expect("the system has randomness");
        let made = key(dir.path(), &dice).expect("it is made");
        let path = dir.path().join(TIES);
        let mode = fs::metadata(&path).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let recipient = Address::parse("ann@example.net").expect("a mailbox");
        let sent = Sent { id: QueueId(1), recipient, tenant: None, campaign: None };
        let again = key(dir.path(), &dice).expect("it is read");
        assert_eq!(again.read_ticket(&made.ticket(&sent)), Some(sent));
        assert_eq!(fs::read_dir(dir.path()).expect("ours").count(), 1, "nothing half made is left");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("ours");
        let refused = key(dir.path(), &dice).expect_err("others may read it");
        assert!(refused.contains("chmod 600"), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        for wrong in [0, KEY_BYTES - 1, KEY_BYTES + 1] {
            fs::write(&path, vec![7; wrong]).expect("ours");
            let refused = key(dir.path(), &dice).expect_err("no key");
            assert!(refused.contains("feedback.key is no key") && refused.contains("remove it"), "{refused}");
        }
        assert_eq!(log_key(dir.path(), &dice), log_key(dir.path(), &dice), "made once too");
        assert_eq!(known_log_key(dir.path()), log_key(dir.path(), &dice));
    }

    #[test]
    fn what_older_keys_signed_counts_until_there_are_too_many() {
        let dir = tempfile::tempdir().expect("a directory");
        let dice = SystemDice::new().expect("the system has randomness");
        assert!(rotate(dir.path(), &dice).is_err(), "there is none yet");
        let recipient = Address::parse("ann@example.net").expect("a mailbox");
        let sent = Sent { id: QueueId(1), recipient, tenant: None, campaign: None };
        let ticket = key(dir.path(), &dice).expect("it is made").ticket(&sent);
        for count in 2..=KEYS_MAX {
            assert_eq!(rotate(dir.path(), &dice), Ok(count));
            let key = key(dir.path(), &dice).expect("they are read");
            assert_eq!(key.read_ticket(&ticket), Some(sent.clone()));
            assert_ne!(key.ticket(&sent), ticket, "the newest signs");
        }
        assert_eq!(rotate(dir.path(), &dice), Ok(KEYS_MAX));
        assert_eq!(key(dir.path(), &dice).expect("they are read").read_ticket(&ticket), None);
    }
}
