//! An operator's conversations with a server whose queue the test makes up.

use super::client::Client;
use super::server::{ControlSocket, Operations};
use super::*;
use crate::base::event::{Event, Level};
use crate::base::fault::SpoolFault;
use crate::base::flow::Answer;
use crate::base::flow::entry::{Entry, Fate, LastFailure, Progress};
use crate::base::flow::operator::buckets::{BucketEntry, BucketRow};
use crate::base::flow::operator::reports::{OperateReports, ReportKind, ReportRow};
use crate::base::flow::operator::suppression::Reason;
use crate::base::flow::operator::trial::{RecordedCall, RecordedQuestion, Said};
use crate::base::flow::operator::{Operate, OperatePlugins, Recording, ServingHook, ServingPlugin};
use crate::base::mail::address::Address;
use crate::base::mail::edits::{Edits, HeaderEdit};
use crate::base::mail::envelope::{BodyType, Envelope, Notify, Recipient};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::base::time::{Now, UnixMillis};
use crate::base::world::{Clock, Observe};
use crate::config::model::Log;
use crate::edge::observe::exposition::Metrics;
use crate::edge::observe::mask::Mask;
use crate::edge::observe::tally::Tally;
use crate::edge::observe::{EventLog, Unheard};
use crate::path::suppress::driver::Suppressor;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Instant;

const MINUTE_MS: u64 = 60_000;
const ACCEPTED: UnixMillis = UnixMillis(1_767_225_600_000);

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Now {
        Now { mono: Instant::now(), wall: UnixMillis(ACCEPTED.0 + 5 * MINUTE_MS) }
    }

    fn sleep_until(&self, _: Instant) -> Answer<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A queue of `count` messages that notes what was asked of it.
struct Queue {
    count: u128,
    asked: Mutex<Vec<String>>,
}

impl Queue {
    fn note(&self, asked: String) {
        self.asked.lock().expect("no panic").push(asked);
    }
}

impl Operate for Queue {
    fn list(
        &self,
        selection: Selection,
        after: Option<QueueId>,
        limit: usize,
    ) -> Answer<'_, Result<Vec<Arc<Entry>>, SpoolFault>> {
        self.note(format!("list {selection:?}"));
        let first = selection.id.or(after.map(|id| QueueId(id.0 + 1))).unwrap_or(QueueId(1)).0;
        let ids = (first..=self.count).take(limit);
        Box::pin(std::future::ready(Ok(ids.map(|id| Arc::new(entry(QueueId(id)))).collect())))
    }

    fn retry(&self, selection: Selection) -> Answer<'_, Result<u64, SpoolFault>> {
        self.note(format!("retry {selection:?}"));
        Box::pin(std::future::ready(Ok(2)))
    }

    fn rebind(&self, selection: Selection) -> Answer<'_, Result<u64, SpoolFault>> {
        self.note(format!("rebind {selection:?}"));
        Box::pin(std::future::ready(Ok(3)))
    }

    fn cancel(&self, _: Selection) -> Answer<'_, Result<u64, SpoolFault>> {
        Box::pin(std::future::ready(Err(SpoolFault::Closing)))
    }
}

fn recipient(text: &str) -> Recipient {
    let notify = Some(Notify { success: true, failure: false, delay: true });
    Recipient { address: Address::parse(text).expect("an address"), notify, orcpt: Some("rfc822;o@p".into()) }
}

fn entry(id: QueueId) -> Entry {
    let last = LastFailure {
        at: UnixMillis(ACCEPTED.0 + MINUTE_MS),
        reply: Reply::new(451, EnhancedStatus::new(4, 2, 0), "later"),
        remote: Some("mx.to.example".into()),
    };
    let due = UnixMillis(ACCEPTED.0 + 10 * MINUTE_MS);
    let recipients = ["slow@to.example", "odd@to.example", "done@to.example"].map(recipient).to_vec();
    Entry {
        id,
        accepted: ACCEPTED,
        envelope: Envelope {
            sender: Some(Address::parse("a@from.example").expect("an address")),
            recipients,
            body: BodyType::EightBitMime,
            smtputf8: false,
            ret: None,
            envid: Some("e1".into()),
        },
        trace: "Received: from x\r\n\tby y\r\n".into(),
        edits: Edits { headers: vec![HeaderEdit::Add { name: "X-A".into(), value: "1".into() }] },
        size_bytes: 4096,
        head_bytes: 300,
        tenant: None,
        tags: vec![("campaign".into(), "spring".into())],
        progress: vec![
            Progress::Pending { attempts: 1, due, last: Some(Box::new(last)), delay_told: false },
            Progress::Held("too odd".into()),
            Progress::Done(Fate::Delivered),
        ],
        placements: Vec::new(),
    }
}

