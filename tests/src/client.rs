//! An SMTP client that says exactly the octets it is told to.

use crate::PATIENCE;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<TcpStream>,
}

/// A reply, with all of its lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// Its code; 0 when the connection was closed instead.
    pub code: u16,
    /// The lines without code and end.
    pub lines: Vec<String>,
}

impl Reply {
    /// Fails unless the code is this one.
    ///
    /// # Panics
    /// When it is another.
    pub fn expect_code(&self, code: u16) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    /// Fails unless the code is this one and the text begins with this enhanced status.
    ///
    /// # Panics
    /// When it is another.
    pub fn expect(&self, code: u16, status: &str) -> &Self {
        self.expect_code(code);
        assert!(self.text().starts_with(status), "{status} expected: {self:?}");
        self
    }

    /// All lines.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }

    /// Whether it stands for a closed connection.
    #[must_use]
    pub fn is_end(&self) -> bool {
        self.code == 0
    }

    /// The queue id in a 250 for a message: the only word of 26 characters.
    ///
    /// # Panics
    /// When there is none.
    #[must_use]
    pub fn queue_id(&self) -> String {
        let text = self.text();
        let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.find(|word| word.len() == 26).unwrap_or_else(|| panic!("no queue id in {text}")).to_owned()
    }
}

impl Client {
    /// Connects; the greeting is not read yet.
    ///
    /// # Panics
    /// When nobody listens.
    #[must_use]
    pub fn connect(to: SocketAddr) -> Self {
        Self::try_connect(to).expect("the server listens")
    }

    /// Connects, if somebody listens.
    ///
    /// # Errors
    /// What the system said.
    pub fn try_connect(to: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends these octets. A connection that was closed shows in the next reply.
    pub fn send(&mut self, octets: &[u8]) -> &mut Self {
        let _ = self.stream.get_mut().write_all(octets);
        self
    }

    /// The next reply, or the end of the connection.
    ///
    /// # Panics
    /// When nothing comes in time, or what comes is no reply.
    pub fn reply(&mut self) -> Reply {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match self.stream.read_line(&mut line) {
                Ok(0) => return Reply { code: 0, lines },
                // A server that was killed in the middle of a line.
                Ok(_) if !line.ends_with('\n') => return Reply { code: 0, lines },
                Ok(_) => {}
                Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => return Reply { code: 0, lines },
                Err(e) => panic!("no reply: {e}; so far {lines:?}"),
            }
            let text = line.strip_suffix("\r\n").unwrap_or_else(|| panic!("a reply's line ends in CRLF: {line:?}"));
            let (code, rest) = text.split_at_checked(3).unwrap_or_else(|| panic!("no reply: {text:?}"));
            lines.push(rest.get(1..).unwrap_or("").to_owned());
            if !rest.starts_with('-') {
                return Reply { code: code.parse().unwrap_or_else(|_| panic!("no reply: {text:?}")), lines };
            }
        }
    }

    /// A command line and its reply.
    pub fn command(&mut self, line: &str) -> Reply {
        self.send(format!("{line}\r\n").as_bytes()).reply()
    }

    /// EHLO, accepted.
    pub fn hello(&mut self) -> Reply {
        let reply = self.command("EHLO client.example");
        reply.expect_code(250);
        reply
    }

    /// MAIL and RCPT, all accepted.
    pub fn envelope(&mut self, from: &str, to: &[&str]) -> &mut Self {
        self.command(&format!("MAIL FROM:<{from}>")).expect_code(250);
        for recipient in to {
            self.command(&format!("RCPT TO:<{recipient}>")).expect_code(250);
        }
        self
    }

    /// DATA with these octets (dots doubled here), and the final reply.
    pub fn data(&mut self, octets: &[u8]) -> Reply {
        self.command("DATA").expect_code(354);
        let mut stuffed = Vec::with_capacity(octets.len() + 16);
        for line in octets.split_inclusive(|octet| *octet == b'\n') {
            if line.starts_with(b".") {
                stuffed.push(b'.');
            }
            stuffed.extend_from_slice(line);
        }
        if !stuffed.ends_with(b"\r\n") && !stuffed.is_empty() {
            stuffed.extend_from_slice(b"\r\n");
        }
        stuffed.extend_from_slice(b".\r\n");
        self.send(&stuffed).reply()
    }

    /// A whole message after EHLO: envelope, content, final reply.
    pub fn mail(&mut self, from: &str, to: &[&str], octets: &[u8]) -> Reply {
        self.envelope(from, to).data(octets)
    }

    /// Reads up to the end of the connection.
    pub fn rest(&mut self) -> Vec<u8> {
        let mut octets = Vec::new();
        // A reset is an end, too.
        let _ = self.stream.read_to_end(&mut octets);
        octets
    }
}
