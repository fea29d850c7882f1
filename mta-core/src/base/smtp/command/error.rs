//! What can be wrong with a command, and what is answered.

use crate::base::mail::address::AddressError;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;

/// Why a line is no well-formed command. Each has one reply; none of them repeats the client's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// Control characters, or octets that are not UTF-8.
    NotText,
    /// No command of ours (RFC 5321 4.2.4).
    Unknown,
    /// EHLO's name is missing or has characters that no name has.
    Ehlo,
    /// The same for HELO.
    Helo,
    /// The same for LHLO.
    Lhlo,
    /// The command takes none.
    UnexpectedArgument,
    /// The command needs one.
    MissingArgument,
    /// `MAIL FROM:<…>` was not written so.
    MailSyntax,
    /// `RCPT TO:<…>` was not written so.
    RcptSyntax,
    /// The reverse path is no mailbox.
    Sender(AddressError),
    /// The forward path is no mailbox.
    Recipient(AddressError),
    /// A sender beyond ASCII without SMTPUTF8.
    SenderNeedsSmtpUtf8,
    /// A recipient beyond ASCII without SMTPUTF8.
    RecipientNeedsSmtpUtf8,
    /// A parameter that we do not have.
    UnknownParameter,
    /// A parameter twice.
    RepeatedParameter,
    /// A parameter whose value is not what its RFC says; the parameter's name.
    Parameter(&'static str),
    /// `AUTH mechanism [initial-response]` was not written so.
    Auth,
    /// BDAT's size or its last word: how many octets follow can't be known.
    Bdat,
    /// `XCLIENT attribute=value …` was not written so, or has an attribute or a value that is none.
    Xclient,
}

impl CommandError {
    /// Octets follow whose number is unknown: they can't be told from commands, so the session must end.
    #[must_use]
    pub fn loses_track(self) -> bool {
        matches!(self, Self::Bdat)
    }

    /// The answer. Codes after RFC 5321 4.2.2 and 4.2.4, statuses after RFC 3463 3.
    #[must_use]
    pub fn reply(self) -> Reply {
        let (code, status, text) = match self {
            Self::NotText => (500, [5, 5, 2], "a command is printable text"),
            Self::Unknown => (500, [5, 5, 1], "command not recognized"),
            Self::Ehlo => (501, [5, 5, 4], "usage: EHLO hostname"),
            Self::Helo => (501, [5, 5, 4], "usage: HELO hostname"),
            Self::Lhlo => (501, [5, 5, 4], "usage: LHLO hostname"),
            Self::UnexpectedArgument => (501, [5, 5, 4], "the command takes no argument"),
            Self::MissingArgument => (501, [5, 5, 4], "the command needs an argument"),
            Self::MailSyntax => (501, [5, 5, 2], "usage: MAIL FROM:<address> [parameters]"),
            Self::RcptSyntax => (501, [5, 5, 2], "usage: RCPT TO:<address> [parameters]"),
            // RFC 3463 3.2: bad sender's, bad destination mailbox address syntax.
            Self::Sender(error) => return address(501, [5, 1, 7], error),
            Self::Recipient(error) => return address(501, [5, 1, 3], error),
            // RFC 6531 3.5 names both codes and the status.
            Self::SenderNeedsSmtpUtf8 => (550, [5, 6, 7], "the sender's address needs SMTPUTF8"),
            Self::RecipientNeedsSmtpUtf8 => (553, [5, 6, 7], "the recipient's address needs SMTPUTF8"),
            // RFC 5321 4.1.1.11.
            Self::UnknownParameter => (555, [5, 5, 4], "parameter not recognized"),
            Self::RepeatedParameter => (501, [5, 5, 4], "a parameter is given twice"),
            Self::Parameter(name) => return parameter(name),
            Self::Auth => (501, [5, 5, 4], "usage: AUTH mechanism [initial-response]"),
            Self::Bdat => (501, [5, 5, 4], "usage: BDAT octets [LAST]"),
            Self::Xclient => (501, [5, 5, 4], "usage: XCLIENT attribute=value ..."),
        };
        Reply::new(code, EnhancedStatus::new(status[0], status[1].into(), status[2].into()), text)
    }
}

fn address(code: u16, [class, subject, detail]: [u8; 3], error: AddressError) -> Reply {
    let status = EnhancedStatus::new(class, subject.into(), detail.into());
    Reply { code, status: Some(status), text: error.to_string().into() }
}

fn parameter(name: &str) -> Reply {
    let text = format!("the value of {name} is malformed");
    Reply { code: 501, status: Some(EnhancedStatus::new(5, 5, 4)), text: text.into() }
}