/// Plugins that were loaded twice, and can't be loaded again.
struct Plugins;

struct Both(Vec<Recorded>);

impl Recording for Both {
    fn next(&mut self) -> Answer<'_, Option<Recorded>> {
        Box::pin(std::future::ready(self.0.pop()))
    }
}

impl OperatePlugins for Plugins {
    fn serving(&self) -> Serving {
        let hooks = vec![ServingHook { hook: "rcpt".to_owned(), place: 1 }];
        let (name, source, sha256) = ("p".to_owned(), "p.wasm".to_owned(), "ab".to_owned());
        let plugin = ServingPlugin { name, source, sha256, hooks, ..ServingPlugin::default() };
        Serving { generation: 2, previous: Some(1), plugins: vec![plugin] }
    }

    fn reload(&self) -> Answer<'_, Result<Serving, String>> {
        Box::pin(std::future::ready(Err("plugin \"p\": no such file".to_owned())))
    }

    fn roll_back(&self) -> Answer<'_, Result<Serving, String>> {
        Box::pin(std::future::ready(Ok(Serving { generation: 1, previous: Some(2), ..Serving::default() })))
    }

    fn differences(&self, _plugin: Option<&str>) -> Result<Vec<Differences>, String> {
        Ok(Vec::new())
    }

    fn buckets(&self, query: &BucketQuery) -> Result<BucketPage, String> {
        let what = BucketEntry::Value { bytes: 1, text: Some("x".to_owned()), expires_in_ms: None };
        let (tenant, bucket, key) = (query.tenant.clone(), "b".to_owned(), query.prefix.clone());
        match &*query.plugin {
            "p" => Ok(BucketPage { entries: vec![BucketRow { tenant, bucket, key, what }], after: None }),
            name => Err(format!("no plugin of the name {name} serves")),
        }
    }

    /// Two transactions, of as many calls as were asked for.
    fn record(&self, plugin: &str, calls: u64) -> Result<Box<dyn Recording>, String> {
        let asked = || RecordedCall { asked: RecordedQuestion::Connect, message: None, said: Said::next() };
        let recorded = || Recorded { session: None, tenant: None, calls: (0..calls).map(|_| asked()).collect() };
        match plugin {
            "p" => Ok(Box::new(Both(vec![recorded(), recorded()]))),
            _ => Err(format!("no plugin of the name {plugin} serves")),
        }
    }
}

/// One report, which is sent.
struct Reports;

impl OperateReports for Reports {
    fn list(&self) -> Vec<ReportRow> {
        vec![ReportRow {
            id: "r".to_owned(),
            kind: ReportKind::Tls,
            domain: "a.test".to_owned(),
            begin: "2026-01-01T00:00:00.000Z".to_owned(),
            end: "2026-01-02T00:00:00.000Z".to_owned(),
            due: None,
            results: 2,
            dropped: 1,
        }]
    }

    fn show(&self, domain: &str) -> Vec<String> {
        vec![format!("about {domain}")]
    }

    fn send<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Vec<String>, String>> {
        Box::pin(std::future::ready(Err(format!("there is nothing to tell {domain}"))))
    }
}

/// Suppression lists that live as long as the test.
async fn lists() -> Suppressor {
    Suppressor::open(None, Arc::new(Fixed), Arc::new(Unheard)).await.expect("nothing is read")
}

