//! Answers of guests made fit for SMTP, and what a failure answers instead.

use super::super::fault::{Fault, Kind};
use super::super::host::bindings::exports::mailwright::plugin::on_feedback as feedback;
use super::super::host::bindings::exports::mailwright::plugin::on_outcome::Outcome as WireOutcome;
use super::super::host::bindings::exports::mailwright::plugin::on_pre_send::Sending as WireSending;
use super::super::host::bindings::mailwright::plugin::setup::OutcomeKind;
use super::super::host::bindings::mailwright::plugin::types;
use super::address::to_wire;
use crate::base::flow::policy::feedback as came_back;
use crate::base::flow::policy::{Disposition, Gate, Outcome, Sending};
use crate::base::mail::tie::Sent;
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::UnixMillis;
use crate::config::model::OnFailure;

/// Longest text of a reply or a reason from a plugin, in octets (RFC 5321 4.5.3.1.5 allows lines of 512).
const TEXT_BYTES_MAX: usize = 512;

/// Which codes fit a verdict.
#[derive(Clone, Copy)]
pub(super) enum Class {
    /// 4xx but 421, which closes the connection (RFC 5321 3.8).
    Transient,
    /// 5xx.
    Permanent,
    /// 421 or 5xx.
    Closing,
    /// 4xx or 5xx.
    Failing,
}

impl Class {
    fn fits(self, code: u16) -> bool {
        match self {
            Self::Transient => (400..500).contains(&code) && code != 421,
            Self::Permanent => (500..600).contains(&code),
            Self::Closing => code == 421 || (500..600).contains(&code),
            Self::Failing => (400..600).contains(&code),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Transient => "tempfail takes 4xx other than 421",
            Self::Permanent => "reject takes 5xx",
            Self::Closing => "disconnect takes 421 or 5xx",
            Self::Failing => "fail takes 4xx or 5xx",
        }
    }
}

/// The verdict of an envelope hook.
pub(crate) fn gate(said: types::Gate) -> Result<Gate, Fault> {
    Ok(match said {
        types::Gate::Next => Gate::Next,
        types::Gate::Accept => Gate::Accept,
        types::Gate::Tempfail(said) => Gate::Tempfail(reply(&said, Class::Transient)?),
        types::Gate::Reject(said) => Gate::Reject(reply(&said, Class::Permanent)?),
        types::Gate::Disconnect(said) => Gate::Disconnect(reply(&said, Class::Closing)?),
    })
}

/// The verdict on a message.
pub(crate) fn disposition(said: types::Disposition) -> Result<Disposition, Fault> {
    Ok(match said {
        types::Disposition::Next => Disposition::Next,
        types::Disposition::Accept => Disposition::Accept,
        types::Disposition::Tempfail(said) => Disposition::Tempfail(reply(&said, Class::Transient)?),
        types::Disposition::Reject(said) => Disposition::Reject(reply(&said, Class::Permanent)?),
        types::Disposition::Quarantine(why) => Disposition::Quarantine(reason(&why)),
        types::Disposition::Discard(why) => Disposition::Discard(reason(&why)),
    })
}

/// The verdict on an attempt.
pub(crate) fn sending(said: WireSending) -> Result<Sending, Fault> {
    Ok(match said {
        WireSending::Next => Sending::Next,
        WireSending::Hold(why) => Sending::Hold(reason(&why)),
        WireSending::NotBefore(at) => Sending::NotBefore(UnixMillis(at)),
        WireSending::Fail(said) => Sending::Fail(reply(&said, Class::Failing)?),
        WireSending::Discard(why) => Sending::Discard(reason(&why)),
    })
}

/// What became of a recipient, as plugins skip it.
pub(crate) fn outcome_kind(outcome: &Outcome) -> OutcomeKind {
    match outcome {
        Outcome::Delivered(_) => OutcomeKind::Delivered,
        Outcome::Deferred(_) => OutcomeKind::Deferred,
        Outcome::Bounced(_) => OutcomeKind::Bounced,
        Outcome::Expired => OutcomeKind::Expired,
        Outcome::Cancelled => OutcomeKind::Cancelled,
    }
}

/// What became of a recipient, as guests are told.
pub(crate) fn outcome(outcome: &Outcome) -> WireOutcome {
    match outcome {
        Outcome::Delivered(said) => WireOutcome::Delivered(told(said)),
        Outcome::Deferred(said) => WireOutcome::Deferred(told(said)),
        Outcome::Bounced(said) => WireOutcome::Bounced(told(said)),
        Outcome::Expired => WireOutcome::Expired,
        Outcome::Cancelled => WireOutcome::Cancelled,
    }
}

/// What came back, as guests are told.
pub(crate) fn feedback(sent: &Sent, kind: &came_back::Kind) -> feedback::Feedback {
    let text = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
    feedback::Feedback {
        kind: match kind {
            came_back::Kind::Bounce(bounce) => feedback::Kind::Bounce(feedback::Bounce {
                status: status(bounce.status),
                diagnostic: text(&bounce.diagnostic),
                remote: text(&bounce.remote),
            }),
            came_back::Kind::Complaint(what) => feedback::Kind::Complaint(what.to_string()),
            came_back::Kind::Unsubscribe => feedback::Kind::Unsubscribe,
        },
        queue_id: sent.id.to_string(),
        recipient: to_wire(&sent.recipient),
        tenant: text(&sent.tenant),
        campaign: text(&sent.campaign),
    }
}

