//! What a message at the feedback domain is about, and whether we have its word for it.
//!
//! A ticket of ours in the header that a report returns says all of it. Where there is none, the mark in an address says
//! which message, and the recipient that the report names must be the one that the mark was made for.

use super::fields::{Group, address, status, untyped};
use super::report::{self, Form, Report};
use crate::base::flow::policy::feedback::{Bounce, Kind};
use crate::base::mail::address::Address;
use crate::base::mail::header::{self, Field};
use crate::base::mail::id::QueueId;
use crate::base::mail::tie::{self, Key, Mark, Purpose, Sent};
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::UnixMillis;
use crate::config::model::Feedback;
use crate::config::model::feedback::Place;
use mail_parser::MessageParser;
use std::sync::Arc;

/// Tickets in one header that are looked at: others may run this server too, and pass our mail on.
const TICKETS_MAX: usize = 8;
/// Recipients that a report names and that are looked at.
const NAMED_MAX: usize = 16;
/// Longest text that is passed on to plugins, in octets.
const TEXT_BYTES_MAX: usize = 512;
/// Longest type of feedback that is passed on, in octets.
const TYPE_BYTES_MAX: usize = 64;

/// What things are judged by.
pub(super) struct Judge<'a> {
    pub(super) key: &'a Key,
    pub(super) feedback: &'a Feedback,
    pub(super) tenants: &'a [Arc<str>],
    pub(super) now: UnixMillis,
}

/// What came.
#[derive(Clone, Copy)]
pub(super) struct Letter<'a> {
    /// Where to.
    pub(super) to: &'a Address,
    /// The reverse path.
    pub(super) sender: Option<&'a Address>,
    /// The header section.
    pub(super) head: &'a [u8],
    /// The body, or its beginning.
    pub(super) body: &'a [u8],
}

/// What it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// Feedback about that.
    Tied(Sent, Kind),
    /// It is about mail of ours and says nothing that plugins are told.
    Idle(QueueId, &'static str),
    /// We have nothing to show that it is about mail of ours.
    Untied(&'static str),
}

const NO_MARK: &str = "its address is none that we made";
const TOO_OLD: &str = "what it is about is too old";
const ANOTHER: &str = "it returns another message than its address is for";
const NO_TICKET: &str = "nothing in it says which message it is about";
const NOT_ITS_RECIPIENT: &str = "it names no recipient of that message";
const NO_REPORT: &str = "it is no report";
const NO_FAILURE: &str = "it tells of no failure";
const AUTOMATIC: &str = "it is an automatic answer";

impl Judge<'_> {
    /// What the letter is.
    pub(super) fn judge(&self, letter: Letter<'_>) -> Finding {
        match self.try_judge(letter) {
            Ok(finding) => finding,
            Err(why) => Finding::Untied(why),
        }
    }

    fn try_judge(&self, letter: Letter<'_>) -> Result<Finding, &'static str> {
        let mark = match self.feedback.place(letter.to) {
            Place::Marked => Some(self.key.read_mark(letter.to.local()).ok_or(NO_MARK)?),
            Place::Reports | Place::Other | Place::Elsewhere => None,
        };
        match (report::read(letter.head, letter.body), mark) {
            (Some(Report { form: Form::Status(groups), returned }), mark) => {
                let sent = self.tie(mark, &returned, None, || named_by(&groups))?;
                Ok(match failure(&groups, &sent.recipient) {
                    Some(bounce) => Finding::Tied(sent, Kind::Bounce(bounce)),
                    None => Finding::Idle(sent.id, NO_FAILURE),
                })
            }
            (Some(Report { form: Form::Complaint(fields), returned }), mark) => {
                let sent = self.tie(mark, &returned, fields.get("original-mail-from"), || complained_of(&fields))?;
                let kind = fields.get("feedback-type").and_then(feedback_type).ok_or(NO_REPORT)?;
                Ok(Finding::Tied(sent, Kind::Complaint(kind)))
            }
            (None, Some(mark)) if mark.purpose == Purpose::Unsubscribe => self.unsubscribe(&mark, letter),
            (None, Some(mark)) => {
                self.young(mark.id)?;
                Ok(Finding::Idle(mark.id, NO_REPORT))
            }
            (None, None) => Err(NO_REPORT),
        }
    }

    /// What a report is about: by a ticket in the header that it returns; else by the mark of its own address, or of the
    /// reverse path that it returns, and by the recipients that it names.
    fn tie(
        &self,
        mark: Option<Mark>,
        returned: &[u8],
        from: Option<&str>,
        named: impl Fn() -> Vec<Address>,
    ) -> Result<Sent, &'static str> {
        let fields = fields_in(returned).filter(|field| field.name.eq_ignore_ascii_case(tie::FIELD));
        let mut tickets = fields.take(TICKETS_MAX).filter_map(|field| self.key.read_ticket(&field.unfolded()));
        if let Some(sent) = tickets.next() {
            let is_same = mark.is_none_or(|mark| self.key.fits(&mark, &sent));
            self.young(sent.id)?;
            return if is_same { Ok(sent) } else { Err(ANOTHER) };
        }
        let path = fields_in(returned).find(|field| field.name.eq_ignore_ascii_case("Return-Path"));
        let path = path.map(|field| field.unfolded().into_owned());
        let paths = || from.into_iter().chain(path.as_deref()).filter_map(address);
        let mark = mark.or_else(|| paths().find_map(|path| self.marked(&path))).ok_or(NO_TICKET)?;
        self.recipient_of(&mark, named())
    }

    /// The mark of an address in the feedback domain.
    fn marked(&self, path: &Address) -> Option<Mark> {
        (self.feedback.place(path) == Place::Marked).then(|| self.key.read_mark(path.local())).flatten()
    }

    /// Which of these the mark was made for.
    fn recipient_of(&self, mark: &Mark, named: Vec<Address>) -> Result<Sent, &'static str> {
        self.young(mark.id)?;
        for recipient in named.into_iter().take(NAMED_MAX) {
            let mut sent = Sent { id: mark.id, recipient, tenant: None, campaign: None };
            if self.key.fits(mark, &sent) {
                return Ok(sent);
            }
            for tenant in self.tenants {
                sent.tenant = Some(tenant.as_ref().into());
                if self.key.fits(mark, &sent) {
                    return Ok(sent);
                }
            }
        }
        Err(NOT_ITS_RECIPIENT)
    }

    fn young(&self, id: QueueId) -> Result<(), &'static str> {
        if self.now.since(id.at()) <= self.feedback.age_max { Ok(()) } else { Err(TOO_OLD) }
    }

    /// RFC 2369 3.2, RFC 6068 2: the subject has the ticket, as the URI said. Where it was lost, who writes must be who got
    /// the message.
    fn unsubscribe(&self, mark: &Mark, letter: Letter<'_>) -> Result<Finding, &'static str> {
        let parsed = MessageParser::default().parse_headers(letter.head);
        let subject = parsed.as_ref().and_then(|parsed| parsed.subject()).unwrap_or_default();
        let writer = parsed.as_ref().and_then(|parsed| parsed.from()?.first()?.address());
        let writer = writer.and_then(|writer| Address::parse(writer).ok());
        let written = self.tickets_in(subject).find(|sent| self.key.fits(mark, sent));
        let sent = match written {
            Some(sent) => self.young(sent.id).map(|()| sent)?,
            None => self.recipient_of(mark, letter.sender.cloned().into_iter().chain(writer).collect())?,
        };
        Ok(match is_automatic(letter) {
            true => Finding::Idle(sent.id, AUTOMATIC),
            false => Finding::Tied(sent, Kind::Unsubscribe),
        })
    }

    /// Tickets in a text: a word of it, or what follows its first word, which may have been folded.
    fn tickets_in<'a>(&'a self, text: &'a str) -> impl Iterator<Item = Sent> + 'a {
        let rest = text.split_once(char::is_whitespace).map(|(_, rest)| rest);
        rest.into_iter().chain(text.split_whitespace()).take(TICKETS_MAX).filter_map(|word| self.key.read_ticket(word))
    }
}