/// Runs `client` on a thread of its own against a server with `count` messages, and gives back what the queue was asked.
async fn with_server<T: Send + 'static>(
    count: u128,
    client: impl FnOnce(&Path) -> T + Send + 'static,
) -> (T, Vec<String>) {
    let dir = tempfile::tempdir().expect("a directory");
    let path = socket_path(dir.path());
    let socket = ControlSocket::bind(&path).expect("bound");
    let log = EventLog::to(&Log { level: Level::Error, ..Log::default() }, Mask::Plain, Box::new(std::io::sink()))
        .expect("a thread");
    log.event(Event::Finished { id: QueueId(1) });
    let queue = Arc::new(Queue { count, asked: Mutex::default() });
    let operations = Arc::new(Operations {
        operate: Arc::<Queue>::clone(&queue),
        plugins: Arc::new(Plugins),
        suppress: Arc::new(lists().await),
        reports: Arc::new(Reports),
        clock: Arc::new(Fixed),
        metrics: Arc::new(Metrics(vec![Arc::<Tally>::clone(log.tally())])),
        log: Arc::new(log),
        hostname: "mx.example.test".into(),
        started: ACCEPTED,
    });
    let theirs = path.clone();
    let result = tokio::select! {
        () = socket.serve(operations) => unreachable!("it serves until it is dropped"),
        result = tokio::task::spawn_blocking(move || client(&theirs)) => result.expect("the client's part holds"),
    };
    drop(socket);
    assert!(!path.exists(), "the socket's file goes with the server");
    let asked = queue.asked.lock().expect("no panic").clone();
    (result, asked)
}

fn no_row(_: Row) -> Result<(), String> {
    Err("a row where none was asked for".to_owned())
}

#[tokio::test]
async fn a_long_queue_is_listed_page_by_page() {
    let (rows, asked) = with_server(2500, |path| {
        let mut rows = Vec::new();
        let request = Request::List { selection: Selection { held: true, ..Selection::default() } };
        let end = Client::connect(path).expect("a server").ask(&request, |row| {
            rows.push(row);
            Ok(())
        });
        assert_eq!(end, Ok(Response::Done { messages: 2500 }));
        rows
    })
    .await;
    assert_eq!(rows.len(), 2500);
    assert_eq!(asked.len(), 4, "three pages, and the one that is empty");
    assert!(asked[0].contains("held: true"));
    assert!(rows.windows(2).all(|pair| pair[0].id < pair[1].id));
}

#[tokio::test]
async fn a_row_has_what_operators_read() {
    let (row, _) = with_server(1, |path| {
        let mut rows = Vec::new();
        let request = Request::List { selection: Selection::default() };
        let end = Client::connect(path).expect("a server").ask(&request, |row| {
            rows.push(row);
            Ok(())
        });
        assert_eq!(end, Ok(Response::Done { messages: 1 }));
        serde_json::to_value(&rows[0]).expect("a row is JSON")
    })
    .await;
    assert_eq!(row["id"], "00000000000000000000000001");
    assert_eq!(row["accepted"], "2026-01-01T00:00:00.000Z");
    assert_eq!((&row["age_seconds"], &row["size_bytes"]), (&300.into(), &4096.into()));
    assert_eq!((&row["sender"], &row["tenant"]), (&"a@from.example".into(), &serde_json::Value::Null));
    assert_eq!(row["next_due"], "2026-01-01T00:10:00.000Z");
    let first = &row["recipients"][0];
    assert_eq!((&first["address"], &first["state"]), (&"slow@to.example".into(), &"pending".into()));
    assert_eq!((&first["attempts"], &first["due"]), (&1.into(), &row["next_due"]));
    assert_eq!(first["last_reply"], "451 4.2.0 later");
    assert_eq!(
        (&row["recipients"][1]["state"], &row["recipients"][1]["held_for"]),
        (&"held".into(), &"too odd".into())
    );
    assert_eq!(row["recipients"][2]["state"], "delivered");
}

