//! How lines look, and that neither a slow reader nor a hostile value does harm.

use super::*;
use crate::base::event::{LEVELS, NAMES};
use crate::base::mail::id::QueueId;
use crate::base::time::UnixMillis;
use proptest::prelude::*;
use std::io::Write;
use std::sync::{Arc, Mutex, mpsc};

/// A stream that a test can read.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Page {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("lines are UTF-8")
    }
}

fn config(format: LogFormat, level: Level) -> Log {
    Log { format, level, ..Log::default() }
}

fn accepted(sender: &str) -> Event<'_> {
    let peer = "192.0.2.1:40000".parse().expect("a literal");
    Event::Accepted { session: "s1", id: QueueId(1), sender, recipients: 2, bytes: 4096, peer, user: None }
}

const SECOND: Duration = Duration::from_secs(1);

fn as_text(event: &Event<'_>) -> String {
    masked_text(&Mask::Plain, event)
}

fn as_json(event: &Event<'_>) -> String {
    masked_json(&Mask::Plain, event)
}

fn masked_text(mask: &Mask, event: &Event<'_>) -> String {
    let mut line = Vec::new();
    line::text(&mut line, mask, UnixMillis(1_767_225_600_123), event.level(), event);
    String::from_utf8(line).expect("a line is UTF-8")
}

fn masked_json(mask: &Mask, event: &Event<'_>) -> String {
    let mut line = Vec::new();
    line::json(&mut line, mask, UnixMillis(1_767_225_600_123), event.level(), event);
    String::from_utf8(line).expect("a line is UTF-8")
}

#[test]
fn an_event_is_one_line_of_text_or_json() {
    let event = accepted("a b@example.org");
    assert_eq!(
        as_text(&event),
        "2026-01-01T00:00:00.123Z info accepted session=s1 id=00000000000000000000000001 \
         sender=\"a b@example.org\" recipients=2 bytes=4096 peer=192.0.2.1:40000\n"
    );
    assert_eq!(
        as_json(&event),
        "{\"time\":\"2026-01-01T00:00:00.123Z\",\"level\":\"info\",\"event\":\"accepted\",\"session\":\"s1\",\
         \"id\":\"00000000000000000000000001\",\"sender\":\"a b@example.org\",\"recipients\":2,\"bytes\":4096,\
         \"peer\":\"192.0.2.1:40000\",\"user\":null}\n"
    );
}

#[test]
fn a_plugins_fields_stand_below_fields_and_absent_ones_are_left_out() {
    let fields = [("rule".to_owned(), "seven up".to_owned()), ("a=b c".to_owned(), String::new())];
    let event = Event::PluginLog {
        plugin: "p",
        level: "warn",
        message: "hm",
        fields: &fields,
        session: None,
        id: Some(QueueId(1)),
    };
    assert_eq!(
        as_text(&event),
        "2026-01-01T00:00:00.123Z warn plugin-log plugin=p level=warn message=hm fields.rule=\"seven up\" \
         fields.\"a=b c\"=\"\" id=00000000000000000000000001\n"
    );
}

