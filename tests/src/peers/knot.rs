//! Knot DNS with signed zones on loopback: the root, and zones below it that are signed well, badly or not at all.

use crate::peers::{folder, free_address, lossy, program, run, wait_for_port};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The key whose digest is in no zone.
const NOBODYS: &str = "DS 12345 13 2 0000000000000000000000000000000000000000000000000000000000000000";

/// Zones in the making. What is in none of the zones below is in the root, which is signed.
#[derive(Debug, Default)]
pub struct SignedZones {
    root: String,
    below: Vec<Zone>,
}

#[derive(Debug)]
struct Zone {
    name: String,
    records: String,
    signed: bool,
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
        Self { root: records.to_owned(), below: Vec::new() }
    }

    /// A zone of which its parent says that it is not signed.
    #[must_use]
    pub fn unsigned(self, name: &str, records: &str) -> Self {
        self.zone(name, records, false)
    }

    /// A zone that is signed by another key than its parent says: as if its answers were forged.
    #[must_use]
    pub fn forged(mut self, name: &str, records: &str) -> Self {
        self.root += &format!("{name} {NOBODYS}\n");
        self.zone(name, records, true)
    }

    fn zone(mut self, name: &str, records: &str, signed: bool) -> Self {
        self.root += &format!("{name} NS ns.\n");
        self.below.push(Zone { name: name.to_owned(), records: records.to_owned(), signed });
        self
    }

    /// Signs and serves them.
    ///
    /// # Panics
    /// When Knot does not come up.
    #[must_use]
    pub fn start(self) -> Knot {
        let dir = tempfile::Builder::new().prefix("knot-").tempdir().expect("a temporary directory");
        let address = free_address();
        let mut settings = settings(dir.path(), address);
        let root = Zone { name: ".".to_owned(), records: format!("ns. A 127.0.0.1\n{}", self.root), signed: true };
        for (number, zone) in std::iter::once(root).chain(self.below).enumerate() {
            let head = "$TTL 60\n@ SOA ns. hostmaster. 1 3600 600 86400 60\n@ NS ns.\n";
            let file = format!("{number}.zone");
            std::fs::write(dir.path().join(&file), format!("{head}{}", zone.records)).expect("our own folder");
            let signing = if zone.signed { "on" } else { "off" };
            settings += &format!("  - domain: {}\n    file: {file}\n    dnssec-signing: {signing}\n", zone.name);
        }
        let config = dir.path().join("knot.conf");
        std::fs::write(&config, settings).expect("our own folder");
        let keys = |words: &[&str]| {
            let mut keymgr = Command::new(program("keymgr"));
            keymgr.arg("-c").arg(&config).arg(".").args(words);
            let output = run(keymgr);
            assert!(output.status.success(), "{}", lossy(&output.stderr));
            lossy(&output.stdout)
        };
        let _ = keys(&["generate", "algorithm=ecdsap256sha256", "ksk=yes", "zsk=yes"]);
        std::fs::write(dir.path().join("anchor"), keys(&["dnskey"])).expect("our own folder");
        let log = std::fs::File::create(dir.path().join("log")).expect("our own folder");
        let mut command = Command::new(program("knotd"));
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let child = command.spawn().expect("knotd starts");
        // It opens its ports when the zones are signed and loaded.
        let knot = Knot { child, dir, address };
        wait_for_port(address, "knotd");
        knot
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
  - id: one-key
    single-type-signing: on
    algorithm: ecdsap256sha256
    cds-cdnskey-publish: none
template:
  - id: default
    storage: \"{}\"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    dnssec-policy: one-key
zone:
",
        rundir.display(),
        db.display(),
        dir.display()
    )
}
