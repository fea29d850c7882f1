//! What envelope hooks are asked, in the contract's own types.

use super::super::host::questions::{Auth, Mail, Question, Rcpt};
use super::address::to_wire;
use crate::base::flow::policy::Asked;
use crate::base::mail::envelope::{BodyType, Envelope, Notify, Recipient, Ret};

/// What a guest is asked.
pub(crate) fn question(asked: Asked<'_>) -> Question {
    match asked {
        Asked::Connect => Question::Connect,
        Asked::Helo(name) => Question::Helo(name.to_owned()),
        Asked::Auth { mechanism, user, succeeded } => {
            Question::Auth(Box::new(Auth { mechanism: mechanism.to_owned(), user: user.to_owned(), succeeded }))
        }
        Asked::Mail { envelope, size_bytes } => Question::Mail(Box::new(Mail {
            sender: envelope.sender.as_ref().map(to_wire),
            params: mail_params(envelope, size_bytes),
        })),
        Asked::Rcpt { sender, to } => {
            let rcpt = Rcpt { sender: sender.map(to_wire), to: to_wire(&to.address), params: rcpt_params(to) };
            Question::Rcpt(Box::new(rcpt))
        }
    }
}

/// The parameters of MAIL: RFC 1870 (SIZE), RFC 6152 and RFC 3030 (BODY, without the default), RFC 6531 (SMTPUTF8),
/// RFC 3461 (RET, ENVID).
fn mail_params(envelope: &Envelope, size_bytes: Option<u64>) -> Vec<(String, String)> {
    let body = match envelope.body {
        BodyType::SevenBit => None,
        BodyType::EightBitMime => Some("8BITMIME".to_owned()),
        BodyType::BinaryMime => Some("BINARYMIME".to_owned()),
    };
    let ret = envelope.ret.map(|ret| match ret {
        Ret::Full => "FULL".to_owned(),
        Ret::Hdrs => "HDRS".to_owned(),
    });
    present([
        ("SIZE", size_bytes.map(|size| size.to_string())),
        ("BODY", body),
        ("SMTPUTF8", envelope.smtputf8.then(String::new)),
        ("RET", ret),
        ("ENVID", envelope.envid.as_deref().map(str::to_owned)),
    ])
}

/// The parameters of RCPT that RFC 3461 names, as the client gave them.
fn rcpt_params(recipient: &Recipient) -> Vec<(String, String)> {
    let notify = recipient.notify.map(|Notify { success, failure, delay }| {
        let words = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
        let words: Vec<&str> = words.iter().filter(|(asked, _)| *asked).map(|(_, word)| *word).collect();
        if words.is_empty() { "NEVER".to_owned() } else { words.join(",") }
    });
    let orcpt = recipient.orcpt.as_deref().map(str::to_owned);
    present([("NOTIFY", notify), ("ORCPT", orcpt)])
}

fn present<const N: usize>(given: [(&str, Option<String>); N]) -> Vec<(String, String)> {
    given.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
}
