//! `builtin:routing` sends mail by rules: to a smart host, from a pool, in a window of the recipient's own time, and no more
//! of it to one recipient than a cap allows, however many send at once.

use super::{cases, page_is_sound};
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::metrics::Metrics;
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::{Received, Sink};
use serde_json::Value;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 24 * 60;

/// What a clock shows that is so many minutes before UTC, so many minutes from now.
fn clock(offset: i64, later: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() / 60;
    let minute = (i64::try_from(now).expect("it fits") + offset + later).rem_euclid(DAY);
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// Hours around a moment that is so many minutes from now.
fn hours(offset: i64, later: i64) -> String {
    format!("{}-{}", clock(offset, later), clock(offset, later + 60))
}

/// Everything to one sink, the route "partner" to the other; the plugin with this configuration.
fn setup(normal: &Sink, partner: &Sink, config: &str) -> Setup {
    let setup = Setup::new().smarthost("*", normal.address());
    let setup = setup.table(&format!("[[route]]\nname = \"partner\"\nsmarthost = \"{}\"", partner.address()));
    let setup = setup.table("[[pool]]\nname = \"second\"\naddresses = [\"127.0.0.2\"]");
    setup.table(&format!(
        "[[plugin]]\nname = \"routing\"\nsource = \"builtin:routing\"\n\
         allow = [\"clock\", \"kv:caps\", \"log\", \"metrics\", \"tables\"]\n{config}"
    ))
}

fn send(server: &Mailwright, from: &str, to: &[&str], headers: &str) -> String {
    let mut client = server.client();
    client.hello();
    let content = [headers.as_bytes(), &message(&Mark::new(), "hello\r\n")].concat();
    client.mail(from, to, &content).queue_id()
}

fn about(server: &Mailwright, event: &str, to: &str) -> Value {
    server.event(event, |event| event["recipient"] == to)
}

fn recipients(received: &[Received]) -> Vec<String> {
    let mut all: Vec<String> = received.iter().flat_map(|message| message.recipients.clone()).collect();
    all.sort();
    all
}

#[test]
fn rules_choose_the_next_hop_the_pool_the_stream_and_the_time() {
    let (normal, partner) = (Sink::start(), Sink::start());
    // Kathmandu is 5:45 before UTC all the year.
    let there = 345;
    let config = format!(
        r#"
[plugin.config.zones.domains]
np = "Asia/Kathmandu"
[plugin.config.streams.codes]
pool = "second"
priority = "transactional"
campaign = "codes"
[plugin.config.windows.now]
open = ["{}"]
[plugin.config.windows.later]
open = ["{}"]
[[plugin.config.rules]]
to = ["partner.test"]
via = "partner"
[[plugin.config.rules]]
headers = {{ X-Kind = "code" }}
stream = "codes"
expires_after = "10m"
[[plugin.config.rules]]
to = ["now.np"]
window = "now"
priority = "bulk"
[[plugin.config.rules]]
to = ["later.np"]
window = "later"
[[plugin.config.rules]]
from = ["<>"]
hold = "who sent this?"
[[plugin.config.rules]]
to = ["gone.test"]
refuse = "they are gone"
"#,
        hours(there, -30),
        hours(there, 120)
    );
    let server = Mailwright::start(&setup(&normal, &partner, &config));
    let all = ["a@partner.test", "b@now.np", "c@later.np", "d@else.test", "e@gone.test"];
    let _ = send(&server, "me@from.test", &all, "");
    let _ = send(&server, "me@from.test", &["f@else.test"], "X-Kind: Code\r\n");
    let _ = send(&server, "", &["g@else.test"], "");

    assert_eq!(about(&server, "routed", "a@partner.test")["via"], "partner");
    let now = about(&server, "routed", "b@now.np");
    assert_eq!((&now["priority"], &now["begins_in_ms"]), (&"bulk".into(), &0.into()));
    let begins_in_ms = about(&server, "routed", "c@later.np")["begins_in_ms"].as_u64().expect("a number");
    // The minute that was shown is the one that had begun.
    assert!((118 * 60_000..=120 * 60_000).contains(&begins_in_ms), "{begins_in_ms}");
    let code = about(&server, "routed", "f@else.test");
    assert_eq!((&code["pool"], &code["campaign"]), (&"second".into(), &"codes".into()));
    assert_eq!(code["priority"], "transactional");
    assert!(code["expires_in_ms"].as_u64().is_some_and(|ms| (590_000..=600_000).contains(&ms)), "{code}");
    assert_eq!(about(&server, "held", "g@else.test")["reason"], "who sent this?");
    assert_eq!(about(&server, "bounced", "e@gone.test")["plugin"], Value::Null);

    for to in ["a@partner.test", "b@now.np", "d@else.test", "f@else.test"] {
        let _ = about(&server, "delivered", to);
    }
    assert_eq!(recipients(&partner.messages()), ["a@partner.test"]);
    let got = recipients(&normal.messages());
    assert!(got.ends_with(&["b@now.np", "d@else.test", "f@else.test"].map(str::to_owned)), "{got:?}");
    let metrics = Metrics::of(&server);
    assert!(metrics.get("mailwright_plugin_routing_matched_total{plugin=\"routing\",rule=\"rule-1\"}") > 0.5);
    assert!(metrics.get("mailwright_plugin_routing_waiting_total{plugin=\"routing\",cause=\"window\"}") > 0.5);
}

#[test]
fn a_cap_is_exact_while_many_send_at_once_and_after_a_restart() {
    let sink = Sink::start();
    let config = "[plugin.config.caps.three]\nmessages_max = 3\nwindow = \"1d\"\nover = \"hold\"\n\
        [[plugin.config.rules]]\ncap = \"three\"\n";
    let mut server = Mailwright::start(&setup(&sink, &sink, config));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..4 {
                    let _ = send(&server, "news@from.test", &["ann@to.test", "bob@to.test"], "");
                }
            });
        }
    });
    server.events_reach("held", 58);
    server.events_reach("delivered", 6);
    let sent = recipients(&sink.messages());
    assert_eq!(sent, ["ann@to.test", "ann@to.test", "ann@to.test", "bob@to.test", "bob@to.test", "bob@to.test"]);
    let held = about(&server, "held", "ann@to.test");
    assert_eq!(held["reason"], "the cap \"three\" allows 3 messages in 1 day");

    assert!(server.stop().success());
    server.restart(&[]);
    let _ = send(&server, "news@from.test", &["ann@to.test", "cat@to.test"], "");
    let _ = about(&server, "held", "ann@to.test");
    let _ = about(&server, "delivered", "cat@to.test");
    let to_ann = recipients(&sink.messages()).into_iter().filter(|to| to == "ann@to.test").count();
    assert_eq!(to_ann, 3);
}

