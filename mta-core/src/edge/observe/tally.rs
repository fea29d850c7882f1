//! Counts events, logged or not: each by its name, and of some what they say.

use crate::base::event::{Event, NAMES};
use crate::base::flow::policy::verify::{Method, Outcome};
use crate::base::time::UnixMillis;
use crate::base::world::metrics::{Durations, Family, Kind, MAIL_MICROS, Measure, Value};
use crate::edge::world::clock::wall;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What happened since the start.
#[derive(Debug)]
pub struct Tally {
    began: UnixMillis,
    /// In the order of [`NAMES`].
    events: [AtomicU64; NAMES.len()],
    accepted_bytes: AtomicU64,
    /// Results of verification, in the order of [`Method::ALL`] and of [`Outcome::ALL`].
    verified: [[AtomicU64; Outcome::ALL.len()]; Method::ALL.len()],
    /// Messages that were in the spool at the start.
    found: AtomicU64,
    /// From the beginning of an attempt to the reply that took the recipient.
    attempt: Durations<18>,
    /// From a message's 250 to the reply that took the recipient.
    delivery: Durations<18>,
}

/// A family that is made of counts of events: name, help, label, and each label's value with its event.
type MadeOfEvents = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);

const MADE_OF_EVENTS: [MadeOfEvents; 8] = [
    (
        "mailwright_messages",
        "Messages that clients handed over, by what became of them then; notifications are our own.",
        "outcome",
        &[
            ("accepted", "accepted"),
            ("refused", "message-refused"),
            ("discarded", "message-discarded"),
            ("held", "message-held"),
            ("notification", "notification-queued"),
        ],
    ),
    (
        "mailwright_recipients",
        "Recipients by what an attempt, or their end without one, came to.",
        "outcome",
        &[
            ("delivered", "delivered"),
            ("deferred", "deferred"),
            ("bounced", "bounced"),
            ("expired", "expired"),
            ("discarded", "discarded"),
            ("held", "held"),
        ],
    ),
    (
        "mailwright_feedback",
        "What came back about mail that went out, by what became of it.",
        "outcome",
        &[("told", "feedback"), ("idle", "feedback-idle"), ("untied", "feedback-untied")],
    ),
    (
        "mailwright_report_copies",
        "Reports to other domains, one for each that is to have it, by whether it went; tries that failed count, too.",
        "outcome",
        &[("queued", "report-queued"), ("posted", "report-posted"), ("unsent", "report-unsent")],
    ),
    (
        "mailwright_sessions",
        "Sessions of clients.",
        "outcome",
        &[("opened", "session-opened"), ("refused", "session-refused")],
    ),
    (
        "mailwright_tls_handshakes",
        "TLS handshakes with clients.",
        "outcome",
        &[("done", "tls-established"), ("failed", "tls-failed")],
    ),
    (
        "mailwright_authentications",
        "AUTH exchanges that came to an end.",
        "outcome",
        &[("succeeded", "auth-succeeded"), ("failed", "auth-failed")],
    ),
    (
        "mailwright_reloads",
        "Reloads of the configuration (all) and of the plugins alone.",
        "result",
        &[
            ("all", "reloaded"),
            ("all-refused", "reload-refused"),
            ("plugins", "plugins-reloaded"),
            ("plugins-refused", "plugins-reload-refused"),
            ("plugins-rolled-back", "plugins-rolled-back"),
        ],
    ),
];

impl Default for Tally {
    fn default() -> Self {
        Self {
            began: wall(),
            events: [const { AtomicU64::new(0) }; NAMES.len()],
            accepted_bytes: AtomicU64::new(0),
            verified: [const { [const { AtomicU64::new(0) }; Outcome::ALL.len()] }; Method::ALL.len()],
            found: AtomicU64::new(0),
            attempt: Durations::new(&MAIL_MICROS),
            delivery: Durations::new(&MAIL_MICROS),
        }
    }
}

impl Tally {
    /// Each event's name with its count, in the order of the enum.
    pub fn read(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        NAMES.iter().copied().zip(self.events.iter().map(|count| count.load(Ordering::Relaxed)))
    }

    pub(super) fn count(&self, event: &Event<'_>) {
        if let Some(count) = self.events.get(event.index()) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        match event {
            Event::Accepted { bytes, .. } => drop(self.accepted_bytes.fetch_add(*bytes, Ordering::Relaxed)),
            Event::Verified { results, .. } => {
                for result in results.0 {
                    self.verified[result.method as usize][result.outcome as usize].fetch_add(1, Ordering::Relaxed);
                }
            }
            Event::SpoolOpened { messages, .. } => self.found.store(*messages, Ordering::Relaxed),
            Event::Delivered { took_ms, age_ms, .. } => {
                self.attempt.observe(Duration::from_millis(*took_ms));
                self.delivery.observe(Duration::from_millis(*age_ms));
            }
            _ => {}
        }
    }

    fn of(&self, name: &str) -> u64 {
        self.read().find(|(known, _)| *known == name).map_or(0, |(_, count)| count)
    }
}

