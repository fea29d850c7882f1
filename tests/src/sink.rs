//! A next hop that keeps every message and answers as its script says.

use crate::{PATIENCE, Watched};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

/// A message as the sink got it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The MAIL line without its end.
    pub mail: String,
    /// The recipients that were let in.
    pub recipients: Vec<String>,
    /// The RCPT lines of all recipients.
    pub rcpt: Vec<String>,
    /// The content, dots undone.
    pub octets: Vec<u8>,
    /// Which connection it came by, from 0.
    pub connection: usize,
}

impl Received {
    /// The reverse path.
    #[must_use]
    pub fn sender(&self) -> &str {
        between(&self.mail)
    }

    /// The content as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.octets).into_owned()
    }
}

/// The answer to RCPT.
type RcptAnswer = Box<dyn Fn(&str, usize) -> String + Send + Sync>;
/// The answer to the final dot.
type ContentAnswer = Box<dyn Fn(&Received) -> String + Send + Sync>;

/// How the sink answers. A reply of `close` closes the connection without a word.
pub struct Script {
    greeting: String,
    extensions: Vec<String>,
    rcpt: RcptAnswer,
    /// Recipients that one message may have.
    room: usize,
    content: ContentAnswer,
}

/// The sink. Its threads end with the test's process.
#[derive(Clone, Debug)]
pub struct Sink {
    address: SocketAddr,
    state: Arc<Watched<State>>,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Received>,
    rcpt_seen: HashMap<String, usize>,
    connections: usize,
    open: usize,
}

impl Default for Script {
    fn default() -> Self {
        Self::new()
    }
}

impl Script {
    /// Takes everything, and offers what most servers offer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            greeting: "220 sink.example ESMTP".to_owned(),
            extensions: ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES"].map(str::to_owned).to_vec(),
            rcpt: Box::new(|_, _| "250 2.1.5 ok".to_owned()),
            room: usize::MAX,
            content: Box::new(|_| "250 2.0.0 kept".to_owned()),
        }
    }

    /// Another greeting.
    #[must_use]
    pub fn greeting(mut self, greeting: &str) -> Self {
        greeting.clone_into(&mut self.greeting);
        self
    }

    /// One more keyword for EHLO.
    #[must_use]
    pub fn offer(mut self, keyword: &str) -> Self {
        self.extensions.push(keyword.to_owned());
        self
    }

    /// The answer to RCPT: the address, and how many times it was seen, from 1.
    #[must_use]
    pub fn rcpt(mut self, answer: impl Fn(&str, usize) -> String + Send + Sync + 'static) -> Self {
        self.rcpt = Box::new(answer);
        self
    }

    /// Beyond so many recipients of one message the answer is 452 (RFC 5321 4.5.3.1.10).
    #[must_use]
    pub fn room(mut self, recipients: usize) -> Self {
        self.room = recipients;
        self
    }

    /// The answer to the final dot. Only a message that is answered with 2xx is kept.
    #[must_use]
    pub fn content(mut self, answer: impl Fn(&Received) -> String + Send + Sync + 'static) -> Self {
        self.content = Box::new(answer);
        self
    }

    /// Listens at a port that the system chooses.
    #[must_use]
    pub fn start(self) -> Sink {
        self.start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// Listens there.
    ///
    /// # Panics
    /// When the address is taken.
    #[must_use]
    pub fn start_at(self, at: SocketAddr) -> Sink {
        let listener = TcpListener::bind(at).expect("the sink's address is free");
        let sink = Sink { address: listener.local_addr().expect("a bound socket"), state: Arc::default() };
        let (script, accepting) = (Arc::new(self), sink.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (script, sink) = (Arc::clone(&script), accepting.clone());
                let number = sink.state.change(|state| {
                    state.connections += 1;
                    state.open += 1;
                    state.connections - 1
                });
                std::thread::spawn(move || {
                    // A client that goes away is no error of the sink.
                    let _ = Session { script, sink: sink.clone(), number }.serve(stream);
                    sink.state.change(|state| state.open -= 1);
                });
            }
        });
        sink
    }
}

impl Sink {
    /// One that takes everything.
    #[must_use]
    pub fn start() -> Self {
        Script::new().start()
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everything kept so far.
    #[must_use]
    pub fn messages(&self) -> Vec<Received> {
        self.state.look(|state| state.messages.clone())
    }

    /// Looks at everything kept so far without a copy.
    pub fn look<R>(&self, look: impl FnOnce(&[Received]) -> R) -> R {
        self.state.look(|state| look(&state.messages))
    }

    /// How many connections there were.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.state.look(|state| state.connections)
    }

