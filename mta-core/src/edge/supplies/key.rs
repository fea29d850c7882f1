//! The key that ties reports to our own mail: made at the first start, and kept in the data directory.

use super::file;
use crate::base::mail::tie::{KEY_BYTES, Key};
use crate::base::world::Dice;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

/// Its file.
const NAME: &str = "feedback.key";

/// Reads the key, or makes it where there is none. Who reads it could make reports about anybody's mail: it is the
/// owner's alone.
///
/// # Errors
/// The file is none of ours, others may read it, or the disk fails; in words for the operator.
pub fn key(data_dir: &Path, dice: &dyn Dice) -> Result<Arc<Key>, String> {
    let path = data_dir.join(NAME);
    let shown = path.display();
    if !path.try_exists().map_err(|error| format!("{shown} can't be read: {error}"))? {
        make(data_dir, dice).map_err(|error| format!("{shown} can't be made: {error}"))?;
    }
    let (opened, about) = file::open(&path)?;
    file::is_private(&about, &path)?;
    let octets = file::content(opened, &path, KEY_BYTES)?;
    let octets = <[u8; KEY_BYTES]>::try_from(octets).map_err(|octets| {
        let length = octets.len();
        format!(
            "{shown} is no key: it has {length} octets or more, and a key has {KEY_BYTES}; put the right file back, or remove it \
             to have a new one made, with which nothing is known of mail that went out before"
        )
    })?;
    Ok(Arc::new(Key::new(octets)))
}

/// Whole or not at all, also when the machine stops meanwhile: mail that went out with a key that is gone is nobody's.
fn make(data_dir: &Path, dice: &dyn Dice) -> io::Result<()> {
    let mut octets = [0; KEY_BYTES];
    dice.fill(&mut octets)?;
    let fresh = data_dir.join(format!("{NAME}.new"));
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(&octets)?;
    file.sync_all()?;
    fs::rename(&fresh, data_dir.join(NAME))?;
    File::open(data_dir)?.sync_all()
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
        let path = dir.path().join(NAME);
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
    }
}