/// Every field of a header section that others wrote down: a line that is none hides none behind it.
fn fields_in(returned: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut rest = returned;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            if let Some(field) = header::fields(rest).next() {
                rest = rest.get(field.raw.len()..).unwrap_or_default();
                return Some(field);
            }
            let line = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            rest = rest.get(line..).unwrap_or_default();
        }
        None
    })
}

/// RFC 3834 5: an answer that no person wrote is nobody's wish.
fn is_automatic(letter: Letter<'_>) -> bool {
    let submitted = header::find(letter.head, "Auto-Submitted", 0);
    let replied = submitted.is_some_and(|field| field.unfolded().to_ascii_lowercase().starts_with("auto-replied"));
    letter.sender.is_none() || replied
}

/// The recipients that a status notification names (RFC 3464 2.3.1 and 2.3.2).
fn named_by(groups: &[Group]) -> Vec<Address> {
    let values = groups.iter().flat_map(|group| group.all("original-recipient").chain(group.all("final-recipient")));
    values.filter_map(address).take(NAMED_MAX).collect()
}

/// The recipients that a complaint names (RFC 5965 3.3); most leave them out.
fn complained_of(fields: &Group) -> Vec<Address> {
    let values = fields.all("original-rcpt-to").chain(fields.all("removal-recipient"));
    values.filter_map(address).take(NAMED_MAX).collect()
}

/// Why delivery failed, where it did (RFC 3464 2.3.3): by the group of that recipient, or else by the first that says so.
fn failure(groups: &[Group], recipient: &Address) -> Option<Bounce> {
    let failed = || groups.iter().filter(|group| group.get("action").is_some_and(is_failed));
    let names = |group: &&Group| named_by(std::slice::from_ref(*group)).contains(recipient);
    let group = failed().find(names).or_else(|| failed().next())?;
    let text =
        |name| group.get(name).map(untyped).filter(|text| !text.is_empty()).map(|text| cut(text, TEXT_BYTES_MAX));
    Some(Bounce {
        status: group.get("status").and_then(status).unwrap_or(EnhancedStatus::new(5, 0, 0)),
        diagnostic: text("diagnostic-code"),
        remote: text("remote-mta"),
    })
}

/// A comment may follow the word.
fn is_failed(action: &str) -> bool {
    action.split([' ', '(', ';']).next().is_some_and(|word| word.eq_ignore_ascii_case("failed"))
}

/// RFC 5965 3.1: a token, as `abuse`, `fraud`, `not-spam`.
fn feedback_type(value: &str) -> Option<Box<str>> {
    let word = value.split([' ', '(', ';']).next().unwrap_or_default();
    let is_token = !word.is_empty() && word.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    (is_token && word.len() <= TYPE_BYTES_MAX).then(|| word.to_ascii_lowercase().into())
}

fn cut(text: &str, bytes_max: usize) -> Box<str> {
    text[..text.floor_char_boundary(bytes_max)].into()
}
