//! Reports of many shapes, tied to what was sent or not, and whatever else may come.

mod driver;
mod samples;

use super::fields::groups;
use super::judge::{Finding, Judge, Letter};
use super::report;
use crate::base::flow::policy::feedback::{Bounce, Kind};
use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;
use crate::base::mail::id::QueueId;
use crate::base::mail::tie::{FIELD, KEY_BYTES, Key, Purpose, Sent};
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::UnixMillis;
use crate::config::model::Feedback;
use proptest::prelude::*;
use samples::{DELAYED, EXCHANGE, EXIM, LOOP, NAMED, POSTFIX, Sample};
use std::sync::Arc;
use std::time::Duration;

const SENT_AT: UnixMillis = UnixMillis(1_772_442_000_000);
const DAY: Duration = Duration::from_secs(86_400);

fn key() -> Key {
    Key::new([7; KEY_BYTES])
}

fn feedback() -> Feedback {
    let domain = Domain::parse("bounces.example.org").expect("a domain");
    Feedback { domain, senders: Vec::new(), reports: vec!["fbl".into()], age_max: 10 * DAY }
}

fn mailbox(text: &str) -> Address {
    Address::parse(text).expect("a mailbox")
}

fn sent_to(recipient: &str) -> Sent {
    let (tenant, campaign) = (Some("acme".into()), Some("spring".into()));
    Sent { id: QueueId::new(SENT_AT, 5), recipient: mailbox(recipient), tenant, campaign }
}

fn ann() -> Sent {
    sent_to("Ann@receiver.example")
}

/// Without what a mark alone can't say.
fn by_mark() -> Sent {
    Sent { campaign: None, recipient: mailbox("ann@receiver.example"), ..ann() }
}

fn path(sent: &Sent, purpose: Purpose) -> Address {
    key().address(purpose, sent, &feedback().domain).expect("there is room")
}

fn field(sent: &Sent) -> String {
    format!("{FIELD}: {}", key().ticket(sent))
}

fn judged(to: &Address, sender: Option<&Address>, (head, body): &(Vec<u8>, Vec<u8>)) -> Finding {
    judged_at(SENT_AT.plus(DAY), to, sender, (head, body))
}

fn judged_at(now: UnixMillis, to: &Address, sender: Option<&Address>, (head, body): (&[u8], &[u8])) -> Finding {
    let tenants: [Arc<str>; 2] = ["globex".into(), "acme".into()];
    let (key, feedback) = (key(), feedback());
    Judge { key: &key, feedback: &feedback, tenants: &tenants, now }.judge(Letter { to, sender, head, body })
}

/// As it came back to the reverse path of the message to Ann, with that field among what it returns.
fn returned(sample: &Sample, field: &str) -> Finding {
    let path = path(&ann(), Purpose::Reports);
    judged(&path, None, &sample.letter("ann@receiver.example", field, &path.to_string()))
}

fn bounce(status: (u8, u16, u16), diagnostic: Option<&str>, remote: Option<&str>) -> Kind {
    Kind::Bounce(Bounce {
        status: EnhancedStatus::new(status.0, status.1, status.2),
        diagnostic: diagnostic.map(Into::into),
        remote: remote.map(Into::into),
    })
}

