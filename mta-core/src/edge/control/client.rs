//! The client's side of the control socket, for the command line: plain and blocking.

use super::{Request, Response};
use crate::base::flow::operator::trial::Recorded;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the server may be silent: it answers from memory and disk, without other parties.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// A line of an answer, in octets: a message with 100,000 recipients has long ones.
const RESPONSE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A connection to the running server.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// In words for people: no server runs with that data directory, or it is not ours to ask.
    pub fn connect(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                format!("no server answers on {shown}; is `mailwright serve` running with this configuration?")
            }
            io::ErrorKind::PermissionDenied => {
                format!("{shown}: permission denied; only the user that runs the server (and root) may ask it")
            }
            _ => format!("{shown}: {error}"),
        })?;
        Ok(Self { stream: BufReader::new(stream), path: path.to_owned() })
    }

    /// Asks, hands each row to `row`, and returns the line that ends the answer; never a row or an error.
    ///
    /// # Errors
    /// In words for people: what the server said, or that it stopped saying anything; and what `row` returned.
    pub fn ask(
        &mut self,
        request: &Request,
        mut row: impl FnMut(super::row::Row) -> Result<(), String>,
    ) -> Result<Response, String> {
        self.send(request)?;
        loop {
            match self.next()? {
                Response::Row(found) => row(found)?,
                Response::Error(why) => return Err(why),
                end => return Ok(end),
            }
        }
    }

    /// Asks for a recording, and hands each transaction to `take` as it comes.
    ///
    /// # Errors
    /// As for `ask`.
    pub fn record(
        &mut self,
        request: &Request,
        mut take: impl FnMut(&Recorded) -> Result<(), String>,
    ) -> Result<(), String> {
        self.send(request)?;
        loop {
            match self.next()? {
                Response::Recorded(recorded) => take(&recorded)?,
                Response::Error(why) => return Err(why),
                _ => return Ok(()),
            }
        }
    }

    fn send(&mut self, request: &Request) -> Result<(), String> {
        let mut line = serde_json::to_vec(request).map_err(|error| error.to_string())?;
        line.push(b'\n');
        // A reload compiles, within the plugins' own limits, a recording waits for mail, and reports for other servers.
        let waits =
            matches!(request, Request::PluginReload | Request::PluginRecord { .. } | Request::ReportSend { .. });
        let silence = if waits { None } else { Some(SILENCE_MAX) };
        self.stream.get_mut().set_read_timeout(silence).map_err(|error| self.lost(&error))?;
        self.stream.get_mut().write_all(&line).map_err(|error| self.lost(&error))
    }

    fn next(&mut self) -> Result<Response, String> {
        let mut line = Vec::new();
        let mut limited = (&mut self.stream).take(RESPONSE_BYTES_MAX);
        limited.read_until(b'\n', &mut line).map_err(|error| self.lost(&error))?;
        if line.last() != Some(&b'\n') {
            return Err(self.lost(&io::Error::from(io::ErrorKind::UnexpectedEof)));
        }
        let unread = |error| format!("{}: the server's answer can't be read: {error}", self.path.display());
        serde_json::from_slice(&line).map_err(unread)
    }

    fn lost(&self, error: &io::Error) -> String {
        format!("{}: the server stopped answering: {error}", self.path.display())
    }
}
