//! Plugins answer requests on a public port, whatever its clients do, and send mail that arrives.

use mailwright_tests::guest::{self, Import};
use mailwright_tests::mail::{Mark, message};
use mailwright_tests::peers::{lossy, python};
use mailwright_tests::program::Mailwright;
use mailwright_tests::setup::Setup;
use mailwright_tests::sink::Sink;
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

/// Answers 200 with the content that was posted.
const ECHO: &str = "(i32.store16 (i32.const 1028) (i32.const 200))
    (i32.store (i32.const 1040) (local.get 8)) (i32.store (i32.const 1044) (local.get 9))";

const SEND: Import = ("submit", "send", "(param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)");

/// From and to ann@to.example.
const LETTER: &str = "annto.exampleFrom: ann@to.example\\0aSubject: sent by a plugin\\0a\\0ahello\\0a";

/// Sends the letter: 202 where it is queued, else 429.
const POST: &str = "
    (i32.store (i32.const 3200) (i32.const 16)) (i32.store (i32.const 3204) (i32.const 3))
    (i32.store (i32.const 3208) (i32.const 19)) (i32.store (i32.const 3212) (i32.const 10))
    (call $send (i32.const 1) (i32.const 16) (i32.const 3) (i32.const 19) (i32.const 10)
        (i32.const 3200) (i32.const 1) (i32.const 29) (i32.const 54) (i32.const 2048))
    (i32.store16 (i32.const 1028)
        (select (i32.const 429) (i32.const 202) (i32.load8_u (i32.const 2048))))";

/// A server with such a plugin and a public port; `more` goes into the `[[http]]`, `granted` into the `[[plugin]]`.
fn serving(setup: &Setup, imports: &[Import], body: &str, granted: &str, more: &str) -> Mailwright {
    let server = Mailwright::prepare(setup);
    let source = guest::plugin(server.dir(), imports, LETTER, &[("on-http", body)]);
    let plugin = format!("[[plugin]]\nname = \"page\"\nsource = \"{}\"\n{granted}", source.display());
    let http = format!("[[http]]\nname = \"web\"\nbind = \"127.0.0.1:0\"\n{more}");
    server.configure(&setup.clone().table(&plugin).table(&http));
    server.begin(&[])
}

/// Where the public port is.
fn web(server: &Mailwright) -> SocketAddr {
    let listening = server.event("listening", |event| event["listener"] == "web");
    listening["address"].as_str().and_then(|address| address.parse().ok()).expect("an address")
}

/// Sends octets and reads until the server closes the connection.
fn say(to: SocketAddr, octets: &str) -> String {
    let mut socket = TcpStream::connect(to).expect("the port is open");
    socket.write_all(octets.as_bytes()).expect("it is open");
    rest(socket)
}

fn rest(mut socket: TcpStream) -> String {
    let mut said = Vec::new();
    // A reset is an end too.
    let _ = socket.read_to_end(&mut said);
    lossy(&said)
}

