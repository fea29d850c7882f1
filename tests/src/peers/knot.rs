//! Knot DNS with signed zones on loopback: the root, and zones below it that are signed well, badly or not at all.

use crate::peers::{folder, free_address, lossy, program, run, wait_for_port};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The key whose digest is in no zone.
const NOBODYS: &str = "DS 12345 13 2 0000000000000000000000000000000000000000000000000000000000000000";

/// Zones in the making. What is in none of the zones below is in the root, which is signed.
#[derive(Debug)]
pub struct SignedZones {
    /// The root first, parents before their children.
    zones: Vec<Zone>,
}

#[derive(Debug)]
struct Zone {
    name: String,
    records: String,
    kind: Kind,
}

/// What a parent says of a zone, and what the zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Nobody's child; signed, with all its names in a row (NSEC).
    Root,
    /// Signed as its parent says, with digests of names and with room for children that are not (NSEC3, opt-out).
    Signed,
    /// Neither says that it is signed.
    Unsigned,
    /// Signed by another key than its parent says.
    Forged,
}

impl Kind {
    /// The policy by which Knot signs it.
    fn policy(self) -> Option<&'static str> {
        match self {
            Self::Root | Self::Forged => Some("in-a-row"),
            Self::Signed => Some("digests"),
            Self::Unsigned => None,
        }
    }
}

/// The running server; ends with the value.
#[derive(Debug)]
pub struct Knot {
    child: Child,
    dir: tempfile::TempDir,
    address: SocketAddr,
}

impl SignedZones {
    /// A root with these records, as in a zone file, names with their final dots.
    #[must_use]
    pub fn new(records: &str) -> Self {
        Self { zones: Vec::new() }.zone(".", &format!("ns. A 127.0.0.1\n{records}"), Kind::Root)
    }

    /// A zone that is signed, below the root or another of these.
    #[must_use]
    pub fn signed(self, name: &str, records: &str) -> Self {
        self.zone(name, records, Kind::Signed)
    }

    /// A zone of which its parent says that it is not signed.
    #[must_use]
    pub fn unsigned(self, name: &str, records: &str) -> Self {
        self.zone(name, records, Kind::Unsigned)
    }

    /// A zone that is signed by another key than its parent says: as if its answers were forged.
    #[must_use]
    pub fn forged(self, name: &str, records: &str) -> Self {
        self.zone(name, records, Kind::Forged)
    }

    fn zone(mut self, name: &str, records: &str, kind: Kind) -> Self {
        self.zones.push(Zone { name: name.to_owned(), records: records.to_owned(), kind });
        self
    }

    /// Signs and serves them.
    ///
    /// # Panics
    /// When Knot does not come up.
    #[must_use]
    pub fn start(mut self) -> Knot {
        let dir = tempfile::Builder::new().prefix("knot-").tempdir().expect("a temporary directory");
        let (address, config) = (free_address(), dir.path().join("knot.conf"));
        std::fs::write(&config, settings(dir.path(), address) + &self.settings()).expect("our own folder");
        let keys = |zone: &str, words: &[&str]| {
            let mut keymgr = Command::new(program("keymgr"));
            keymgr.arg("-c").arg(&config).arg(zone).args(words);
            let output = run(keymgr);
            assert!(output.status.success(), "{}", lossy(&output.stderr));
            lossy(&output.stdout)
        };
        for zone in self.zones.iter().filter(|zone| zone.kind.policy().is_some()) {
            let _ = keys(&zone.name, &["generate", "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes"]);
        }
        self.delegate(|zone| keys(zone, &["ds"]));
        for (number, zone) in self.zones.iter().enumerate() {
            let head = "$TTL 60\n@ SOA ns. hostmaster. 1 3600 600 86400 60\n@ NS ns.\n";
            let file = dir.path().join(format!("{number}.zone"));
            std::fs::write(file, format!("{head}{}", zone.records)).expect("our own folder");
        }
        std::fs::write(dir.path().join("anchor"), keys(".", &["dnskey"])).expect("our own folder");
        let log = std::fs::File::create(dir.path().join("log")).expect("our own folder");
        let mut command = Command::new(program("knotd"));
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("knotd starts");
        // It opens its ports when the zones are signed and loaded.
        let knot = Knot { child, dir, address };
        wait_for_port(address, "knotd");
        knot
    }

    fn settings(&self) -> String {
        let zone = |(number, zone): (usize, &Zone)| {
            let signing = match zone.kind.policy() {
                Some(policy) => format!("dnssec-signing: on\n    dnssec-policy: {policy}"),
                None => "dnssec-signing: off".to_owned(),
            };
            format!("  - domain: {}\n    file: {number}.zone\n    {signing}\n", zone.name)
        };
        self.zones.iter().enumerate().map(zone).collect()
    }

    /// Has each zone's parent say what it is.
    fn delegate(&mut self, ds: impl Fn(&str) -> String) {
        for child in 1..self.zones.len() {
            let Zone { name, kind, .. } = &self.zones[child];
            let below = |parent: &Zone| parent.kind == Kind::Root || name.ends_with(&format!(".{}", parent.name));
            let parent = self.zones[..child].iter().rposition(below).expect("all are below the root");
            let signed = match kind {
                Kind::Signed => ds(name),
                Kind::Forged => format!("{name} {NOBODYS}\n"),
                Kind::Unsigned | Kind::Root => String::new(),
            };
            let said = format!("{name} NS ns.\n{signed}");
            self.zones[parent].records += &said;
        }
    }
}

impl Knot {
    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A file with the root's key.
    #[must_use]
    pub fn anchor(&self) -> PathBuf {
        self.dir.path().join("anchor")
    }
}

impl Drop for Knot {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("knotd's log:\n{}", std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default());
        }
    }
}

fn settings(dir: &Path, address: SocketAddr) -> String {
    let (db, rundir) = (folder(dir, "db"), folder(dir, "run"));
    let (ip, port) = (address.ip(), address.port());
    format!(
        "server:
    listen: {ip}@{port}
    rundir: \"{}\"
database:
    storage: \"{}\"
log:
  - target: stderr
    any: info
policy:
  - id: in-a-row
    single-type-signing: on
    algorithm: ecdsap256sha256
    cds-cdnskey-publish: none
  - id: digests
    single-type-signing: on
    algorithm: ecdsap256sha256
    cds-cdnskey-publish: none
    nsec3: on
    nsec3-opt-out: on
    nsec3-iterations: 0
    nsec3-salt-length: 0
template:
  - id: default
    storage: \"{}\"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
zone:
",
        rundir.display(),
        db.display(),
        dir.display()
    )
}
