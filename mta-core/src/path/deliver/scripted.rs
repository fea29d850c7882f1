//! For tests: messages, and a server that says what it was told to say, as a machine.

use crate::base::fixtures;
use crate::base::flow::entry::Entry;
use crate::base::mail::content::{Body, Content};
use crate::base::smtp::dot::DotDecoder;
use bytes::Bytes;

/// The content of every message here.
pub(super) const HEAD: &[u8] = b"Subject: x\r\n\r\n";
/// Its body: a dot to be doubled, and a line end that is missing.
pub(super) const BODY: &[u8] = b"one\r\n.two\r\nthree";
/// Trace field of every message.
pub(super) const TRACE: &str = "Received: from a by b\r\n";

/// An entry from `s@a.test` to these recipients.
pub(crate) fn entry(recipients: &[&str]) -> Entry {
    Entry {
        trace: TRACE.into(),
        size_bytes: (HEAD.len() + BODY.len()) as u64,
        head_bytes: u32::try_from(HEAD.len()).expect("short"),
        ..fixtures::entry(7, "s@a.test", recipients)
    }
}

/// The content that goes with it.
pub(super) fn content() -> Content {
    Content { head: Bytes::from_static(HEAD), body: Body::Memory(Bytes::from_static(BODY)) }
}

/// An answer that never comes.
pub(super) const SILENCE: &str = "silence";

/// What the server says.
#[derive(Clone, Debug)]
pub(super) struct Script {
    pub(super) greeting: &'static str,
    /// Lines of the answer to EHLO or LHLO behind the first.
    pub(super) keywords: &'static [&'static str],
    /// Answers to commands that begin so; the first match wins, then it is 250 (354 to DATA).
    pub(super) answers: Vec<(&'static str, &'static str)>,
    /// Answers to the content: one, or with LMTP one for each recipient accepted.
    pub(super) finals: Vec<&'static str>,
    /// RCPT beyond so many in a transaction is answered with 452 (RFC 5321 4.5.3.1.10).
    pub(super) recipients_max: usize,
    /// Closes when a command begins so, without an answer.
    pub(super) closes_at: Option<&'static str>,
    /// Closes when it has the content.
    pub(super) closes_after_content: bool,
}

/// Offers everything, takes everything.
pub(super) fn willing() -> Script {
    Script {
        greeting: "220 there ESMTP",
        keywords: &["PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "CHUNKING", "BINARYMIME", "DSN"],
        answers: Vec::new(),
        finals: vec!["250 2.0.0 taken"],
        recipients_max: usize::MAX,
        closes_at: None,
        closes_after_content: false,
    }
}

/// The machine.
#[derive(Debug)]
pub(super) struct ScriptedServer {
    script: Script,
    input: Vec<u8>,
    content: Option<(DotDecoder, Vec<u8>)>,
    chunk: Option<(usize, Vec<u8>)>,
    /// Recipients let in since MAIL.
    recipients: usize,
    /// Every command, without its CRLF.
    pub(super) commands: Vec<String>,
    /// Every message.
    pub(super) messages: Vec<Vec<u8>>,
    /// It closed the connection.
    pub(super) closed: bool,
}

impl ScriptedServer {
    pub(super) fn new(script: Script) -> Self {
        Self {
            script,
            input: Vec::new(),
            content: None,
            chunk: None,
            recipients: 0,
            commands: Vec::new(),
            messages: Vec::new(),
            closed: false,
        }
    }

    /// Says something else from here on.
    pub(super) fn change(&mut self, script: Script) {
        self.script = script;
    }

    pub(super) fn greeting(&self) -> Vec<u8> {
        format!("{}\r\n", self.script.greeting).into_bytes()
    }

    /// Takes octets; gives what is answered.
    pub(super) fn feed(&mut self, octets: &[u8]) -> Vec<u8> {
        self.input.extend_from_slice(octets);
        let mut out = String::new();
        while !self.closed && self.step(&mut out) {}
        out.into_bytes()
    }

    fn step(&mut self, out: &mut String) -> bool {
        if self.input.is_empty() && self.chunk.as_ref().is_none_or(|(rest, _)| *rest > 0) {
            return false;
        }
        if let Some((decoder, message)) = &mut self.content {
            let decoded = decoder.decode(&self.input, |octets| message.extend_from_slice(octets));
            self.input.drain(..decoded.taken);
            if decoded.ended {
                let message = self.content.take().expect("under way").1;
                self.got(message, out);
            }
            return decoded.ended;
        }
        if let Some((rest, message)) = &mut self.chunk {
            let now = self.input.len().min(*rest);
            message.extend(self.input.drain(..now));
            *rest -= now;
            if *rest == 0 {
                let message = self.chunk.take().expect("under way").1;
                self.got(message, out);
            }
            return true;
        }
        let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") else { return false };
        let line: Vec<u8> = self.input.drain(..end + 2).collect();
        let line = String::from_utf8(line).expect("commands are UTF-8").trim_end().to_owned();
        self.command(&line, out);
        self.commands.push(line);
        true
    }

    fn got(&mut self, message: Vec<u8>, out: &mut String) {
        self.messages.push(message);
        if self.script.closes_after_content {
            self.closed = true;
            return;
        }
        for line in &self.script.finals {
            out.push_str(line);
            out.push_str("\r\n");
        }
        self.closed = self.script.finals.iter().any(|line| line.starts_with("421"));
    }

    fn command(&mut self, line: &str, out: &mut String) {
        if self.script.closes_at.is_some_and(|at| line.starts_with(at)) {
            self.closed = true;
            return;
        }
        let said = self.script.answers.iter().find(|(begins, _)| line.starts_with(begins)).map(|(_, answer)| *answer);
        let answer = match line.get(..4) {
            Some("EHLO" | "LHLO") if said.is_none() => {
                let mut lines = vec!["there"];
                lines.extend(self.script.keywords);
                let last = lines.len() - 1;
                for (at, line) in lines.into_iter().enumerate() {
                    out.push_str(&format!("250{}{line}\r\n", if at == last { ' ' } else { '-' }));
                }
                return;
            }
            Some("RCPT") if said.is_none_or(|said| said.starts_with('2')) => {
                self.recipients += 1;
                if self.recipients > self.script.recipients_max {
                    "452 4.5.3 too many recipients"
                } else {
                    said.unwrap_or("250 fine")
                }
            }
            Some("MAIL") => {
                self.recipients = 0;
                said.unwrap_or("250 fine")
            }
            Some("DATA") if self.script.recipients_max == 0 => "503 5.5.1 no recipients",
            Some("DATA") => said.unwrap_or("354 go on"),
            Some("BDAT") => {
                let octets = line.split(' ').nth(1).and_then(|n| n.parse().ok()).expect("BDAT has a length");
                self.chunk = Some((octets, Vec::new()));
                return;
            }
            Some("QUIT") => said.unwrap_or("221 bye"),
            _ => said.unwrap_or("250 fine"),
        };
        if answer == SILENCE {
            return;
        }
        out.push_str(answer);
        out.push_str("\r\n");
        if answer.starts_with("354") {
            self.content = Some((DotDecoder::default(), Vec::new()));
        }
        self.closed = answer.starts_with("421") || line == "QUIT";
    }
}