#[test]
fn quiet_events_are_counted_and_not_written() {
    let page = Page::default();
    let log =
        EventLog::to(&config(LogFormat::Text, Level::Warn), Mask::Plain, Box::new(page.clone())).expect("a thread");
    log.event(accepted("a@b"));
    log.event(Event::Bug { place: "here", why: "it's \"odd\"" });
    log.configure(&config(LogFormat::Json, Level::Info), Mask::Plain);
    log.event(Event::Finished { id: QueueId(1) });
    log.event(Event::DiskRecovered { free_bytes: 7 });
    assert!(log.flush(SECOND));
    let text = page.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].ends_with(r#"error bug place=here why="it's \"odd\"""#), "{text}");
    assert!(lines[1].ends_with(r#""level":"info","event":"disk-recovered","free_bytes":7}"#), "{text}");
    let counted: Vec<_> = log.tally().read().filter(|(_, count)| *count > 0).collect();
    assert_eq!(counted, [("accepted", 1), ("finished", 1), ("disk-recovered", 1), ("bug", 1)]);
}

/// A stream that waits for the test at each write.
struct Stuck {
    page: Page,
    entered: mpsc::Sender<()>,
    go: mpsc::Receiver<()>,
}

impl Write for Stuck {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.entered.send(()).map_err(io::Error::other)?;
        self.go.recv().map_err(io::Error::other)?;
        self.page.write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_reader_costs_lines_that_are_counted_and_never_a_callers_time() {
    let page = Page::default();
    let ((entered, has_entered), (go, may_go)) = (mpsc::channel(), mpsc::channel());
    let stuck = Stuck { page: page.clone(), entered, go: may_go };
    let log = EventLog::to(&config(LogFormat::Text, Level::Info), Mask::Plain, Box::new(stuck)).expect("a thread");
    log.event(accepted("first@example.org"));
    has_entered.recv().expect("the thread writes");
    // The thread is in the stream now. The buffer fills, and what finds no room is counted.
    let line_bytes = as_text(&accepted("more@example.org")).len();
    let fit = writer::BUFFER_BYTES_MAX / line_bytes;
    for _ in 0..fit + 1000 {
        log.event(accepted("more@example.org"));
    }
    assert!(!log.flush(Duration::from_millis(1)), "nobody reads");
    for _ in 0..3 {
        go.send(()).expect("the thread waits");
    }
    assert!(log.flush(10 * SECOND));
    assert!(log.flush(10 * SECOND), "the loss is told once there is room");
    let text = page.text();
    let told = text.lines().filter(|line| line.contains("log-dropped")).collect::<Vec<_>>();
    let lost: usize = told.iter().filter_map(|line| line.rsplit_once("lines=")?.1.parse::<usize>().ok()).sum();
    assert_eq!(lost + text.lines().count() - told.len(), fit + 1001, "{told:?}");
    assert!(lost >= 1000, "{told:?}");
}

#[tokio::test]
async fn a_test_can_wait_for_an_event() {
    let events = collect::Collected::default();
    let waiting = events.wait_for("accepted", 2);
    let acting = async {
        for _ in 0..2 {
            tokio::task::yield_now().await;
            events.event(accepted("a@b"));
        }
    };
    let (found, ()) = tokio::join!(waiting, acting);
    assert_eq!(found[1]["sender"], "a@b");
    assert_eq!((events.named("bug").len(), events.all().len()), (0, 2));
}

proptest! {
    #[test]
    fn no_value_ends_a_line_or_forges_a_field(value in any::<String>()) {
        let event = Event::CommitFailed { messages: 1, why: &value };
        let (text, json) = (as_text(&event), as_json(&event));
        prop_assert_eq!(text.matches('\n').count() + json.matches('\n').count(), 2);
        prop_assert!(!text.trim_end_matches('\n').contains(char::is_control));
        let read: serde_json::Value = serde_json::from_str(&json).expect("a JSON line");
        prop_assert_eq!(read["why"].as_str(), Some(value.as_str()));
        let shown = text.trim_end_matches('\n').split_once("why=").expect("the field").1;
        let quoted = shown.len() > 1 && shown.starts_with('"') && shown.ends_with('"');
        let inside = shown.replace("\\\\", "").replace("\\\"", "");
        let quotes = inside.matches('"').count();
        prop_assert!(if quoted { quotes == 2 } else { quotes == 0 && !shown.contains([' ', '=']) }, "{}", shown);
    }
}

const HIDDEN: Mask = Mask::Hashed([7; mask::KEY_BYTES]);

#[test]
fn addresses_are_hidden_in_every_kind_of_field_and_all_else_is_as_it_was() {
    let fields = [("ann@secret.example".to_owned(), "to \"ann\"@secret.example".to_owned())];
    let peer = "192.0.2.1:40000".parse().expect("a literal");
    let events = [
        accepted("ann@secret.example"),
        Event::Accepted { session: "s", id: QueueId(1), sender: "x", recipients: 1, bytes: 1, peer, user: Some("ann") },
        Event::AuthSucceeded { session: "s", peer, mechanism: "PLAIN", user: "ann@secret.example" },
        Event::CommitFailed { messages: 1, why: "550 <ann@secret.example>\r\n\"no\" \\ \u{1}\u{8}\u{c}\t" },
        Event::PluginLog {
            plugin: "p",
            level: "info",
            message: "ann@secret.example",
            fields: &fields,
            session: None,
            id: None,
        },
    ];
    for event in &events {
        for (plain, hidden) in
            [(as_text(event), masked_text(&HIDDEN, event)), (as_json(event), masked_json(&HIDDEN, event))]
        {
            assert!(plain.contains("ann") && !hidden.contains("ann"), "{hidden}");
            assert!(hidden.contains('~') && hidden.matches('\n').count() == 1, "{hidden}");
        }
        let (plain, hidden): (serde_json::Value, serde_json::Value) = (
            serde_json::from_str(&as_json(event)).expect("JSON"),
            serde_json::from_str(&masked_json(&HIDDEN, event)).expect("JSON"),
        );
        let names =
            |value: &serde_json::Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&plain), names(&hidden));
    }
    let page = Page::default();
    let log = EventLog::to(&config(LogFormat::Text, Level::Info), HIDDEN, Box::new(page.clone())).expect("a thread");
    log.event(accepted("ann@secret.example"));
    log.configure(&config(LogFormat::Text, Level::Info), Mask::Plain);
    log.event(accepted("bob@secret.example"));
    assert!(log.flush(SECOND));
    assert!(!page.text().contains("ann@") && page.text().contains("bob@"), "{}", page.text());
}

/// Every field of every event is of a type that can hold no address, or of one whose texts go through the mask, as the test
/// above shows of each.
#[test]
fn no_event_has_a_field_that_goes_past_the_mask() {
    const NO_ADDRESS: [&str; 9] =
        ["bool", "u8", "u16", "u32", "u64", "Option<u64>", "Option<bool>", "SocketAddr", "IpAddr"];
    const IDS: [&str; 2] = ["QueueId", "Option<QueueId>"];
    const MASKED: [&str; 4] = ["&'a str", "Option<&'a str>", "&'a [(String, String)]", "Told<'a>"];
    for (variant, fields) in declared_types() {
        for (field, kind) in fields {
            let kind = kind.as_str();
            let known = NO_ADDRESS.contains(&kind) || IDS.contains(&kind) || MASKED.contains(&kind);
            assert!(known, "{variant}.{field} is of the type {kind}: show here that its texts are masked");
            let names_user = kind.contains("str") && field.contains("user");
            assert!(!names_user || field == json::USER, "{variant}.{field} names a user under another name");
        }
    }
}

proptest! {
    /// But for addresses a masked line is the line.
    #[test]
    fn masked_json_is_the_same_json(value in "[^@]*") {
        let event = Event::CommitFailed { messages: 1, why: &value };
        prop_assert_eq!(as_json(&event), masked_json(&HIDDEN, &event));
    }
}

/// Name in CamelCase and fields of each event, from the source of the enum.
fn declared() -> Vec<(String, Vec<String>)> {
    let names = |fields: Vec<(String, String)>| fields.into_iter().map(|(name, _)| name).collect();
    declared_types().into_iter().map(|(variant, fields)| (variant, names(fields))).collect()
}

/// The same with each field's type.
fn declared_types() -> Vec<(String, Vec<(String, String)>)> {
    let source = include_str!("../../base/event.rs");
    let body =
        source.split_once("pub enum Event<'a> {").and_then(|(_, rest)| rest.split_once("\n}\n")).expect("the enum").0;
    let code: String = body.lines().filter(|line| !line.trim_start().starts_with("///")).collect::<Vec<_>>().join("\n");
    let variant = |text: &str| {
        let (name, fields) = text.split_once('{')?;
        // The only comma within a type is that of pairs.
        let fields = fields.replace("(String, String)", "(String; String)");
        let field = |field: &str| {
            let (name, kind) = field.split_once(':')?;
            Some((name.trim().to_owned(), kind.trim().replace(';', ",")))
        };
        let fields = fields.split(',').filter_map(field);
        Some((name.trim_matches(|c: char| !c.is_alphanumeric()).to_owned(), fields.collect()))
    };
    code.split('}').filter_map(variant).collect()
}

#[test]
fn the_operating_page_explains_every_event_with_its_level_and_fields() {
    let page = include_str!("../../../../docs/operating.md");
    let declared = declared();
    assert_eq!(declared.len(), NAMES.len());
    for (((variant, fields), name), level) in declared.iter().zip(NAMES).zip(LEVELS) {
        assert_eq!(variant.to_lowercase(), name.replace('-', ""), "the table of names is in the order of the enum");
        let row = page.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in docs/operating.md"));
        let cells: Vec<&str> = row.split(" | ").collect();
        let level = if *name == "plugin-log" { "as said" } else { level.name() };
        assert_eq!(cells[1], level, "the level of {name} in docs/operating.md");
        let listed: Vec<&str> = cells[2].split(", ").map(|field| field.trim_matches('`')).collect();
        assert_eq!(&listed, fields, "the fields of {name} in docs/operating.md");
    }
}
