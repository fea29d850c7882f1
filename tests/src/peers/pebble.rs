//! pebble: an authority that issues certificates by ACME (RFC 8555), for tests.

use super::tls::Authority;
use super::{free_address, lossy, program, run, wait_for_port};
use crate::dns::NameServer;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// How an authority is to be.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Where it serves its directory.
    pub address: SocketAddr,
    /// Where it asks for files, and makes handshakes.
    pub challenges: SocketAddr,
    /// How long its certificates hold.
    pub validity_seconds: u64,
    /// Whom it deals with alone: the name of a key, and the key in base64url. None: anybody.
    pub external: Option<(&'static str, &'static str)>,
}

impl Wish {
    /// At ports that nobody uses now; an hour.
    #[must_use]
    pub fn new() -> Self {
        Self { address: free_address(), challenges: free_address(), validity_seconds: 3600, external: None }
    }

    /// The URL of its directory.
    #[must_use]
    pub fn directory(&self) -> String {
        format!("https://{}/dir", self.address)
    }
}

impl Default for Wish {
    fn default() -> Self {
        Self::new()
    }
}

/// A running one; ends with the value.
pub struct Pebble {
    child: Child,
    management: SocketAddr,
    authority: Authority,
}

impl Pebble {
    /// Starts it. Its own certificate is signed by `authority`; names are looked up at `dns`, but `blocked.example.test`
    /// is none that it issues for.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(wish: &Wish, authority: Authority, dns: &NameServer) -> Self {
        authority.sign("pebble", &["127.0.0.1"], 2100);
        let management = free_address();
        let path = |name: &str| authority.path(name).display().to_string();
        let config = serde_json::json!({ "pebble": {
            "listenAddress": wish.address.to_string(),
            "managementListenAddress": management.to_string(),
            "certificate": path("pebble.pem"),
            "privateKey": path("pebble.key"),
            "httpPort": wish.challenges.port(),
            "tlsPort": wish.challenges.port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": wish.external.is_some(),
            "externalAccountMACKeys": wish.external.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            "domainBlocklist": ["blocked.example.test"],
            "certificateValidityPeriod": wish.validity_seconds,
        }});
        authority.put("pebble.json", &config.to_string());
        let mut command = Command::new(program("pebble"));
        command.args(["-strict", "-config", &path("pebble.json"), "-dnsserver", &dns.address().to_string()]);
        // It waits for nobody, and asks each time whether a name is still ours; some nonces are refused, as in the world.
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_AUTHZREUSE", "0");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let pebble = Self { child: child.expect("pebble starts"), management, authority };
        wait_for_port(wish.address, "pebble");
        wait_for_port(management, "pebble's management");
        pebble
    }

    /// A file with the root that its certificates lead to: another at each start.
    ///
    /// # Panics
    /// When it does not tell.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        let script = format!(
            "import ssl, urllib.request as r\n\
             print(r.urlopen('https://{}/roots/0', context=ssl.create_default_context(cafile={:?})).read().decode())",
            self.management,
            self.authority.path("ca.pem").display().to_string()
        );
        let mut command = Command::new(program("python3"));
        command.arg("-c").arg(script);
        let output = run(command);
        assert!(output.status.success(), "{}", lossy(&output.stderr));
        self.authority.put("root.pem", &lossy(&output.stdout));
        self.authority.path("root.pem")
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