fn told(said: &Reply) -> types::Reply {
    types::Reply { code: said.code, enhanced: said.status.map(status), text: said.text.to_string() }
}

fn status(status: EnhancedStatus) -> types::EnhancedStatus {
    types::EnhancedStatus { class: status.class, subject: status.subject, detail: status.detail }
}

pub(super) fn reply(said: &types::Reply, class: Class) -> Result<Reply, Fault> {
    if !class.fits(said.code) {
        return Err(Fault::new(Kind::Answer, format!("it answered with code {}: {}", said.code, class.words())));
    }
    let digit = u8::try_from(said.code / 100).unwrap_or(5);
    // The class follows the code (RFC 2034 4); x.7.1 is "not for reasons of policy" (RFC 3463 3.8).
    let status = match said.enhanced {
        Some(status) if status.subject <= 999 && status.detail <= 999 => {
            EnhancedStatus::new(digit, status.subject, status.detail)
        }
        _ => EnhancedStatus::new(digit, 7, 1),
    };
    let text = line(&said.text);
    let text = if text.is_empty() { "refused by policy".into() } else { text };
    Ok(Reply { code: said.code, status: Some(status), text: text.into() })
}

/// Printable ASCII and spaces (RFC 5321 4.2: textstring), so that no text can end the line or begin another reply.
fn line(text: &str) -> String {
    let plain = text.chars().filter_map(|c| match c {
        '\t' | '\n' => Some(' '),
        ' '..='~' => Some(c),
        c if c.is_control() => None,
        _ => Some('?'),
    });
    plain.take(TEXT_BYTES_MAX).collect::<String>().trim().to_owned()
}

pub(super) fn reason(text: &str) -> Box<str> {
    let mut plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.truncate(plain.floor_char_boundary(TEXT_BYTES_MAX));
    plain.into()
}

/// 451 4.3.0: policy can't decide now (RFC 5321 4.2.3, RFC 3463 3.4).
pub(super) const UNDECIDED: Reply =
    Reply::new(451, EnhancedStatus::new(4, 3, 0), "Policy can't decide now, try again later");

/// 550 5.3.0, where the operator said `closed`.
pub(super) const CLOSED: Reply = Reply::new(550, EnhancedStatus::new(5, 3, 0), "Policy can't decide, refused");

/// What a failure answers at an envelope hook.
pub(crate) fn failed_gate(on_failure: OnFailure) -> Gate {
    match on_failure {
        OnFailure::Tempfail => Gate::Tempfail(UNDECIDED),
        OnFailure::Open => Gate::Next,
        OnFailure::Closed => Gate::Reject(CLOSED),
    }
}

/// What a failure answers for a message.
pub(crate) fn failed_disposition(on_failure: OnFailure) -> Disposition {
    match on_failure {
        OnFailure::Tempfail => Disposition::Tempfail(UNDECIDED),
        OnFailure::Open => Disposition::Next,
        OnFailure::Closed => Disposition::Reject(CLOSED),
    }
}

/// What a failure answers for an attempt: a failed attempt, nothing, or a bounce.
pub(crate) fn failed_sending(on_failure: OnFailure) -> Sending {
    match on_failure {
        OnFailure::Tempfail => Sending::Fail(UNDECIDED),
        OnFailure::Open => Sending::Next,
        OnFailure::Closed => Sending::Fail(CLOSED),
    }
}

/// How the log names what a failure answered.
pub(crate) fn answered(on_failure: OnFailure) -> &'static str {
    match on_failure {
        OnFailure::Tempfail => "451 4.3.0",
        OnFailure::Open => "next",
        OnFailure::Closed => "550 5.3.0",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(code: u16, text: &str) -> types::Reply {
        let enhanced = Some(types::EnhancedStatus { class: 2, subject: 1, detail: 1 });
        types::Reply { code, enhanced, text: text.to_owned() }
    }

    #[test]
    fn a_code_that_does_not_fit_its_verdict_is_a_fault() {
        for wrong in [
            types::Gate::Reject(said(250, "ok")),
            types::Gate::Tempfail(said(550, "no")),
            types::Gate::Tempfail(said(421, "bye")),
            types::Gate::Disconnect(said(450, "bye")),
            types::Gate::Reject(said(999, "?")),
        ] {
            assert_eq!(gate(wrong).map_err(|fault| fault.kind), Err(Kind::Answer));
        }
    }

    #[test]
    fn a_text_can_neither_end_the_line_nor_grow_without_end_rfc5321_4_2() {
        let Ok(Gate::Reject(reply)) = gate(types::Gate::Reject(said(550, "no\r\n250 ok\0\u{1b}[2J ü"))) else {
            panic!("550 fits reject");
        };
        assert_eq!(reply.to_string(), "550 5.1.1 no 250 ok[2J ?");
        let Ok(Gate::Reject(reply)) = gate(types::Gate::Reject(said(550, &"x".repeat(2000)))) else {
            panic!("550 fits reject");
        };
        assert_eq!(reply.text.len(), TEXT_BYTES_MAX);
    }

    #[test]
    fn the_status_class_follows_the_code_rfc2034_4() {
        let reply = reply(&said(450, "later"), Class::Transient).expect("450 fits");
        assert_eq!(reply.status, Some(EnhancedStatus::new(4, 1, 1)));
    }
}
