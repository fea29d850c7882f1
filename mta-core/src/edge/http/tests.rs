//! The public ports over real sockets, with a policy that answers what it was asked.

use super::{Doors, Web};
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::policy::public::{PublicAnswer, PublicRequest, PublicResponse};
use crate::base::flow::policy::{
    Attempted, Hook, Policy, RouteVerdict, SendVerdict, Sendout, SessionInfo, SessionPolicy, Unplaced,
};
use crate::base::world::Observe;
use crate::base::world::net::Net;
use crate::config::model::HttpListener;
use crate::edge::world::clock::SystemClock;
use crate::edge::world::net::SystemNet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Notify, Semaphore};

/// The plugins: `echo` says what it was asked, `late` too but only when it is let, `broken` fails.
#[derive(Default)]
struct Plugins {
    asked: Notify,
    let_late: Notify,
}

impl Policy for Plugins {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::Http
    }

    fn session(&self, _: SessionInfo) -> Box<dyn SessionPolicy> {
        unreachable!("there are no sessions here")
    }

    fn route<'a>(&'a self, _: Unplaced<'a>) -> Answer<'a, RouteVerdict> {
        unreachable!("there is no queue here")
    }

    fn pre_send<'a>(&'a self, _: Sendout<'a>) -> Answer<'a, SendVerdict> {
        unreachable!("there are no attempts here")
    }

    fn outcome(&self, _: &Attempted) {}

    fn http(&self, request: PublicRequest) -> Answer<'_, PublicAnswer> {
        Box::pin(async move {
            match &*request.plugin {
                "broken" => return PublicAnswer::Unable,
                "late" => {
                    self.asked.notify_one();
                    self.let_late.notified().await;
                }
                "echo" => {}
                _ => return PublicAnswer::Absent,
            }
            let PublicRequest { method, path, query, body, peer, .. } = request;
            let body = format!("{method} {path} {query} {} {peer}", String::from_utf8_lossy(&body)).into_bytes();
            let fields = vec![("X-A".to_owned(), "1".to_owned()), ("x-a".to_owned(), "2".to_owned())];
            PublicAnswer::Answered(PublicResponse { status: 201, fields, body })
        })
    }
}

/// Events as text; one permit for each.
struct Heard(Mutex<Vec<String>>, Semaphore);

impl Observe for Heard {
    fn event(&self, event: Event<'_>) {
        self.0.lock().expect("whole").push(serde_json::to_string(&event).expect("events are JSON"));
        self.1.add_permits(1);
    }
}

struct House {
    web: Web,
    plugins: Arc<Plugins>,
    heard: Arc<Heard>,
    address: SocketAddr,
}

impl House {
    fn new(change: impl FnOnce(&mut HttpListener)) -> Self {
        let mut config = HttpListener::new("web".into(), SocketAddr::from(([127, 0, 0, 1], 0)));
        change(&mut config);
        let port = SystemNet.listen(config.bind).expect("a free port");
        let (address, plugins) = (port.local(), Arc::new(Plugins::default()));
        let heard = Arc::new(Heard(Mutex::default(), Semaphore::new(0)));
        let doors = Doors { policy: plugins.clone(), observe: heard.clone(), clock: Arc::new(SystemClock) };
        Self { web: Web::start(doors, vec![(config, port)]), plugins, heard, address }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("the port is open")
    }

    /// Sends octets on a connection of their own, and reads until the server closes it.
    async fn ask(&self, octets: &str) -> String {
        say(self.connect().await, octets).await
    }

    /// A request that ends its connection.
    async fn get(&self, path: &str) -> String {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")).await
    }
}

/// What a server may say until it closes; one that resets has closed.
async fn rest(mut socket: TcpStream) -> String {
    let mut said = Vec::new();
    let _ = socket.read_to_end(&mut said).await;
    String::from_utf8_lossy(&said).into_owned()
}

async fn say(mut socket: TcpStream, octets: &str) -> String {
    socket.write_all(octets.as_bytes()).await.expect("it is open");
    rest(socket).await
}

fn status(said: &str) -> &str {
    said.lines().next().unwrap_or("nothing")
}

fn content(said: &str) -> &str {
    said.split_once("\r\n\r\n").map_or("", |(_, content)| content)
}