fn get(to: SocketAddr, path: &str) -> String {
    say(to, &format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"))
}

const BROWSE: &str = r#"
import http.client
c = http.client.HTTPConnection(HOST, PORT, timeout=60)
def ask(method, path, body=None):
    c.request(method, path, body)
    r = c.getresponse()
    return r.status, r.read(), r
assert ask("GET", "/healthz")[:2] == (200, b"serving\n")
status, body, r = ask("POST", "/p/page/any/path?a=b", b"it works")
assert (status, body) == (200, b"it works"), (status, body)
assert r.getheader("X-Content-Type-Options") == "nosniff" and r.getheader("Cache-Control") == "no-store", r.getheaders()
assert ask("HEAD", "/p/page/")[:2] == (200, b"")
assert ask("DELETE", "/p/page/")[0] == 200
for path in ("/", "/p/", "/p/other/", "/p/Page/", "/healthz2"):
    assert ask("GET", path)[:2] == (404, b"not found\n"), path
assert ask("POST", "/p/page/", b"x" * 70000)[0] == 413
"#;

#[test]
fn a_browser_reaches_the_plugin_and_nothing_else() {
    let server = serving(&Setup::new(), &[], ECHO, "", "");
    assert_eq!(python(web(&server), BROWSE), "");
    let answered = server.event("http-answered", |event| event["plugin"] == "page");
    assert_eq!((&answered["method"], &answered["status"]), (&"POST".into(), &200.into()));
    let listed = lossy(&server.cli(&["plugin", "list"]).stdout);
    assert!(listed.contains("places in their chains: http 1"), "{listed}");
    server.configure(&Setup::new());
    server.signal(Signal::HUP);
    let refused = server.event("reload-refused", |_| true);
    assert!(refused["why"].as_str().is_some_and(|why| why.starts_with("`http` changed")), "{refused}");
    assert!(get(web(&server), "/p/page/").starts_with("HTTP/1.1 200 OK"));
}

#[test]
fn hostile_clients_take_neither_the_port_nor_the_mail() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let more = "connections_per_peer_max = 3\nhead_wait = \"5s\"\nbody_total = \"5s\"";
    let server = serving(&setup, &[], "(loop $again (br $again))", "", more);
    let address = web(&server);
    let begun = |octets: &str| {
        let mut socket = TcpStream::connect(address).expect("the port is open");
        socket.write_all(octets.as_bytes()).expect("it is open");
        socket
    };
    // Heads and a content that never come to an end.
    let mut held = vec![begun("GET /p/page/ HTTP/1.1\r\nHost: h\r\nX-"), begun("")];
    held.push(begun("POST /p/page/ HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nslow"));
    let more = rest(TcpStream::connect(address).expect("the port is open"));
    let refused = server.event("http-refused", |_| true);
    assert_eq!((more.as_str(), &refused["why"]), ("", &"connections_per_peer_max".into()));
    let mut client = server.client();
    client.hello();
    let mark = Mark::new();
    client.mail("a@from.example", &["b@to.example"], &message(&mark, "hello\r\n")).expect_code(250);
    let _ = sink.message("mail flows meanwhile", |message| mark.is_in(&message.octets));
    let said: Vec<String> = held.into_iter().map(rest).collect();
    assert_eq!((said[0].as_str(), said[1].as_str()), ("", ""), "they are closed");
    assert!(said[2].starts_with("HTTP/1.1 408"), "{}", said[2]);
    for answer in (0..3).map(|_| get(address, "/p/page/")) {
        let words = ["503", "retry-after: 30\r\n", "try again later\n"];
        assert!(words.iter().all(|word| answer.contains(word)) && !answer.contains("loop"), "{answer}");
    }
    let huge = format!("GET /p/page/ HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert!(["", "HTTP/1.1 431"].iter().any(|start| say(address, &huge).starts_with(start)));
    let faults = server.events("plugin-fault");
    assert!(faults.iter().all(|fault| fault["kind"] == "cpu" && fault["answered"] == "503"), "{faults:?}");
    assert!(get(address, "/healthz").ends_with("serving\n"), "there is room again");
}

#[test]
fn while_the_server_goes_down_a_balancer_is_told() {
    let mut server = serving(&Setup::new(), &[], ECHO, "", "");
    let address = web(&server);
    let mut sending = server.client();
    sending.hello();
    sending.envelope("a@from.example", &["b@example.test"]).command("DATA").expect_code(354);
    server.signal(Signal::TERM);
    let _ = server.event("draining", |_| true);
    let health = get(address, "/healthz");
    assert!(health.starts_with("HTTP/1.1 503") && health.ends_with("draining\n"), "{health}");
    sending.send(b"Subject: x\r\n\r\nhello\r\n.\r\n").reply().expect_code(250);
    assert!(server.end().success());
    assert!(TcpStream::connect(address).is_err(), "the port is closed");
}

#[test]
fn a_request_sends_a_mail_that_arrives_and_a_flood_of_them_ends_at_the_limit() {
    let sink = Sink::start();
    let setup = Setup::new().smarthost("*", sink.address());
    let granted = "allow = [\"submit\"]\nsubmit = { messages_per_minute_max = 3 }";
    let server = serving(&setup, &[SEND], POST, granted, "");
    let address = web(&server);
    let said: Vec<String> = (0..5).map(|_| get(address, "/p/page/").chars().skip(9).take(3).collect()).collect();
    assert_eq!(said, ["202", "202", "202", "429", "429"]);
    let got = sink.wait("three letters", |messages| (messages.len() == 3).then(|| messages[0].clone()));
    assert_eq!((got.sender(), &got.recipients[..]), ("ann@to.example", &["ann@to.example".to_owned()][..]));
    let text = got.text();
    for line in ["Mailwright-Submitted: 1", "Auto-Submitted: auto-generated", "From: ann@to.example", "hello"] {
        assert!(text.lines().any(|other| other == line), "{line} in {text}");
    }
    assert!(text.starts_with("Received: by mx.example.test (plugin page) id "), "{text}");
    let submitted = server.event("submitted", |_| true);
    assert_eq!((&submitted["plugin"], &submitted["sender"]), (&"page".into(), &"ann@to.example".into()));
    let id = submitted["id"].as_str().expect("a queue id").to_owned();
    let _ = server.finished(&id);
    assert_eq!(sink.messages().len(), 3);
}
