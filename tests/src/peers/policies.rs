//! A web server of Python's for MTA-STS policies, by TLS: each host name has a file of its own.

use super::tls::Authority;
use super::{folder, program};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const SERVER: &str = r#"
import http.server, os, ssl, sys
folder, cert, key, ip = sys.argv[1:]
class Policies(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = os.path.join(folder, self.headers["Host"].split(":")[0])
        found = self.path == "/.well-known/mta-sts.txt" and os.path.exists(name)
        body = open(name, "rb").read() if found else b"nothing is here"
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer((ip, 0), Policies)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

/// The running server; ends with the value.
#[derive(Debug)]
pub struct PolicyServer {
    child: Child,
    dir: tempfile::TempDir,
    address: SocketAddr,
}

impl PolicyServer {
    /// Starts it at this address, with the certificate that the authority signed under this name.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(ip: IpAddr, authority: &Authority, name: &str) -> Self {
        let dir = tempfile::Builder::new().prefix("policies-").tempdir().expect("a temporary directory");
        let served = folder(dir.path(), "served");
        let mut command = Command::new(program("python3"));
        command.arg("-c").arg(SERVER).arg(&served).arg(authority.path(&format!("{name}.pem")));
        command.arg(authority.path(&format!("{name}.key"))).arg(ip.to_string());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("python starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says its port");
        let port = line.trim().parse().expect("it says its port");
        Self { child, dir, address: SocketAddr::new(ip, port) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves this policy for a domain.
    ///
    /// # Panics
    /// When it can't be written.
    pub fn publish(&self, domain: &str, mode: &str, hosts: &[&str]) {
        let hosts: String = hosts.iter().map(|host| format!("mx: {host}\r\n")).collect();
        let policy = format!("version: STSv1\r\nmode: {mode}\r\n{hosts}max_age: 86400\r\n");
        let file = Path::new("served").join(format!("mta-sts.{domain}"));
        std::fs::write(self.dir.path().join(file), policy).expect("our own folder");
    }
}

impl Drop for PolicyServer {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
