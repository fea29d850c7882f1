//! Certificates for servers under test, and openssl's client.

use super::{lossy, program};
use crate::{PATIENCE, Watched};
use rcgen::{CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

/// An authority that nobody knows, and a folder with what it signed.
pub struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A new one; its own certificate is `ca.pem`.
    ///
    /// # Panics
    /// When there is no place for it.
    #[must_use]
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
        let authority = Self { folder: tempfile::tempdir().expect("a temporary directory"), issuer };
        authority.put("ca.pem", &authority.issuer.pem());
        authority
    }

    /// The path of a file here.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs `NAME.pem` for these host names, with `NAME.key`, until the begin of that year. What was there is replaced,
    /// as who renews a certificate does it.
    ///
    /// # Panics
    /// When the names are none.
    pub fn sign(&self, name: &str, hosts: &[&str], until: i32) {
        let mut params =
            CertificateParams::new(hosts.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("signed");
        self.put(&format!("{name}.key"), &key.serialize_pem());
        self.put(&format!("{name}.pem"), &(certificate.pem() + &self.issuer.pem()));
    }

    /// Puts a file in its place, which only we may read.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn put(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt;
        let new = self.path("new");
        std::fs::write(&new, content).expect("our own folder");
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).expect("our own file");
        std::fs::rename(&new, self.path(name)).expect("our own folder");
    }

    /// The SHA-256 of the public key of `NAME.pem`, as openssl finds it: what a TLSA record `3 1 1` holds.
    ///
    /// # Panics
    /// When openssl does not find it.
    #[must_use]
    pub fn key_digest(&self, name: &str) -> String {
        let mut shell = Command::new("sh");
        let steps = "\"$0\" x509 -in \"$1\" -pubkey -noout | \"$0\" pkey -pubin -outform der | \"$0\" dgst -sha256 -r";
        shell.args(["-c", steps]).arg(program("openssl")).arg(self.path(&format!("{name}.pem")));
        let digest = lossy(&super::run(shell).stdout);
        let digest = digest.split(' ').next().filter(|digest| digest.len() == 64);
        digest.expect("openssl knows the key").to_owned()
    }

    /// `[[tls.certificate]]` with `NAME.pem`, or one of a listener.
    #[must_use]
    pub fn certificate(&self, of: &str, name: &str) -> String {
        let (cert, key) = (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        format!("[[{of}.certificate]]\ncert = \"{}\"\nkey = \"{}\"", cert.display(), key.display())
    }
}

/// `openssl s_client` in a conversation.
pub struct Openssl {
    child: Child,
    said: Arc<Watched<Vec<u8>>>,
}

impl Openssl {
    /// Connects; `arguments` as `-starttls smtp`.
    ///
    /// # Panics
    /// When openssl is not there.
    #[must_use]
    pub fn connect(server: SocketAddr, ca: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(program("openssl"));
        command.args(["s_client", "-crlf", "-ign_eof", "-connect", &server.to_string(), "-CAfile"]).arg(ca);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("openssl starts");
        let said: Arc<Watched<Vec<u8>>> = Arc::default();
        keep(child.stdout.take().expect("it is piped"), &said);
        keep(child.stderr.take().expect("it is piped"), &said);
        Self { child, said }
    }

    /// Waits until it has shown this text; all that it has shown.
    ///
    /// # Panics
    /// When it does not.
    pub fn shows(&self, text: &str) -> String {
        let shown = self.said.wait(PATIENCE, |said| Some(lossy(said)).filter(|said| said.contains(text)));
        shown.unwrap_or_else(|| panic!("openssl does not show {text:?}: {}", self.said.look(|said| lossy(said))))
    }

    /// Says a line.
    ///
    /// # Panics
    /// When it is gone.
    pub fn say(&mut self, line: &str) -> &mut Self {
        let input = self.child.stdin.as_mut().expect("it is piped");
        input.write_all(format!("{line}\n").as_bytes()).expect("it still runs");
        self
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(mut from: impl Read + Send + 'static, said: &Arc<Watched<Vec<u8>>>) {
    let said = Arc::clone(said);
    std::thread::spawn(move || {
        let mut octets = [0; 4096];
        while let Ok(more @ 1..) = from.read(&mut octets) {
            said.change(|said| said.extend_from_slice(&octets[..more]));
        }
    });
}