/// The samples that tell of a failure, and what they say.
fn failures() -> [(&'static Sample, Kind); 3] {
    let unknown = "550 5.1.1 <ann@receiver.example>: Recipient address rejected: User unknown";
    let resolver =
        "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient ann@receiver.example not found by SMTP address lookup";
    [
        (&POSTFIX, bounce((5, 1, 1), Some(unknown), Some("store.receiver.example"))),
        (&EXIM, bounce((5, 0, 0), None, None)),
        (&EXCHANGE, bounce((5, 1, 10), Some(resolver), None)),
    ]
}

#[test]
fn a_ticket_in_what_is_returned_says_all_of_it_rfc3464_2_and_rfc6522_3() {
    for (sample, kind) in failures() {
        assert_eq!(returned(sample, &field(&ann())), Finding::Tied(ann(), kind), "{}", sample.name);
    }
}

#[test]
fn without_its_ticket_the_address_and_the_recipient_say_it_rfc3464_2_3() {
    for (sample, kind) in failures() {
        assert_eq!(returned(sample, "X-Other: 1"), Finding::Tied(by_mark(), kind), "{}", sample.name);
    }
}

#[test]
fn a_folded_ticket_among_those_of_others_is_found_rfc5322_2_2_3() {
    let ticket = key().ticket(&ann());
    let (one, two) = ticket.split_at(60);
    let other = Key::new([9; KEY_BYTES]).ticket(&ann());
    let folded = format!("no field\n\n{FIELD}: {other}\n{}: {one}\n\t{two}", FIELD.to_uppercase());
    let folded = folded.replace("\n\n", "\n");
    assert!(matches!(returned(&POSTFIX, &folded), Finding::Tied(sent, _) if sent == ann()));
}

#[test]
fn a_ticket_below_a_long_header_is_found() {
    for lines in [100, 400, 3000] {
        let long = format!(
            "{}{}",
            "X-Filter: a verdict of sixty characters or so, as filters write\n".repeat(lines),
            field(&ann())
        );
        for (sample, kind) in failures() {
            assert_eq!(returned(sample, &long), Finding::Tied(ann(), kind), "{} {lines}", sample.name);
        }
    }
}

#[test]
fn what_is_about_another_message_or_recipient_is_tied_to_nothing() {
    // Somebody holds the address of one message, and the ticket of another.
    let bob = sent_to("bob@receiver.example");
    let another = Finding::Untied("it returns another message than its address is for");
    assert_eq!(returned(&POSTFIX, &field(&bob)), another);
    let later = Sent { id: QueueId::new(SENT_AT, 6), ..ann() };
    assert_eq!(returned(&POSTFIX, &field(&later)), another);
    // Somebody has a message of their own, and names another recipient.
    let path = path(&ann(), Purpose::Reports);
    let named = POSTFIX.letter("bob@receiver.example", "X: 1", &path.to_string());
    assert_eq!(judged(&path, None, &named), Finding::Untied("it names no recipient of that message"));
}

#[test]
fn forged_tickets_and_marks_are_worth_nothing() {
    let forger = Key::new([9; KEY_BYTES]);
    let forged = forger.address(Purpose::Reports, &ann(), &feedback().domain).expect("there is room");
    let letter =
        POSTFIX.letter("ann@receiver.example", &format!("{FIELD}: {}", forger.ticket(&ann())), &forged.to_string());
    assert_eq!(judged(&forged, None, &letter), Finding::Untied("its address is none that we made"));
    let fbl = mailbox("fbl@bounces.example.org");
    assert_eq!(judged(&fbl, None, &letter), Finding::Untied("nothing in it says which message it is about"));
    let letter = LOOP.letter("", &format!("{FIELD}: {}", forger.ticket(&ann())), &forged.to_string());
    assert_eq!(judged(&fbl, None, &letter), Finding::Untied("nothing in it says which message it is about"));
}

#[test]
fn complaints_come_where_feedback_loops_send_them_rfc5965_3_1() {
    let fbl = mailbox("FBL@bounces.example.org");
    let path = path(&ann(), Purpose::Reports).to_string();
    let loops = LOOP.letter("ann@receiver.example", &field(&ann()), &path);
    assert_eq!(
        judged(&fbl, Some(&mailbox("staff@fbl.receiver.example")), &loops),
        Finding::Tied(ann(), Kind::Complaint("abuse".into()))
    );
    // Without the ticket nobody says who complained.
    let redacted = LOOP.letter("ann@receiver.example", "X: 1", &path);
    assert_eq!(judged(&fbl, None, &redacted), Finding::Untied("it names no recipient of that message"));
    let named = NAMED.letter("ann@receiver.example", "", &path);
    assert_eq!(judged(&fbl, None, &named), Finding::Tied(by_mark(), Kind::Complaint("fraud".into())));
    let typeless = (named.0, String::from_utf8_lossy(&named.1).replace("Feedback-Type", "Type").into_bytes());
    assert_eq!(judged(&fbl, None, &typeless), Finding::Untied("it is no report"));
}

#[test]
fn what_tells_of_no_failure_is_idle_rfc3464_2_3() {
    assert_eq!(returned(&DELAYED, &field(&ann())), Finding::Idle(ann().id, "it tells of no failure"));
    let away =
        (b"From: <ann@receiver.example>\r\nAuto-Submitted: auto-replied\r\n\r\n".to_vec(), b"I am away\r\n".to_vec());
    let path = path(&ann(), Purpose::Reports);
    assert_eq!(judged(&path, None, &away), Finding::Idle(ann().id, "it is no report"));
    let fbl = mailbox("fbl@bounces.example.org");
    assert_eq!(judged(&fbl, None, &away), Finding::Untied("it is no report"));
}

#[test]
fn old_mail_is_nobodys_any_more() {
    let late = SENT_AT.plus(11 * DAY);
    let fbl = mailbox("fbl@bounces.example.org");
    for (to, sample, field) in [
        (path(&ann(), Purpose::Reports), &POSTFIX, field(&ann())),
        (path(&ann(), Purpose::Reports), &POSTFIX, "X: 1".to_owned()),
        (fbl, &LOOP, field(&ann())),
        (path(&ann(), Purpose::Unsubscribe), &EXIM, field(&ann())),
    ] {
        let (head, body) = sample.letter("ann@receiver.example", &field, &path(&ann(), Purpose::Reports).to_string());
        assert_eq!(judged_at(late, &to, None, (&head, &body)), Finding::Untied("what it is about is too old"));
    }
}

/// A message to the unsubscribe address.
fn request(from: &str, subject: &str, more: &str) -> (Vec<u8>, Vec<u8>) {
    (format!("From: Ann <{from}>\r\nSubject: {subject}\r\n{more}\r\n").into_bytes(), b"please\r\n".to_vec())
}

#[test]
fn mail_to_the_unsubscribe_address_is_a_request_rfc2369_3_2_and_rfc6068_2() {
    let to = path(&ann(), Purpose::Unsubscribe);
    let ticket = key().ticket(&ann());
    let (other, own) = (mailbox("a.n@other.example"), mailbox("ann@receiver.example"));
    let (one, two) = ticket.split_at(50);
    for subject in [
        format!("unsubscribe {ticket}"),
        ticket.clone(),
        format!("Re: unsubscribe {ticket} thanks"),
        format!("unsubscribe\r\n {one}\r\n {two}"),
        format!("=?utf-8?Q?unsubscribe_{one}?=\r\n =?utf-8?Q?{two}?="),
    ] {
        let letter = request("a.n@other.example", &subject, "");
        assert_eq!(judged(&to, Some(&other), &letter), Finding::Tied(ann(), Kind::Unsubscribe), "{subject}");
    }
    // The subject was lost: who writes must be who got the message, by the envelope or by From.
    let lost = Finding::Tied(by_mark(), Kind::Unsubscribe);
    assert_eq!(judged(&to, Some(&own), &request("a.n@other.example", "stop", "")), lost);
    assert_eq!(judged(&to, Some(&other), &request("ann@receiver.example", "stop", "")), lost);
    let stranger = judged(&to, Some(&other), &request("a.n@other.example", "stop", ""));
    assert_eq!(stranger, Finding::Untied("it names no recipient of that message"));
    let bobs = key().ticket(&sent_to("bob@receiver.example"));
    let stolen = judged(&to, Some(&other), &request("a.n@other.example", &format!("unsubscribe {bobs}"), ""));
    assert_eq!(stolen, Finding::Untied("it names no recipient of that message"));
}

#[test]
fn what_no_person_wrote_is_no_request_rfc3834_5() {
    let to = path(&ann(), Purpose::Unsubscribe);
    let subject = format!("unsubscribe {}", key().ticket(&ann()));
    let automatic = Finding::Idle(ann().id, "it is an automatic answer");
    let own = mailbox("ann@receiver.example");
    assert_eq!(judged(&to, None, &request("ann@receiver.example", &subject, "")), automatic);
    let answered = request("ann@receiver.example", &subject, "Auto-Submitted: auto-replied (vacation)\r\n");
    assert_eq!(judged(&to, Some(&own), &answered), automatic);
    let generated = request("ann@receiver.example", &subject, "Auto-Submitted: auto-generated\r\n");
    assert_eq!(judged(&to, Some(&own), &generated), Finding::Tied(ann(), Kind::Unsubscribe), "by a program for her");
}

#[test]
fn a_report_stands_directly_in_its_message_rfc6522_3() {
    let (head, body) = POSTFIX.letter("ann@receiver.example", "X: 1", "p@bounces.example.org");
    assert!(report::read(&head, &body).is_some());
    let mixed = String::from_utf8_lossy(&head).replace("multipart/report", "multipart/mixed");
    assert!(report::read(mixed.as_bytes(), &body).is_none());
    // Somebody passes a report on: it is not theirs.
    let inner = [&head[..], &body[..]].concat();
    let outer = [b"--o\r\nContent-Type: message/rfc822\r\n\r\n", &inner[..], b"\r\n--o--\r\n"].concat();
    assert!(report::read(b"Content-Type: multipart/report; boundary=o\r\n\r\n", &outer).is_none());
}

#[test]
fn the_global_forms_are_read_too_rfc6533_4() {
    let (head, body) = POSTFIX.letter("ann@receiver.example", &field(&ann()), "p@bounces.example.org");
    let body = String::from_utf8_lossy(&body).replace("message/delivery-status", "message/global-delivery-status");
    let body = body.replace("text/rfc822-headers", "message/global-headers");
    let to = path(&ann(), Purpose::Reports);
    assert!(
        matches!(judged(&to, None, &(head, body.into_bytes())), Finding::Tied(sent, Kind::Bounce(_)) if sent == ann())
    );
}

#[test]
fn a_report_that_is_cut_short_says_what_is_there() {
    let (head, body) = POSTFIX.letter("ann@receiver.example", &field(&ann()), "p@bounces.example.org");
    let to = path(&ann(), Purpose::Reports);
    for length in 0..body.len() {
        // Whatever is missing, nothing is tied to anybody else.
        match judged(&to, None, &(head.clone(), body[..length].to_vec())) {
            Finding::Tied(sent, _) => assert!(sent == ann() || sent == by_mark(), "{length}"),
            Finding::Idle(id, _) => assert_eq!(id, ann().id),
            Finding::Untied(_) => {}
        }
    }
}

proptest! {
    #[test]
    fn no_octets_make_the_judge_fail_or_believe(
        head in prop::collection::vec(any::<u8>(), 0..300), body in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        for to in [mailbox("fbl@bounces.example.org"), path(&ann(), Purpose::Unsubscribe)] {
            prop_assert!(!matches!(judged(&to, None, &(head.clone(), body.clone())), Finding::Tied(..)));
        }
    }

    #[test]
    fn any_octets_in_a_report_leave_it_a_report_or_none(
        at in 0_usize..2000, octets in prop::collection::vec(any::<u8>(), 0..40), which in 0_usize..6,
    ) {
        let sample = [&POSTFIX, &EXIM, &EXCHANGE, &DELAYED, &LOOP, &NAMED][which];
        let (mut head, mut body) = sample.letter("ann@receiver.example", &field(&ann()), "p@bounces.example.org");
        let at = at % (head.len() + body.len());
        if at < head.len() {
            head.splice(at..at, octets);
        } else {
            let at = at - head.len();
            body.splice(at..at, octets);
        }
        match judged(&path(&ann(), Purpose::Reports), None, &(head, body)) {
            Finding::Tied(sent, _) => prop_assert!(sent == ann() || sent == by_mark()),
            Finding::Idle(id, _) => prop_assert_eq!(id, ann().id),
            Finding::Untied(_) => {}
        }
    }

    #[test]
    fn groups_of_any_text_have_an_end(text in "([A-Za-z]{1,5}: ?[a-z ]{0,5}\r?\n|\r?\n| x\n){0,300}") {
        prop_assert!(groups(text.as_bytes()).len() <= 128);
    }
}
