//! The configuration of the program under test, as TOML.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;

/// A configuration in the making. Without more it accepts mail from loopback for anywhere and has no route.
#[derive(Clone, Debug)]
pub struct Setup {
    sections: Vec<(String, Vec<String>)>,
    listener: String,
    tables: String,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// Quick retries, JSON logs with every event, and the disk's threshold low.
    #[must_use]
    pub fn new() -> Self {
        let setup = Self { sections: Vec::new(), listener: String::new(), tables: String::new() };
        setup
            .set("relay", "networks = [\"127.0.0.0/8\"]")
            .set("relay", "domains = [\"example.test\"]")
            .set("queue", "retry = [\"1s\", \"1s\", \"2s\"]")
            .set("queue", "jitter_percent = 0")
            .set("storage", "free_bytes_min = \"1MiB\"")
            .set("log", "format = \"json\"")
            .set("log", "level = \"debug\"")
    }

    /// Puts `key = value` into a section; a key that is there is replaced.
    #[must_use]
    pub fn set(mut self, section: &str, line: &str) -> Self {
        let key = |line: &str| line.split('=').next().unwrap_or(line).trim().to_owned();
        let found = self.sections.iter().position(|(name, _)| name == section);
        let index = found.unwrap_or_else(|| {
            self.sections.push((section.to_owned(), Vec::new()));
            self.sections.len() - 1
        });
        let lines = &mut self.sections[index].1;
        lines.retain(|known| key(known) != key(line));
        lines.push(line.to_owned());
        self
    }

    /// Sends recipients of `to` to an SMTP server.
    #[must_use]
    pub fn smarthost(self, to: &str, next: SocketAddr) -> Self {
        self.table(&format!("[[route]]\nto = \"{to}\"\nsmarthost = \"{next}\""))
    }

    /// Sends recipients of `to` to an LMTP server.
    #[must_use]
    pub fn lmtp(self, to: &str, next: SocketAddr) -> Self {
        self.table(&format!("[[route]]\nto = \"{to}\"\nlmtp = \"{next}\""))
    }

    /// Puts mail for recipients of `to` into a Maildir.
    #[must_use]
    pub fn maildir(self, to: &str, folder: &Path) -> Self {
        self.table(&format!("[[route]]\nto = \"{to}\"\nmaildir = \"{}\"", folder.display()))
    }

    /// Looks names up at this server, and finds exchangers at this port.
    #[must_use]
    pub fn dns(self, server: SocketAddr, mx_port: u16) -> Self {
        self.set("delivery", &format!("dns_servers = [\"{server}\"]")).set("delivery", &format!("mx_port = {mx_port}"))
    }

    /// The example plugin, which adds this header.
    #[must_use]
    pub fn hello(self, header: &str) -> Self {
        self.table(&format!(
            "[[plugin]]\nname = \"hello\"\nsource = \"builtin:hello\"\nallow = [\"log\"]\nedit = [\"headers\"]\n\
             config = {{ header = \"{header}\" }}"
        ))
    }

    /// One more key of the listener `mx`.
    #[must_use]
    pub fn listener(mut self, line: &str) -> Self {
        self.listener += line;
        self.listener.push('\n');
        self
    }

    /// Any `[[table]]`, as written.
    #[must_use]
    pub fn table(mut self, text: &str) -> Self {
        self.tables += text;
        self.tables += "\n\n";
        self
    }

    /// The file: bound at a port that the system chooses, since the log tells which.
    #[must_use]
    pub fn toml(&self, data_dir: &Path) -> String {
        let mut text = format!("hostname = \"mx.example.test\"\ndata_dir = \"{}\"\n\n", data_dir.display());
        text += &format!("[[listener]]\nname = \"mx\"\nbind = \"127.0.0.1:0\"\n{}\n", self.listener);
        for (section, lines) in &self.sections {
            let _ = write!(text, "[{section}]\n{}\n\n", lines.join("\n"));
        }
        text + &self.tables
    }
}
