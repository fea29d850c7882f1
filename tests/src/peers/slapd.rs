//! OpenLDAP's slapd as a directory that knows users, with everything in one temporary directory.

use super::tls::Authority;
use super::{folder, free_address, lossy, program, run, wait_for_port};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

/// The running server; ends with the value.
#[derive(Debug)]
pub struct Slapd {
    child: Option<Child>,
    address: SocketAddr,
    _dir: tempfile::TempDir,
}

/// The entry that may search, and its password.
pub const READER: (&str, &str) = ("cn=reader,dc=example,dc=test", "read only");

const SCHEMA: [&str; 3] = ["core", "cosine", "inetorgperson"];

impl Slapd {
    /// Starts it, by TLS with the authority's certificate `ldap`, with these people: name, address, password, organisation.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(authority: &Authority, people: &[(&str, &str, &str, &str)]) -> Self {
        authority.sign("ldap", &["ldap.example.test", "127.0.0.1"], 2100);
        let dir = tempfile::Builder::new().prefix("slapd-").tempdir().expect("a temporary directory");
        let database = folder(dir.path(), "db");
        let schema = SCHEMA.map(|name| format!("include /etc/ldap/schema/{name}.schema\n")).concat();
        let (cert, key) = (authority.path("ldap.pem"), authority.path("ldap.key"));
        let config = dir.path().join("slapd.conf");
        let settings = format!(
            "{schema}modulepath /usr/lib/ldap\nmoduleload back_mdb\npidfile {dir}/pid\nargsfile {dir}/args\n\
             TLSCertificateFile {cert}\nTLSCertificateKeyFile {key}\nTLSCACertificateFile {ca}\n\
             database mdb\nmaxsize 16777216\nsuffix \"dc=example,dc=test\"\ndirectory {database}\n\
             access to attrs=userPassword by anonymous auth by * none\n\
             access to * by dn=\"{reader}\" read by * none\n",
            dir = dir.path().display(),
            cert = cert.display(),
            key = key.display(),
            ca = authority.path("ca.pem").display(),
            database = database.display(),
            reader = READER.0
        );
        std::fs::write(&config, settings).expect("our own folder");
        let entries = dir.path().join("entries.ldif");
        std::fs::write(&entries, ldif(people)).expect("our own folder");
        let mut add = Command::new(program("slapadd"));
        add.arg("-f").arg(&config).arg("-l").arg(&entries);
        let added = run(add);
        assert!(added.status.success(), "{}", lossy(&added.stderr));
        let address = free_address();
        let mut command = Command::new(program("slapd"));
        command.arg("-f").arg(&config).args(["-d", "0", "-h", &format!("ldaps://{address}/")]);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let slapd = Self { child: Some(child.expect("slapd starts")), address, _dir: dir };
        wait_for_port(address, "slapd");
        slapd
    }

    /// Where it speaks LDAP by TLS.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It keeps nothing that is needed any more.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Slapd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn ldif(people: &[(&str, &str, &str, &str)]) -> String {
    let mut text = format!(
        "dn: dc=example,dc=test\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n\n\
         dn: {}\nobjectClass: applicationProcess\nobjectClass: simpleSecurityObject\ncn: reader\nuserPassword: {}\n\n",
        READER.0, READER.1
    );
    for (name, address, password, organisation) in people {
        text += &format!(
            "dn: uid={name},dc=example,dc=test\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n\
             mail: {address}\no: {organisation}\nuserPassword: {password}\n\n"
        );
    }
    text
}