#[tokio::test]
async fn one_connection_carries_several_questions() {
    let (_, asked) = with_server(3, |path| {
        let mut client = Client::connect(path).expect("a server");
        let Ok(Response::Message(message)) = client.ask(&Request::Show { id: QueueId(2) }, no_row) else {
            panic!("no message");
        };
        assert_eq!((message.row.id, message.body.as_str()), (QueueId(2), "8BITMIME"));
        assert_eq!((message.edits[0].as_str(), message.trace.as_str()), ("add X-A: 1", "Received: from x\r\n\tby y"));
        assert_eq!(message.row.recipients[0].notify.as_deref(), Some("SUCCESS,DELAY"));
        let absent = client.ask(&Request::Show { id: QueueId(9) }, no_row);
        assert_eq!(absent, Err("no message 00000000000000000000000009 is queued".to_owned()));
        let selection = Selection { domain: Some("to.example".to_owned()), ..Selection::default() };
        let retried = client.ask(&Request::Retry { selection: selection.clone() }, no_row);
        assert_eq!(retried, Ok(Response::Done { messages: 2 }));
        let cancelled = client.ask(&Request::Cancel { selection }, no_row);
        assert_eq!(cancelled, Err("the server is going down".to_owned()));
        let Ok(Response::Status(status)) = client.ask(&Request::Status, no_row) else { panic!("no status") };
        assert_eq!((status.hostname.as_str(), status.uptime_seconds), ("mx.example.test", 300));
        assert_eq!(status.events.into_iter().collect::<Vec<_>>(), [("finished".to_owned(), 1)]);
        let Ok(Response::Metrics(text)) = client.ask(&Request::Metrics, no_row) else { panic!("no metrics") };
        assert!(
            text.contains("mailwright_events_total{event=\"finished\"} 1\n") && text.ends_with("# EOF\n"),
            "{text}"
        );
    })
    .await;
    assert!(asked.last().is_some_and(|asked| asked.contains("to.example")), "{asked:?}");
}

#[tokio::test]
async fn plugins_are_listed_reloaded_and_rolled_back() {
    with_server(1, |path| {
        let mut client = Client::connect(path).expect("a server");
        let Ok(Response::Serving(serving)) = client.ask(&Request::PluginList, no_row) else { panic!("no plugins") };
        assert_eq!(serving, Plugins.serving());
        let refused = client.ask(&Request::PluginReload, no_row);
        assert_eq!(refused, Err("plugin \"p\": no such file".to_owned()));
        let Ok(Response::Serving(serving)) = client.ask(&Request::PluginRollback, no_row) else {
            panic!("no way back")
        };
        assert_eq!((serving.generation, serving.previous), (1, Some(2)));
    })
    .await;
}

#[tokio::test]
async fn a_suppression_list_is_changed_and_paged() {
    with_server(1, |path| {
        let mut client = Client::connect(path).expect("a server");
        let list = || List { scope: "news".to_owned(), tenant: Some("t".to_owned()) };
        let mut add = |addresses| client.ask(&Request::SuppressionAdd { list: list(), addresses }, no_row);
        let many = (0..1500).map(|n| (format!("A{n:04}@Example.org"), Reason::Manual)).collect();
        assert_eq!(add(many), Ok(Response::Changed { addresses: 1500 }));
        let some = ["a0001@example.org", "new@example.org"].map(|who| (who.to_owned(), Reason::Complaint));
        assert_eq!(add(some.to_vec()), Ok(Response::Changed { addresses: 1 }));
        let wrong = add(vec![("ok@example.org".to_owned(), Reason::Manual), ("no".to_owned(), Reason::Manual)]);
        assert_eq!(wrong, Err("\"no\" is no address: a mailbox is local-part@domain".to_owned()));
        let removed = Request::SuppressionRemove { list: list(), address: "A0007@example.ORG".to_owned() };
        assert_eq!(client.ask(&removed, no_row), Ok(Response::Changed { addresses: 1 }));
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let request = Request::SuppressionList { list: list(), after, containing: None };
            let Ok(Response::Suppressed { addresses, more }) = client.ask(&request, no_row) else { panic!("no page") };
            after = addresses.last().map(|row| row.address.clone());
            found.extend(addresses);
            if !more {
                break;
            }
        }
        assert_eq!(found.len(), 1500);
        assert!(found.windows(2).all(|pair| pair[0].address < pair[1].address));
        let new = found.last().expect("there are some");
        assert_eq!((&*new.address, new.reason, &*new.by), ("new@example.org", Reason::Complaint, "operator"));
        assert_eq!(new.since, "2026-01-01T00:05:00.000Z");
        let nameless = List { scope: String::new(), tenant: None };
        let nameless = Request::SuppressionList { list: nameless, after: None, containing: None };
        assert!(client.ask(&nameless, no_row).is_err_and(|why| why.contains("is no scope")));
    })
    .await;
}

