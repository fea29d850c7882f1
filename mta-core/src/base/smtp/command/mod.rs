//! Commands as a server reads them (RFC 5321 4.1.1): one line in, one closed enum out.

mod error;
mod name;
mod params;
mod path;
#[cfg(test)]
mod tests;
mod xclient;

pub use error::CommandError;
pub use params::Mail;
pub(super) use params::ORCPT_BYTES_MAX;
pub use xclient::{ATTRIBUTES, Said, Xclient};

use crate::base::mail::envelope::Recipient;
use crate::base::sasl::{Hidden, Mechanism};
use name::client_name;

/// A well-formed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `EHLO name` (RFC 5321 4.1.1.1). The name has only characters that are safe to write into a header.
    Ehlo(Box<str>),
    /// `HELO name` (RFC 5321 4.1.1.1).
    Helo(Box<str>),
    /// `LHLO name` (RFC 2033 4.1): what LMTP has in place of both.
    Lhlo(Box<str>),
    /// `MAIL FROM:` (RFC 5321 4.1.1.2).
    Mail(Mail),
    /// `RCPT TO:` (RFC 5321 4.1.1.3), with its DSN parameters (RFC 3461 4).
    Rcpt(Recipient),
    /// `DATA` (RFC 5321 4.1.1.4).
    Data,
    /// `BDAT octets [LAST]` (RFC 3030 2); the octets follow.
    Bdat {
        /// Length of the chunk.
        octets: u64,
        /// It is the message's last.
        last: bool,
    },
    /// `RSET` (RFC 5321 4.1.1.5).
    Rset,
    /// `NOOP` (RFC 5321 4.1.1.9).
    Noop,
    /// `VRFY` (RFC 5321 4.1.1.6); what was asked about is not kept.
    Vrfy,
    /// `EXPN` (RFC 5321 4.1.1.7).
    Expn,
    /// `HELP` (RFC 5321 4.1.1.8).
    Help,
    /// `QUIT` (RFC 5321 4.1.1.10).
    Quit,
    /// `STARTTLS` (RFC 3207 4).
    StartTls,
    /// `AUTH mechanism [initial-response]` (RFC 4954 4).
    Auth {
        /// None: it is none of ours.
        mechanism: Option<Mechanism>,
        /// As it came: base64, or `=`. It may have a password in it.
        initial: Option<Hidden>,
    },
    /// `XCLIENT attribute=value …` (Postfix's XCLIENT_README).
    Xclient(Box<Xclient>),
}

impl Command {
    /// Reads a line without its CRLF. `smtputf8` says that the transaction asked for it, so that RCPT may name
    /// mailboxes beyond ASCII (RFC 6531 3.4).
    ///
    /// # Errors
    /// What is wrong with it, and so which reply it gets.
    pub fn parse(line: &[u8], smtputf8: bool) -> Result<Self, CommandError> {
        let line = std::str::from_utf8(line).map_err(|_| CommandError::NotText)?;
        if line.contains(char::is_control) {
            return Err(CommandError::NotText);
        }
        // White space at the end is let pass (RFC 5321 4.1.1).
        let line = line.trim_end_matches(' ');
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let is = |name: &str| verb.eq_ignore_ascii_case(name);
        match verb.len() {
            4 if is("MAIL") => Mail::parse(rest).map(Self::Mail),
            4 if is("RCPT") => params::recipient(rest, smtputf8).map(Self::Rcpt),
            4 if is("DATA") => alone(rest, Self::Data),
            4 if is("EHLO") => client_name(rest, CommandError::Ehlo).map(Self::Ehlo),
            4 if is("HELO") => client_name(rest, CommandError::Helo).map(Self::Helo),
            4 if is("LHLO") => client_name(rest, CommandError::Lhlo).map(Self::Lhlo),
            4 if is("BDAT") => bdat(rest),
            4 if is("RSET") => alone(rest, Self::Rset),
            4 if is("QUIT") => alone(rest, Self::Quit),
            // NOOP and HELP may carry a word that means nothing (RFC 5321 4.1.1.9, 4.1.1.8).
            4 if is("NOOP") => Ok(Self::Noop),
            4 if is("HELP") => Ok(Self::Help),
            4 if is("VRFY") => with_argument(rest, Self::Vrfy),
            4 if is("EXPN") => with_argument(rest, Self::Expn),
            4 if is("AUTH") => auth(rest),
            7 if is("XCLIENT") => Xclient::parse(rest).map(|told| Self::Xclient(Box::new(told))),
            8 if is("STARTTLS") => alone(rest, Self::StartTls),
            _ => Err(CommandError::Unknown),
        }
    }

    /// The verb, for logs.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Ehlo(_) => "EHLO",
            Self::Helo(_) => "HELO",
            Self::Lhlo(_) => "LHLO",
            Self::Mail(_) => "MAIL",
            Self::Rcpt(_) => "RCPT",
            Self::Data => "DATA",
            Self::Bdat { .. } => "BDAT",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::Quit => "QUIT",
            Self::StartTls => "STARTTLS",
            Self::Auth { .. } => "AUTH",
            Self::Xclient(_) => "XCLIENT",
        }
    }
}

/// A verb of a refused line, if the line begins with a known one: what may be logged of it.
#[must_use]
pub fn verb_of(line: &[u8]) -> &'static str {
    const VERBS: [&str; 16] = [
        "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "VRFY", "EXPN", "HELP", "QUIT",
        "STARTTLS", "AUTH", "XCLIENT",
    ];
    let verb = line.split(|octet| *octet == b' ').next().unwrap_or_default();
    VERBS.into_iter().find(|known| known.as_bytes().eq_ignore_ascii_case(verb)).unwrap_or("unknown")
}

fn alone(rest: &str, command: Command) -> Result<Command, CommandError> {
    if rest.is_empty() { Ok(command) } else { Err(CommandError::UnexpectedArgument) }
}

fn with_argument(rest: &str, command: Command) -> Result<Command, CommandError> {
    if rest.is_empty() { Err(CommandError::MissingArgument) } else { Ok(command) }
}

/// `sasl-mech [SP initial-response]` (RFC 4954 4 and 8).
fn auth(rest: &str) -> Result<Command, CommandError> {
    let (name, initial) = rest.split_once(' ').map_or((rest, None), |(name, initial)| (name, Some(initial)));
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let wrong = name.is_empty() || name.len() > 20 || !name.chars().all(fits);
    if wrong || initial.is_some_and(|initial| initial.is_empty() || initial.contains(' ')) {
        return Err(CommandError::Auth);
    }
    Ok(Command::Auth { mechanism: Mechanism::named(name), initial: initial.map(Hidden::new) })
}

/// `chunk-size [SP "LAST"]` (RFC 3030 2).
fn bdat(rest: &str) -> Result<Command, CommandError> {
    let (octets, end) = rest.split_once(' ').unwrap_or((rest, ""));
    let digits = (1..=20).contains(&octets.len()) && octets.bytes().all(|d| d.is_ascii_digit());
    let last = end.eq_ignore_ascii_case("LAST");
    match octets.parse() {
        Ok(octets) if digits && (last || end.is_empty()) => Ok(Command::Bdat { octets, last }),
        _ => Err(CommandError::Bdat),
    }
}