#[tokio::test]
async fn plugins_answer_at_their_paths_and_nothing_else_is_there() {
    let house = House::new(|_| ());
    let said = house.get("/p/echo/a/%20b?c=d&e").await;
    assert_eq!((status(&said), content(&said)), ("HTTP/1.1 201 Created", "GET /a/%20b c=d&e  127.0.0.1"));
    for field in ["x-a: 1", "x-a: 2", "x-content-type-options: nosniff", "cache-control: no-store"] {
        assert!(said.lines().any(|line| line == field), "{field} in {said}");
    }
    assert_eq!(content(&house.get("/p/echo").await), "GET /   127.0.0.1");
    let said = house.get("/healthz").await;
    assert_eq!((status(&said), content(&said)), ("HTTP/1.1 200 OK", "serving\n"));
    // Everything that is not there looks the same, but for the date.
    let dateless = |said: String| said.lines().filter(|line| !line.starts_with("date")).collect::<String>();
    let absent = dateless(house.get("/p/nobody/").await);
    assert!(absent.starts_with("HTTP/1.1 404 Not Found"), "{absent}");
    for path in
        ["/", "/p", "/p/", "/p//", "/healthz/", "/P/echo/", "/p/Echo/", "/p/ech%6f/", "//p/echo/", "/x/../p/echo"]
    {
        assert_eq!(dateless(house.get(path).await), absent, "{path}");
    }
    let said = house.get("/p/broken/").await;
    assert!(status(&said).contains("503") && said.contains("retry-after: 30"), "{said}");
}

#[tokio::test]
async fn head_is_get_without_its_content_rfc9110_9_3_2() {
    let house = House::new(|_| ());
    let said = house.ask("HEAD /p/echo/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n").await;
    let length = "GET /   127.0.0.1".len();
    assert!(status(&said).contains("201") && said.contains(&format!("content-length: {length}\r\n")), "{said}");
    assert_eq!(content(&said), "");
}

#[tokio::test]
async fn content_comes_within_its_limits_or_the_connection_ends_rfc9110_15_5_14() {
    let house = House::new(|config| (config.body_bytes_max, config.body_total) = (8, Duration::from_millis(100)));
    let post = |fields: &str, content: &str| format!("POST /p/echo/ HTTP/1.1\r\nHost: h\r\n{fields}\r\n\r\n{content}");
    let chunked = "Transfer-Encoding: chunked";
    for (request, wanted) in [
        (post("Content-Length: 8\r\nConnection: close", "12345678"), "201"),
        (post(&format!("{chunked}\r\nConnection: close"), "4\r\n1234\r\n0\r\n\r\n"), "201"),
        (post("Content-Length: 9", ""), "413"),
        (post("Content-Length: 99999999999999", ""), "413"),
        (post(chunked, "4\r\n1234\r\n5\r\n12345\r\n0\r\n\r\n"), "413"),
        (post("Content-Length: 8", "1234"), "408"),
        (post("Content-Length: 4\r\nContent-Length: 5", "1234"), "4"),
        (post("Content-Length: -1", ""), "4"),
    ] {
        let said = house.ask(&request).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {wanted}")), "{request}\n{said}");
    }
}

#[tokio::test]
async fn no_request_hides_behind_another_rfc9112_6_1() {
    let house = House::new(|_| ());
    let hidden = "GET /p/echo/hidden HTTP/1.1\r\nHost: h\r\n\r\n";
    for lengths in
        ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4"]
    {
        let said = house.ask(&format!("POST /p/echo/ HTTP/1.1\r\nHost: h\r\n{lengths}\r\n\r\n0\r\n\r\n{hidden}")).await;
        assert!(said.contains("connection: close") && !said.contains("hidden"), "{said}");
    }
}

