//! A name server of hickory's own, with zones of the scenarios' choosing on loopback.

use hickory_server::Server;
use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::proto::rr::rdata::{A, CNAME, MX, PTR, SOA, TXT};
use hickory_server::proto::rr::{LowerName, Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The zones that all names of the scenarios are in, and those of addresses; names that are not there don't exist (NXDOMAIN).
const ZONES: [&str; 2] = ["test.", "in-addr.arpa."];

/// Zones in the making.
#[derive(Debug, Default)]
pub struct Zones {
    records: Vec<Record>,
    failing: Vec<Name>,
}

/// The running server; ends with the value.
#[derive(Debug)]
pub struct NameServer {
    address: SocketAddr,
    end: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Zones {
    /// Nothing but the zone itself.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An exchanger; `.` is the null MX of RFC 7505.
    #[must_use]
    pub fn mx(self, domain: &str, preference: u16, host: &str) -> Self {
        self.record(domain, RData::MX(MX::new(preference, name(host))))
    }

    /// An address.
    #[must_use]
    pub fn a(self, host: &str, address: Ipv4Addr) -> Self {
        self.record(host, RData::A(A(address)))
    }

    /// A text, in as many strings as it needs.
    #[must_use]
    pub fn txt(self, domain: &str, text: &str) -> Self {
        let strings = text.as_bytes().chunks(255).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
        self.record(domain, RData::TXT(TXT::new(strings)))
    }

    /// Texts as lines, `NAME TXT TEXT`.
    #[must_use]
    pub fn texts(self, lines: &str) -> Self {
        lines.lines().fold(self, |zones, line| match line.split_once(" TXT ") {
            Some((domain, text)) => zones.txt(domain, text),
            None => zones,
        })
    }

    /// Another name for a name.
    #[must_use]
    pub fn cname(self, alias: &str, host: &str) -> Self {
        self.record(alias, RData::CNAME(CNAME(name(host))))
    }

    /// The name of an address.
    #[must_use]
    pub fn ptr(self, address: Ipv4Addr, host: &str) -> Self {
        let [a, b, c, d] = address.octets();
        self.record(&format!("{d}.{c}.{b}.{a}.in-addr.arpa"), RData::PTR(PTR(name(host))))
    }

    /// A domain for which the server fails (SERVFAIL).
    #[must_use]
    pub fn failing(mut self, domain: &str) -> Self {
        self.failing.push(name(domain));
        self
    }

    fn record(mut self, owner: &str, data: RData) -> Self {
        self.records.push(Record::from_rdata(name(owner), 60, data));
        self
    }

    /// Serves them by UDP and TCP.
    ///
    /// # Panics
    /// When the server can't be started.
    #[must_use]
    pub fn start(self) -> NameServer {
        let (end, ended) = tokio::sync::oneshot::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut server = Server::new(self.catalog());
                let (udp, tcp, address) = sockets().await;
                server.register_socket(udp);
                server.register_listener(tcp, Duration::from_secs(5), 16);
                tell.send(address).expect("whoever starts it waits for the address");
                // Ends by message or by the sender's end, as the test ends.
                let _ = ended.await;
                let _ = server.shutdown_gracefully().await;
            });
        });
        let address = told.recv_timeout(crate::PATIENCE).expect("the name server starts");
        NameServer { address, end: Some(end) }
    }

    fn catalog(self) -> Catalog {
        let mut catalog = Catalog::new();
        for origin in ZONES.map(name) {
            let mut zone =
                InMemoryZoneHandler::<TokioRuntimeProvider>::empty(origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
            let soa = SOA::new(name("ns.test."), name("hostmaster.test."), 1, 60, 60, 60, 60);
            zone.upsert_mut(Record::from_rdata(origin.clone(), 60, RData::SOA(soa)), 1);
            for record in self.records.iter().filter(|record| origin.zone_of(&record.name)) {
                zone.upsert_mut(record.clone(), 1);
            }
            catalog.upsert(LowerName::new(&origin), vec![Arc::new(zone)]);
        }
        // A zone that nobody answers for is a failure of the server.
        for domain in &self.failing {
            catalog.upsert(LowerName::new(domain), Vec::new());
        }
        catalog
    }
}

async fn sockets() -> (tokio::net::UdpSocket, tokio::net::TcpListener, SocketAddr) {
    // A port that is free for both is found soon.
    for _ in 0..100 {
        let tcp = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = tcp.local_addr().expect("a bound socket");
        if let Ok(udp) = tokio::net::UdpSocket::bind(address).await {
            return (udp, tcp, address);
        }
    }
    panic!("no port is free for UDP and TCP");
}

impl NameServer {
    /// Where it answers.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        drop(self.end.take());
    }
}

fn name(text: &str) -> Name {
    let absolute = if text.ends_with('.') { text.to_owned() } else { format!("{text}.") };
    Name::from_ascii(absolute).expect("a scenario's names are names")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_server::proto::op::{Message, Query, ResponseCode};
    use hickory_server::proto::rr::RecordType;

    fn ask(server: &NameServer, domain: &str, kind: RecordType) -> Message {
        let mut question = Message::query();
        question.add_query(Query::query(name(domain), kind));
        let socket = std::net::UdpSocket::bind(("127.0.0.1", 0)).expect("loopback has a free port");
        socket.set_read_timeout(Some(crate::PATIENCE)).expect("a limit can be set");
        socket.send_to(&question.to_vec().expect("a small message"), server.address()).expect("a datagram goes");
        let mut octets = [0; 1500];
        let length = socket.recv(&mut octets).expect("an answer comes");
        Message::from_vec(&octets[..length]).expect("it is a DNS message")
    }

    #[test]
    fn zones_answer_fail_and_do_not_exist() {
        let zones = Zones::new().mx("a.test", 10, "mx.a.test").a("mx.a.test", Ipv4Addr::LOCALHOST).failing("bad.test");
        let server = zones.start();
        let found = ask(&server, "a.test", RecordType::MX);
        assert_eq!((found.metadata.response_code, found.answers.len()), (ResponseCode::NoError, 1));
        assert_eq!(ask(&server, "x.bad.test", RecordType::MX).metadata.response_code, ResponseCode::ServFail);
        assert_eq!(ask(&server, "gone.test", RecordType::MX).metadata.response_code, ResponseCode::NXDomain);
        let empty = ask(&server, "mx.a.test", RecordType::MX);
        assert_eq!((empty.metadata.response_code, empty.answers.len()), (ResponseCode::NoError, 0));
        let server = Zones::new().ptr(Ipv4Addr::new(192, 0, 2, 25), "mx.a.test").start();
        assert_eq!(ask(&server, "25.2.0.192.in-addr.arpa", RecordType::PTR).answers.len(), 1);
    }
}