#[test]
fn what_is_too_much_for_now_waits_for_its_turn() {
    let sink = Sink::start();
    let config = "[plugin.config.caps.slow]\nmessages_max = 1\nwindow = \"2s\"\n\
        [[plugin.config.rules]]\ncap = \"slow\"\n";
    let server = Mailwright::start(&setup(&sink, &sink, config));
    let ids: Vec<String> = (0..3).map(|_| send(&server, "a@from.test", &["ann@to.test"], "")).collect();
    for id in &ids {
        let _ = server.finished(id);
    }
    let mut begun: Vec<u64> =
        server.events("routed").iter().map(|event| event["begins_in_ms"].as_u64().expect("a number")).collect();
    begun.sort_unstable();
    assert!(begun[0] == 0 && (1000..=2000).contains(&begun[1]) && (3000..=4000).contains(&begun[2]), "{begun:?}");
    let mut ages: Vec<u64> =
        server.events("delivered").iter().map(|event| event["age_ms"].as_u64().expect("a number")).collect();
    ages.sort_unstable();
    assert!(ages[1] >= 1000 && ages[2] >= 3000, "{ages:?}");
}

#[test]
fn what_its_page_shows_is_sound() {
    page_is_sound("standard-routing.md", &[("/etc/mailwright/zones", "ann@example.org Asia/Kolkata\n")]);
}

#[test]
fn its_cases_come_out_the_same_in_the_sandbox() {
    assert!(cases("routing").ends_with("3 of 3 cases are as expected\n"));
}

#[test]
fn a_configuration_with_a_slip_is_refused_with_what_to_do() {
    let sink = Sink::start();
    let server = Mailwright::prepare(&setup(&sink, &sink, "[[plugin.config.rules]]\nwindow = \"day\"\n"));
    let checked = server.cli(&["check-config"]);
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(!checked.status.success() && told.contains("there is no window \"day\""), "{told}");
    server.configure(&setup(&sink, &sink, "[[plugin.config.rules]]\nwindw = \"day\"\n"));
    let checked = server.cli(&["check-config"]);
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(told.contains("did you mean"), "{told}");
}
