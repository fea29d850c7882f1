//! What plugins said, in words: for reports, for records, and for cases that authors write.

use crate::base::flow::policy::password::PasswordAnswer;
use crate::base::flow::policy::{DataVerdict, Disposition, Gate, Routing, SendVerdict, Sending};
use crate::base::mail::content::Composed;
use crate::base::mail::edits::{EnvelopeEdit, HeaderEdit};

/// `next`, `accept`, or `tempfail`, `reject` or `disconnect` with the reply, as `reject 550 5.7.1 no`.
#[must_use]
pub fn gate(gate: &Gate) -> String {
    match gate {
        Gate::Next => "next".to_owned(),
        Gate::Accept => "accept".to_owned(),
        Gate::Tempfail(reply) => format!("tempfail {reply}"),
        Gate::Reject(reply) => format!("reject {reply}"),
        Gate::Disconnect(reply) => format!("disconnect {reply}"),
    }
}

/// The same, and `quarantine REASON` and `discard REASON`.
#[must_use]
pub fn disposition(disposition: &Disposition) -> String {
    match disposition {
        Disposition::Next => "next".to_owned(),
        Disposition::Accept => "accept".to_owned(),
        Disposition::Tempfail(reply) => format!("tempfail {reply}"),
        Disposition::Reject(reply) => format!("reject {reply}"),
        Disposition::Quarantine(reason) => format!("quarantine {reason}"),
        Disposition::Discard(reason) => format!("discard {reason}"),
    }
}

/// `next`, `hold REASON`, `fail` with the reply, or `place` with what was chosen, as `place via slow, priority bulk`.
#[must_use]
pub fn routing(routing: &Routing) -> String {
    let (placement, not_before) = match routing {
        Routing::Next => return "next".to_owned(),
        Routing::Hold(reason) => return format!("hold {reason}"),
        Routing::Fail(reply) => return format!("fail {reply}"),
        Routing::Place(placement, not_before) => (placement, not_before),
    };
    let chosen = [
        ("via", placement.via.as_deref().map(str::to_owned)),
        ("pool", placement.pool.as_deref().map(str::to_owned)),
        ("campaign", placement.campaign.as_deref().map(str::to_owned)),
        ("priority", Some(placement.priority.name().to_owned())),
        ("not before", not_before.map(|at| at.0.to_string())),
        ("expires", placement.expires.map(|at| at.0.to_string())),
    ];
    let chosen = chosen.into_iter().filter_map(|(name, value)| Some(format!("{name} {}", value?)));
    format!("place {}", chosen.collect::<Vec<_>>().join(", "))
}

/// What was changed for one recipient alone.
#[must_use]
pub fn send_edits(verdict: &SendVerdict) -> Vec<String> {
    edits(&verdict.edits.headers, &[], &[], verdict.body.as_ref().map(Composed::size_bytes))
}

/// `next`, `hold REASON`, `not before` with the milliseconds since 1970, `fail` with the reply, `discard REASON`.
#[must_use]
pub fn sending(sending: &Sending) -> String {
    match sending {
        Sending::Next => "next".to_owned(),
        Sending::Hold(reason) => format!("hold {reason}"),
        Sending::NotBefore(at) => format!("not before {}", at.0),
        Sending::Fail(reply) => format!("fail {reply}"),
        Sending::Discard(reason) => format!("discard {reason}"),
    }
}

/// `next`, `no`, or `yes` with what was said of the user, as `yes, tenant acme, sender @acme.example`; `no answer`.
#[must_use]
pub fn password(answer: &PasswordAnswer) -> String {
    let account = match answer {
        PasswordAnswer::Next => return "next".to_owned(),
        PasswordAnswer::No => return "no".to_owned(),
        PasswordAnswer::Unable(_) => return "no answer".to_owned(),
        PasswordAnswer::Yes(account) => account,
    };
    let tenant = account.tenant.iter().map(|tenant| format!(", tenant {tenant}"));
    let senders = account.senders.iter().map(|sender| format!(", sender {sender}"));
    format!("yes{}", tenant.chain(senders).collect::<String>())
}

/// What a chain changed of a message, as `add X-A: 1`, `set X-A (0): 1`, `remove X-A (0)`, `sender a@b`,
/// `add recipient a@b`, `remove recipient a@b`, `tag name: value`, `body of N octets`.
#[must_use]
pub fn verdict_edits(verdict: &DataVerdict) -> Vec<String> {
    let body = verdict.body.as_ref().map(Composed::size_bytes);
    edits(&verdict.edits.headers, &verdict.envelope, &verdict.tags, body)
}

/// The same of any edits.
pub(crate) fn edits(
    headers: &[HeaderEdit],
    envelope: &[EnvelopeEdit],
    tags: &[(Box<str>, Box<str>)],
    body_bytes: Option<u64>,
) -> Vec<String> {
    let headers = headers.iter().map(|edit| match edit {
        HeaderEdit::Add { name, value } => format!("add {name}: {value}"),
        HeaderEdit::Set { name, nth, value: Some(value) } => format!("set {name} ({nth}): {value}"),
        HeaderEdit::Set { name, nth, value: None } => format!("remove {name} ({nth})"),
    });
    let envelope = envelope.iter().map(|edit| match edit {
        EnvelopeEdit::SetSender(Some(sender)) => format!("sender {sender}"),
        EnvelopeEdit::SetSender(None) => "sender <>".to_owned(),
        EnvelopeEdit::AddRecipient(to) => format!("add recipient {to}"),
        EnvelopeEdit::RemoveRecipient(to) => format!("remove recipient {to}"),
    });
    let tags = tags.iter().map(|(name, value)| format!("tag {name}: {value}"));
    let body = body_bytes.map(|bytes| format!("body of {bytes} octets"));
    headers.chain(envelope).chain(tags).chain(body).collect()
}