#[tokio::test]
async fn a_recording_is_read_as_it_comes() {
    with_server(1, |path| {
        let mut client = Client::connect(path).expect("a server");
        let record = |plugin: &str| Request::PluginRecord { plugin: plugin.to_owned(), calls: 3 };
        let mut calls = 0;
        let mut take = |recorded: &Recorded| {
            calls += recorded.calls.len();
            Ok(())
        };
        client.record(&record("p"), &mut take).expect("it is recorded");
        assert_eq!(client.record(&record("q"), take), Err("no plugin of the name q serves".to_owned()));
        assert_eq!(calls, 6);
        let none = client.ask(&Request::PluginDifferences { plugin: None }, no_row);
        assert_eq!(none, Ok(Response::Differences(Vec::new())));
        let asked = r#"{"op":"plugin-bucket","query":{"plugin":"p","prefix":"k"}}"#;
        assert_eq!(
            raw(path, format!("{asked}\n").as_bytes()),
            "{\"bucket\":{\"entries\":[{\"tenant\":null,\"bucket\":\"b\",\"key\":\"k\",\"value\":\
             {\"bytes\":1,\"text\":\"x\",\"expires_in_ms\":null}}],\"after\":null}}\n"
        );
    })
    .await;
}

/// Says these octets and gives back the first line of the answer.
fn raw(path: &Path, octets: &[u8]) -> String {
    use std::io::{BufRead, BufReader, Write};
    let mut stream = UnixStream::connect(path).expect("a server");
    // The server may stop reading before all is said.
    let _ = stream.write_all(octets);
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).expect("an answer");
    line
}

#[tokio::test]
async fn nonsense_is_answered_in_words() {
    with_server(1, |path| {
        assert!(raw(path, b"hello\n").starts_with(r#"{"error":"the request can't be read: expected value"#));
        let misspelt = raw(path, b"{\"op\":\"cancel\",\"selection\":{\"sendr\":\"a@b\"}}\n");
        assert!(misspelt.contains("unknown field `sendr`"), "a slip must not cancel everything: {misspelt}");
        let unselected = raw(path, b"{\"op\":\"cancel\"}\n");
        assert!(unselected.contains("missing field `selection`"), "{unselected}");
        let endless = raw(path, &vec![b' '; REQUEST_BYTES_MAX]);
        assert_eq!(endless, "{\"error\":\"a request is at most 65536 octets\"}\n");
    })
    .await;
}

#[tokio::test]
async fn the_socket_is_ours_alone_and_one_server_holds_it() {
    with_server(1, |path| {
        let mode = std::fs::metadata(path).expect("the socket").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = ControlSocket::bind(path).expect_err("taken");
        assert!(second.to_string().ends_with("control.sock: another server runs with this data directory"), "{second}");
    })
    .await;
}

#[tokio::test]
async fn a_socket_left_by_a_killed_server_is_taken_over() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = socket_path(dir.path());
    drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
    let refused = Client::connect(&path).expect_err("nobody answers");
    assert!(refused.ends_with("is `mailwright serve` running with this configuration?"), "{refused}");
    ControlSocket::bind(&path).expect("taken over");
}

#[tokio::test]
async fn a_path_too_long_for_a_socket_is_told() {
    let path = socket_path(Path::new(&"d".repeat(120)));
    let error = ControlSocket::bind(&path).expect_err("too long");
    assert!(error.to_string().ends_with("choose a shorter data_dir"), "{error}");
}

#[tokio::test]
async fn reports_are_listed_shown_and_sent() {
    let ((listed, shown, sent), _) = with_server(0, |path| {
        let mut client = Client::connect(path).expect("it serves");
        let mut ask = |request| client.ask(&request, |_| Err("no row".to_owned()));
        let domain = || "a.test".to_owned();
        let listed = ask(Request::ReportList);
        (listed, ask(Request::ReportShow { domain: domain() }), ask(Request::ReportSend { domain: domain() }))
    })
    .await;
    assert_eq!(listed, Ok(Response::Reports(Reports.list())));
    assert_eq!(shown, Ok(Response::Told(vec!["about a.test".to_owned()])));
    assert_eq!(sent, Err("there is nothing to tell a.test".to_owned()));
}
