//! Parameters of MAIL and RCPT (RFC 5321 4.1.1.11), each as its own RFC writes it.

use super::error::CommandError;
use super::path;
use crate::base::mail::address::Address;
use crate::base::mail::envelope::{BodyType, Notify, Recipient, Ret};
use crate::base::smtp::xtext;

/// Longest `ENVID=` value in octets (RFC 3461 4.4).
const ENVID_BYTES_MAX: usize = 100;

/// Longest `ORCPT=` value in octets (RFC 3461 4.2).
pub(crate) const ORCPT_BYTES_MAX: usize = 500;

/// What MAIL says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// The reverse path; none is `<>`.
    pub sender: Option<Address>,
    /// `SIZE=`, in octets (RFC 1870 6); a number beyond 64 bits is the greatest one.
    pub size: Option<u64>,
    /// `BODY=` (RFC 6152 2, RFC 3030 3).
    pub body: Option<BodyType>,
    /// `SMTPUTF8` (RFC 6531 3.4).
    pub smtputf8: bool,
    /// `RET=` (RFC 3461 4.3).
    pub ret: Option<Ret>,
    /// `ENVID=`, decoded (RFC 3461 4.4).
    pub envid: Option<Box<str>>,
    /// `AUTH=` was there (RFC 4954 5). Who it names is not kept: we believe nobody who says so, and pass it on to nobody.
    pub auth: bool,
    /// `REQUIRETLS` (RFC 8689 2).
    pub requiretls: bool,
}

impl Mail {
    /// Reads what follows `MAIL `.
    pub(super) fn parse(rest: &str) -> Result<Self, CommandError> {
        let (sender, rest) = path::reverse(rest)?;
        let mut mail = Self { sender, ..Self::default() };
        mail_params(rest, &mut mail)?;
        if !mail.smtputf8 && mail.sender.as_ref().is_some_and(|sender| !sender.is_ascii()) {
            return Err(CommandError::SenderNeedsSmtpUtf8);
        }
        Ok(mail)
    }
}

/// Reads MAIL's parameters into `mail`.
fn mail_params(text: &str, mail: &mut Mail) -> Result<(), CommandError> {
    let mut seen = [false; 7];
    for param in params(text) {
        let (name, value) = split(param)?;
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        let wrong = |name| move || CommandError::Parameter(name);
        let which = if is("SIZE") {
            mail.size = Some(value.and_then(size).ok_or_else(wrong("SIZE"))?);
            0
        } else if is("BODY") {
            mail.body = Some(value.and_then(body).ok_or_else(wrong("BODY"))?);
            1
        } else if is("SMTPUTF8") {
            // RFC 6531 3.4: it has no value.
            mail.smtputf8 = value.is_none() || Err(CommandError::Parameter("SMTPUTF8"))?;
            2
        } else if is("RET") {
            mail.ret = Some(value.and_then(ret).ok_or_else(wrong("RET"))?);
            3
        } else if is("ENVID") {
            mail.envid = Some(value.and_then(envid).ok_or_else(wrong("ENVID"))?);
            4
        } else if is("AUTH") {
            mail.auth = value.is_some_and(auth) || Err(CommandError::Parameter("AUTH"))?;
            5
        } else if is("REQUIRETLS") {
            // RFC 8689 2: it has no value.
            mail.requiretls = value.is_none() || Err(CommandError::Parameter("REQUIRETLS"))?;
            6
        } else {
            return Err(CommandError::UnknownParameter);
        };
        note(&mut seen[which])?;
    }
    Ok(())
}

/// Reads what follows `RCPT `.
pub(super) fn recipient(text: &str, smtputf8: bool) -> Result<Recipient, CommandError> {
    let (address, rest) = path::forward(text)?;
    let mut recipient = Recipient { address, notify: None, orcpt: None };
    let mut seen = [false; 2];
    for param in params(rest) {
        let (name, value) = split(param)?;
        let which = if name.eq_ignore_ascii_case("NOTIFY") {
            recipient.notify = Some(value.and_then(notify).ok_or(CommandError::Parameter("NOTIFY"))?);
            0
        } else if name.eq_ignore_ascii_case("ORCPT") {
            let decoded = value.and_then(|value| orcpt(value, smtputf8));
            recipient.orcpt = Some(decoded.ok_or(CommandError::Parameter("ORCPT"))?);
            1
        } else {
            return Err(CommandError::UnknownParameter);
        };
        note(&mut seen[which])?;
    }
    if !smtputf8 && !recipient.address.is_ascii() {
        return Err(CommandError::RecipientNeedsSmtpUtf8);
    }
    Ok(recipient)
}