    /// Waits until something can be said of the messages.
    ///
    /// # Panics
    /// When that does not come.
    pub fn wait<R>(&self, what: &str, mut wanted: impl FnMut(&[Received]) -> Option<R>) -> R {
        let found = self.state.wait(PATIENCE, |state| wanted(&state.messages));
        found.unwrap_or_else(|| panic!("{what}: did not come; {} messages did", self.messages().len()))
    }

    /// Waits for a message of which this holds.
    #[must_use]
    pub fn message(&self, what: &str, wanted: impl Fn(&Received) -> bool) -> Received {
        self.wait(what, |messages| messages.iter().find(|message| wanted(message)).cloned())
    }

    /// Waits until there are so many connections at once.
    ///
    /// # Panics
    /// When they do not come.
    pub fn open_connections(&self, count: usize) {
        let reached = self.state.wait(PATIENCE, |state| (state.open == count).then_some(()));
        assert!(reached.is_some(), "{count} connections wanted");
    }
}

struct Session {
    script: Arc<Script>,
    sink: Sink,
    number: usize,
}

impl Session {
    fn serve(&self, stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut lines = BufReader::new(stream.try_clone()?);
        let mut out = stream;
        writeln_crlf(&mut out, &self.script.greeting)?;
        let mut message = self.fresh();
        loop {
            let mut line = Vec::new();
            if lines.read_until(b'\n', &mut line)? == 0 {
                return Ok(());
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            let verb = line.get(..4).unwrap_or("").to_ascii_uppercase();
            let answer = match verb.as_str() {
                "EHLO" | "LHLO" => self.extensions(),
                "MAIL" => {
                    message = self.fresh();
                    message.mail = line;
                    "250 2.1.0 ok".to_owned()
                }
                "RCPT" => self.recipient(&mut message, line),
                "DATA" if message.recipients.is_empty() => "554 5.5.1 no valid recipients".to_owned(),
                "DATA" => {
                    writeln_crlf(&mut out, "354 go")?;
                    message.octets = content(&mut lines)?;
                    self.keep(std::mem::replace(&mut message, self.fresh()))
                }
                "QUIT" => return writeln_crlf(&mut out, "221 2.0.0 bye"),
                _ => "250 2.0.0 ok".to_owned(),
            };
            if answer == "close" {
                return Ok(());
            }
            writeln_crlf(&mut out, &answer)?;
        }
    }

    fn fresh(&self) -> Received {
        let (recipients, rcpt) = (Vec::new(), Vec::new());
        Received { mail: String::new(), recipients, rcpt, octets: Vec::new(), connection: self.number }
    }

    fn extensions(&self) -> String {
        let (last, rest) = self.script.extensions.split_last().expect("a script offers something");
        let lines = std::iter::once("sink.example").chain(rest.iter().map(String::as_str));
        let lines: String = lines.map(|line| format!("250-{line}\r\n")).collect();
        format!("{lines}250 {last}")
    }

    fn recipient(&self, message: &mut Received, line: String) -> String {
        let address = between(&line).to_owned();
        let nth = self.sink.state.change(|state| {
            let seen = state.rcpt_seen.entry(address.clone()).or_default();
            *seen += 1;
            *seen
        });
        let full = message.recipients.len() >= self.script.room;
        let answer = if full { "452 4.5.3 too many".to_owned() } else { (self.script.rcpt)(&address, nth) };
        if answer.starts_with('2') {
            message.recipients.push(address);
        }
        message.rcpt.push(line);
        answer
    }

    fn keep(&self, message: Received) -> String {
        let answer = (self.script.content)(&message);
        if answer.starts_with('2') {
            self.sink.state.change(|state| state.messages.push(message));
        }
        answer
    }
}

fn content(lines: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    loop {
        let mut line = Vec::new();
        if lines.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(octets);
        }
        octets.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
    }
}

fn writeln_crlf(out: &mut TcpStream, text: &str) -> std::io::Result<()> {
    // One write: a client waits for whole replies.
    out.write_all(format!("{text}\r\n").as_bytes())
}

/// What stands between the first `<` and the `>` behind it.
fn between(line: &str) -> &str {
    let start = line.find('<').map_or(0, |at| at + 1);
    let end = line[start..].find('>').map_or(line.len(), |at| start + at);
    &line[start..end]
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("greeting", &self.greeting).finish_non_exhaustive()
    }
}