impl Measure for Tally {
    fn measure(&self, into: &mut Vec<Family>) {
        let counter = |name, help| Family::new(name, Kind::Counter, help);
        let gauge = |name, help| Family::new(name, Kind::Gauge, help);
        let build = gauge("mailwright_build", "1, with the version of the program.");
        into.push(build.with(&[("version", env!("CARGO_PKG_VERSION"))], Value::Whole(1)));
        let start = gauge("mailwright_start_time_seconds", "When the server began, in seconds since 1970.");
        into.push(start.with(&[], Value::Real(self.began.0 as f64 / 1e3)));
        let mut events = counter("mailwright_events", "Events by their name in the log, logged or not.");
        for (name, count) in self.read() {
            events.push(&[("event", name)], Value::Whole(count));
        }
        into.push(events);
        for (name, help, label, counted) in MADE_OF_EVENTS {
            let mut family = counter(name, help);
            for (value, event) in counted {
                family.push(&[(label, value)], Value::Whole(self.of(event)));
            }
            into.push(family);
        }
        let mut verified =
            counter("mailwright_verified", "Results of verification; a message has one of each signature.");
        for (method, counts) in Method::ALL.into_iter().zip(&self.verified) {
            for (outcome, count) in Outcome::ALL.into_iter().zip(counts) {
                let count = count.load(Ordering::Relaxed);
                // What never came is left out: most of these never do.
                if count > 0 {
                    verified.push(&[("method", method.name()), ("result", outcome.name())], Value::Whole(count));
                }
            }
        }
        into.push(verified);
        let bytes = counter("mailwright_accepted_bytes", "The length of accepted messages, together.");
        into.push(bytes.with(&[], Value::Whole(self.accepted_bytes.load(Ordering::Relaxed))));
        // What ended is counted after what began, so that no gauge goes below zero.
        let ended = (self.of("session-closed"), self.of("finished"));
        let open = self.of("session-opened").saturating_sub(ended.0);
        into.push(gauge("mailwright_sessions_open", "Sessions now.").with(&[], Value::Whole(open)));
        let ours = ["notification-queued", "submitted", "report-queued"].map(|event| self.of(event));
        let came = self.found.load(Ordering::Relaxed) + self.of("accepted") + ours.iter().sum::<u64>();
        let queued = gauge("mailwright_queue_messages", "Messages in the queue now, held ones too.");
        into.push(queued.with(&[], Value::Whole(came.saturating_sub(ended.1))));
        let histogram = |name, help| Family::new(name, Kind::Histogram, help);
        let spreads = [
            (histogram("mailwright_attempt_seconds", "How long attempts took that delivered."), &self.attempt),
            (histogram("mailwright_delivery_age_seconds", "From a message's 250 to its delivery."), &self.delivery),
        ];
        for (family, durations) in spreads {
            into.push(match durations.read() {
                Some(spread) => family.with(&[], spread),
                None => family,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::mail::id::QueueId;

    fn value(tally: &Tally, name: &str, label: Option<&str>) -> Value {
        let mut families = Vec::new();
        tally.measure(&mut families);
        let family = families.into_iter().find(|family| family.name == name).expect("there is such a family");
        let wanted = |labels: &[(_, String)]| label.is_none_or(|label| labels.iter().any(|(_, value)| value == label));
        family.samples.into_iter().find(|sample| wanted(&sample.labels)).expect("there is such a sample").value
    }

    #[test]
    fn what_is_made_of_events_names_events_that_there_are() {
        let named = MADE_OF_EVENTS.iter().flat_map(|(.., counted)| counted.iter().map(|(_, event)| *event));
        for event in named.chain(["session-closed", "finished", "accepted", "notification-queued", "submitted"]) {
            assert!(NAMES.contains(&event), "{event}");
        }
    }

    #[test]
    fn the_queue_is_what_came_without_what_ended() {
        let tally = Tally::default();
        tally.count(&Event::SpoolOpened { messages: 3, replayed: 0, damaged: 0, took_ms: 0 });
        let id = QueueId(1);
        let peer = "192.0.2.1:1".parse().expect("a literal");
        for _ in 0..2 {
            tally.count(&Event::Accepted { session: "s", id, sender: "", recipients: 1, bytes: 500, peer, user: None });
        }
        tally.count(&Event::NotificationQueued { id, about: id, kind: "failed", to: "" });
        tally.count(&Event::Submitted { id, plugin: "p", tenant: None, sender: "", recipients: 1, bytes: 1 });
        tally.count(&Event::ReportQueued { kind: "dmarc", domain: "d", report: id, to: "", id, results: 1 });
        tally.count(&Event::Finished { id });
        assert_eq!(value(&tally, "mailwright_queue_messages", None), Value::Whole(7));
        assert_eq!(value(&tally, "mailwright_accepted_bytes", None), Value::Whole(1000));
        assert_eq!(value(&tally, "mailwright_messages", Some("accepted")), Value::Whole(2));
        assert_eq!(value(&tally, "mailwright_messages", Some("notification")), Value::Whole(1));
        assert_eq!(value(&tally, "mailwright_events", Some("finished")), Value::Whole(1));
    }
}