/// Several spaces in a row count as one; RFC 5321 3.3's advice to be tolerant where nothing is ambiguous.
pub(super) fn params(text: &str) -> impl Iterator<Item = &str> {
    text.split(' ').filter(|param| !param.is_empty())
}

/// `esmtp-keyword ["=" esmtp-value]` (RFC 5321 4.1.2).
fn split(param: &str) -> Result<(&str, Option<&str>), CommandError> {
    match param.split_once('=') {
        Some((name, value)) => Ok((name, Some(value))),
        None => Ok((param, None)),
    }
}

fn note(seen: &mut bool) -> Result<(), CommandError> {
    if std::mem::replace(seen, true) { Err(CommandError::RepeatedParameter) } else { Ok(()) }
}

/// `1*20DIGIT` (RFC 1870 6).
fn size(value: &str) -> Option<u64> {
    let digits = (1..=20).contains(&value.len()) && value.bytes().all(|d| d.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}

/// RFC 6152 2, RFC 3030 3.
fn body(value: &str) -> Option<BodyType> {
    let is = |known: &str| value.eq_ignore_ascii_case(known);
    if is("7BIT") {
        Some(BodyType::SevenBit)
    } else if is("8BITMIME") {
        Some(BodyType::EightBitMime)
    } else {
        is("BINARYMIME").then_some(BodyType::BinaryMime)
    }
}

/// RFC 3461 4.3.
fn ret(value: &str) -> Option<Ret> {
    if value.eq_ignore_ascii_case("FULL") {
        return Some(Ret::Full);
    }
    value.eq_ignore_ascii_case("HDRS").then_some(Ret::Hdrs)
}

/// RFC 3461 4.4.
fn envid(value: &str) -> Option<Box<str>> {
    let fits = !value.is_empty() && value.len() <= ENVID_BYTES_MAX;
    fits.then(|| xtext::decode(value)).flatten().map(Into::into)
}

/// `<>` or a mailbox, in xtext (RFC 4954 5).
fn auth(value: &str) -> bool {
    xtext::decode(value).is_some_and(|value| value == "<>" || value.parse::<Address>().is_ok())
}

/// `NEVER`, or some of `SUCCESS`, `FAILURE` and `DELAY` (RFC 3461 4.1).
fn notify(value: &str) -> Option<Notify> {
    let mut notify = Notify { success: false, failure: false, delay: false };
    if value.eq_ignore_ascii_case("NEVER") {
        return Some(notify);
    }
    for word in value.split(',') {
        let is = |known: &str| word.eq_ignore_ascii_case(known);
        let asked = if is("SUCCESS") {
            &mut notify.success
        } else if is("FAILURE") {
            &mut notify.failure
        } else if is("DELAY") {
            &mut notify.delay
        } else {
            return None;
        };
        *asked = true;
    }
    Some(notify)
}

/// `addr-type ";" xtext` (RFC 3461 4.2), or `utf-8;` and one of its forms (RFC 6533 3), of which the one with plain
/// UTF-8 needs SMTPUTF8.
fn orcpt(value: &str, smtputf8: bool) -> Option<Box<str>> {
    let (kind, address) = value.split_once(';')?;
    let kind_fits = !kind.is_empty() && kind.bytes().all(|o| o.is_ascii_alphanumeric() || o == b'-');
    if !kind_fits || address.is_empty() || value.len() > ORCPT_BYTES_MAX {
        return None;
    }
    let decoded = if kind.eq_ignore_ascii_case("utf-8") {
        (smtputf8 || address.is_ascii()).then(|| xtext::decode_utf8(address))??
    } else {
        xtext::decode(address)?
    };
    Some(format!("{kind};{decoded}").into())
}