#[tokio::test]
async fn heads_are_bounded_in_octets_fields_and_time_rfc6585_5() {
    let house = House::new(|config| (config.head_bytes_max, config.head_wait) = (8192, Duration::from_millis(100)));
    let huge = format!("GET /p/echo/ HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let many = format!("GET /p/echo/ HTTP/1.1\r\n{}\r\n", "X: x\r\n".repeat(200));
    for request in [huge, many] {
        let said = house.ask(&request).await;
        assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    }
    // One octet now and then keeps nobody here.
    for beginning in ["", "G", "GET /p/echo/ HTTP/1.1\r\nHost: h\r\n"] {
        assert_eq!(house.ask(beginning).await, "", "{beginning}");
    }
    for garbage in [
        "\r\n\r\nGET\r\n\r\n",
        "EHLO a\r\n\r\n",
        "GET /p/echo/ HTTP/1.1\r\nHost : h\r\n\r\n",
        "\u{16}\u{3}\u{1}\0\r\n\r\n",
    ] {
        let said = house.ask(garbage).await;
        assert!(said.starts_with("HTTP/1.1 400"), "{garbage:?}: {said}");
    }
}

#[tokio::test]
async fn a_pipeline_is_answered_in_its_order_and_up_to_its_limit_rfc9112_9_3_2() {
    let house = House::new(|config| config.requests_per_connection_max = 3);
    let requests: String = (1..=5).map(|n| format!("GET /p/echo/{n} HTTP/1.1\r\nHost: h\r\n\r\n")).collect();
    let said = house.ask(&requests).await;
    let at = |n: u32| said.find(&format!("GET /{n} "));
    assert!(at(1) < at(2) && at(2) < at(3) && at(3).is_some(), "{said}");
    assert_eq!((at(4), said.matches("connection: close").count()), (None, 1));
}

#[tokio::test]
async fn a_connection_ends_in_time_and_there_are_not_too_many() {
    let house = House::new(|config| {
        (config.connections_per_peer_max, config.connection_total) = (2, Duration::from_millis(300));
    });
    let (one, two) = (house.connect().await, house.connect().await);
    // Both were let in once a request on each is answered.
    let request = "GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n";
    let (one, two) = tokio::join!(say(one, request), async {
        let mut two = two;
        two.write_all(request.as_bytes()).await.expect("it is open");
        two.read_u8().await.expect("an answer");
        assert_eq!(rest(house.connect().await).await, "", "a third one");
        rest(two).await
    });
    assert!(one.ends_with("serving\n") && two.ends_with("serving\n"), "they are kept, and end by themselves");
    let refused = house.heard.0.lock().expect("whole").iter().filter(|event| event.contains("http-refused")).count();
    assert_eq!(refused, 1);
    assert!(house.get("/healthz").await.contains("200 OK"), "there is room again");
}

#[tokio::test]
async fn what_is_too_much_at_once_is_told_to_come_back() {
    let house = House::new(|config| config.requests_max = 1);
    let (first, second) = tokio::join!(house.get("/p/late/"), async {
        house.plugins.asked.notified().await;
        let second = house.get("/p/echo/").await;
        house.plugins.let_late.notify_one();
        second
    });
    assert!(status(&first).contains("201"), "{first}");
    assert!(status(&second).contains("503") && second.contains("retry-after: 1\r\n"), "{second}");
}

#[tokio::test]
async fn while_the_server_goes_down_answers_are_ended_and_newcomers_are_told() {
    let house = House::new(|_| ());
    let mut idle = house.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n").await.expect("it is open");
    idle.read_u8().await.expect("an answer");
    let asks = async {
        let underway = say(house.connect().await, "GET /p/late/ HTTP/1.1\r\nHost: h\r\n\r\n");
        tokio::join!(underway, async {
            house.plugins.asked.notified().await;
            let ((), idle, told) = tokio::join!(house.web.drain(Duration::from_secs(60)), rest(idle), async {
                // The drain above has begun: it is polled first.
                let told = [house.get("/healthz").await, house.get("/p/echo/").await, house.get("/").await];
                house.plugins.let_late.notify_one();
                told
            });
            (idle, told)
        })
    };
    let (underway, (idle, [health, newcomer, nothing])) = asks.await;
    assert!(idle.ends_with("serving\n"), "it is closed without a further word: {idle}");
    assert!(status(&underway).contains("201") && underway.contains("connection: close"), "{underway}");
    assert!(status(&health).contains("503") && health.ends_with("draining\n"), "{health}");
    assert!(status(&newcomer).contains("503") && newcomer.contains("retry-after: 10"), "{newcomer}");
    assert!(status(&nothing).contains("404"));
    let address = house.address;
    house.web.close().await;
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn an_event_names_the_plugin_and_nothing_that_the_client_chose() {
    let house = House::new(|config| {
        config.trusted_proxies = vec![crate::config::parse::network("127.0.0.0/8").expect("a network")];
    });
    let fields = "Host: h\r\nX-Forwarded-For: 192.0.2.9\r\nConnection: close";
    let said = house.ask(&format!("GET /p/echo/token?a=token HTTP/1.1\r\n{fields}\r\n\r\n")).await;
    assert!(said.ends_with("192.0.2.9"), "{said}");
    house.ask(&format!("TOKEN /p/token/token HTTP/1.1\r\n{fields}\r\n\r\n")).await;
    let _ = house.heard.1.acquire_many(3).await.expect("nobody closes it");
    let heard = house.heard.0.lock().expect("whole").clone();
    assert!(heard[1].contains(r#""peer":"192.0.2.9","plugin":"echo","method":"GET","status":201"#), "{heard:?}");
    assert!(heard[2].contains(r#""plugin":null,"method":"other","status":404"#), "{heard:?}");
    assert!(!heard.iter().any(|event| event.to_lowercase().contains("token")), "{heard:?}");
}
