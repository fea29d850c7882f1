//! The real DNS: hickory's stub resolver, its cache and its time limits (RFC 1035, RFC 5321 5.1).

pub mod signed;

use crate::base::flow::Answer;
use crate::base::world::dns::{Dns, DnsFault, Mx, RecordData, RecordKind};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// How long one question to one server may take.
const QUESTION: Duration = Duration::from_secs(5);

/// How often a question is put again before the look-up fails.
const QUESTIONS_AGAIN_MAX: usize = 2;

/// Answers kept, positive and negative, each for its own time to live.
const ANSWERS_CACHED_MAX: u64 = 16_384;

/// Longest time for which an absence is believed: a record that was just made shall be found within the hour.
const ABSENCE_BELIEVED_MAX: Duration = Duration::from_secs(600);

/// Asks the configured name servers.
#[derive(Clone)]
pub struct HickoryDns {
    resolver: TokioResolver,
}

impl HickoryDns {
    /// Asks `servers`, or those of `/etc/resolv.conf` when there are none; without that file, the server on this
    /// machine (resolv.conf(5)). Must be called within the runtime.
    ///
    /// # Errors
    /// In words, when hickory can't be set up.
    pub fn new(servers: &[SocketAddr]) -> Result<Self, String> {
        let (config, options) = options(servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let resolver = builder.build().map_err(|fault| fault.to_string())?;
        Ok(Self { resolver })
    }

    /// The records of one type; those of CNAMEs on the way are among them.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<Vec<Record>, DnsFault> {
        match self.resolver.lookup(absolute(name)?, kind).await {
            Ok(found) => Ok(found.answers().to_vec()),
            Err(fault) => Err(meaning(&fault)),
        }
    }
}

/// The name as it is asked for. Labels are any octets (RFC 2181 11): SPF makes names of what clients say (RFC 7208 7.3).
fn absolute(name: &str) -> Result<Name, DnsFault> {
    let labels = name.trim_end_matches('.').split('.').map(str::as_bytes);
    // A text that can't be a name (a label above 63 octets, say) can't exist either.
    let mut name = Name::from_labels(labels).map_err(|_| DnsFault::NoSuchDomain)?;
    // Written as fully qualified: a resolver's search list must never turn one domain into another.
    name.set_fqdn(true);
    Ok(name)
}

/// Which servers are asked, and how.
fn options(servers: &[SocketAddr]) -> (ResolverConfig, ResolverOpts) {
    let (config, mut options) = match servers {
        [] => read_system_conf()
            .unwrap_or_else(|_| (asking(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 53))]), ResolverOpts::default())),
        servers => (asking(servers), ResolverOpts::default()),
    };
    options.timeout = QUESTION;
    options.attempts = QUESTIONS_AGAIN_MAX;
    options.cache_size = ANSWERS_CACHED_MAX;
    options.negative_max_ttl = Some(ABSENCE_BELIEVED_MAX);
    // A server that fails over UDP may still answer over TCP; RFC 7766 5 makes TCP as good.
    options.try_tcp_on_error = true;
    (config, options)
}

fn asking(servers: &[SocketAddr]) -> ResolverConfig {
    let at_port = |mut connection: ConnectionConfig, port| {
        connection.port = port;
        connection
    };
    let server = |address: &SocketAddr| {
        let port = address.port();
        let connections = vec![at_port(ConnectionConfig::udp(), port), at_port(ConnectionConfig::tcp(), port)];
        NameServerConfig::new(address.ip(), true, connections)
    };
    ResolverConfig::from_name_servers(servers.iter().map(server).collect())
}

/// An absence is only what a server said to be one; everything else may be different in an hour.
fn meaning(fault: &NetError) -> DnsFault {
    match fault {
        NetError::Dns(DnsError::NoRecordsFound(absent)) => absence(absent.response_code),
        _ => DnsFault::Failed,
    }
}

fn absence(code: ResponseCode) -> DnsFault {
    match code {
        ResponseCode::NXDomain => DnsFault::NoSuchDomain,
        ResponseCode::NoError => DnsFault::NoRecord,
        _ => DnsFault::Failed,
    }
}

impl Dns for HickoryDns {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Vec<Mx>, DnsFault>> {
        Box::pin(async move {
            let records = self.ask(domain, RecordType::MX).await?;
            let exchangers: Vec<Mx> = records
                .iter()
                .filter_map(|record| match &record.data {
                    RData::MX(mx) => Some(Mx { preference: mx.preference, host: host_name(&mx.exchange) }),
                    _ => None,
                })
                .collect();
            if exchangers.is_empty() { Err(DnsFault::NoRecord) } else { Ok(exchangers) }
        })
    }

    fn records<'a>(&'a self, name: &'a str, kind: RecordKind) -> Answer<'a, Result<Vec<RecordData>, DnsFault>> {
        let asked = match kind {
            RecordKind::A => RecordType::A,
            RecordKind::Aaaa => RecordType::AAAA,
            RecordKind::Txt => RecordType::TXT,
            RecordKind::Ptr => RecordType::PTR,
        };
        Box::pin(async move {
            let records = self.ask(name, asked).await?;
            // CNAMEs on the way are of another type.
            let of_kind = records.iter().filter(|record| record.record_type() == asked);
            let found: Vec<RecordData> = of_kind.filter_map(|record| said(&record.data)).collect();
            if found.is_empty() { Err(DnsFault::NoRecord) } else { Ok(found) }
        })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, Result<Vec<IpAddr>, DnsFault>> {
        Box::pin(async move {
            let both = futures_util::future::join(self.ask(host, RecordType::AAAA), self.ask(host, RecordType::A));
            let (v6, v4) = both.await;
            let found: Vec<IpAddr> = v6
                .iter()
                .chain(&v4)
                .flatten()
                .filter_map(|record| match record.data {
                    RData::A(a) => Some(IpAddr::V4(a.0)),
                    RData::AAAA(aaaa) => Some(IpAddr::V6(aaaa.0)),
                    _ => None,
                })
                .collect();
            if !found.is_empty() {
                return Ok(found);
            }
            match (v6, v4) {
                // One family's absence says nothing while the other is unknown.
                (Err(DnsFault::Failed), _) | (_, Err(DnsFault::Failed)) => Err(DnsFault::Failed),
                (Err(DnsFault::NoSuchDomain), _) | (_, Err(DnsFault::NoSuchDomain)) => Err(DnsFault::NoSuchDomain),
                _ => Err(DnsFault::NoRecord),
            }
        })
    }
}

fn said(data: &RData) -> Option<RecordData> {
    match data {
        RData::A(a) => Some(RecordData::A(a.0)),
        RData::AAAA(aaaa) => Some(RecordData::Aaaa(aaaa.0)),
        RData::TXT(txt) => Some(RecordData::Txt(txt.txt_data.concat())),
        RData::PTR(ptr) => Some(RecordData::Ptr(host_name(&ptr.0))),
        _ => None,
    }
}

/// Lower case, without the final dot; the root is the empty string.
fn host_name(name: &Name) -> Box<str> {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::op::{Message, OpCode};
    use hickory_resolver::proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, SOA, TXT};
    use tokio::net::UdpSocket;

    /// A name server for a handful of names, on a port of its own. Also gives the socket's address.
    async fn name_server() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback can be bound");
        let address = socket.local_addr().expect("bound");
        tokio::spawn(async move {
            let mut buffer = [0; 1024];
            while let Ok((bytes, from)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..bytes]).expect("hickory asks well");
                let answer = answer(&question).to_vec().expect("encodes");
                socket.send_to(&answer, from).await.expect("loopback sends");
            }
        });
        address
    }

    fn name(text: &str) -> Name {
        Name::from_ascii(text).expect("a name")
    }

    fn answer(question: &Message) -> Message {
        let query = question.queries[0].clone();
        let mut answer = Message::response(question.metadata.id, OpCode::Query);
        answer.add_query(query.clone());
        let found = |data: RData| Record::from_rdata(query.name().clone(), 60, data);
        let soa = SOA::new(name("ns.test."), name("root.test."), 1, 60, 60, 60, 60);
        let absence = Record::from_rdata(name("test."), 60, RData::SOA(soa));
        match (query.name().to_ascii().as_str(), query.query_type()) {
            ("mail.test.", RecordType::MX) => {
                answer.add_answer(found(RData::MX(MX::new(10, name("MX1.mail.test.")))));
                answer.add_answer(found(RData::MX(MX::new(20, name("mx2.mail.test.")))));
            }
            ("null.test.", RecordType::MX) => {
                answer.add_answer(found(RData::MX(MX::new(0, Name::root()))));
            }
            ("alias.test.", RecordType::A | RecordType::AAAA) => {
                answer.add_answer(found(RData::CNAME(CNAME(name("host.test.")))));
                if query.query_type() == RecordType::A {
                    let record = Record::from_rdata(name("host.test."), 60, RData::A(A::new(192, 0, 2, 7)));
                    answer.add_answer(record);
                }
            }
            ("text.test.", RecordType::TXT) => {
                answer.add_answer(found(RData::TXT(TXT::new(vec!["v=spf1 ".to_owned(), "-all".to_owned()]))));
            }
            ("7.2.0.192.in-addr.arpa.", RecordType::PTR) => {
                answer.add_answer(found(RData::PTR(PTR(name("Host.test.")))));
            }
            ("host.test.", RecordType::AAAA) => {
                answer.add_answer(found(RData::AAAA(AAAA::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7))));
            }
            ("half.test.", RecordType::AAAA) | ("broken.test.", _) => {
                answer.metadata.response_code = ResponseCode::ServFail;
            }
            ("gone.test.", _) => {
                answer.metadata.response_code = ResponseCode::NXDomain;
                answer.add_authority(absence);
            }
            _ => {
                answer.add_authority(absence);
            }
        }
        answer
    }

    async fn dns() -> HickoryDns {
        HickoryDns::new(&[name_server().await]).expect("hickory starts")
    }

    #[tokio::test]
    async fn exchangers_come_with_their_preferences_rfc5321_5_1() {
        let dns = dns().await;
        let mut found = dns.mx("mail.test").await.expect("has exchangers");
        found.sort_by_key(|mx| mx.preference);
        let wanted = [(10, "mx1.mail.test"), (20, "mx2.mail.test")];
        assert_eq!(found, wanted.map(|(preference, host)| Mx { preference, host: host.into() }));
        let null = dns.mx("null.test").await.expect("RFC 7505: one record, of the root");
        assert_eq!(null, [Mx { preference: 0, host: "".into() }]);
    }

    #[tokio::test]
    async fn absence_and_failure_are_told_apart() {
        let dns = dns().await;
        assert_eq!(dns.mx("gone.test").await, Err(DnsFault::NoSuchDomain));
        assert_eq!(dns.mx("host.test").await, Err(DnsFault::NoRecord));
        assert_eq!(dns.mx("broken.test").await, Err(DnsFault::Failed));
        assert_eq!(dns.addresses("gone.test").await, Err(DnsFault::NoSuchDomain));
        assert_eq!(dns.addresses("half.test").await, Err(DnsFault::Failed));
        assert_eq!(dns.mx(&format!("{}.test", "x".repeat(64))).await, Err(DnsFault::NoSuchDomain));
    }

    #[tokio::test]
    async fn records_are_found_by_their_type_rfc1035_3_3() {
        let dns = dns().await;
        let text = dns.records("text.test", RecordKind::Txt).await;
        assert_eq!(text, Ok(vec![RecordData::Txt(b"v=spf1 -all".to_vec())]));
        let name = dns.records("7.2.0.192.in-addr.arpa", RecordKind::Ptr).await;
        assert_eq!(name, Ok(vec![RecordData::Ptr("host.test".into())]));
        let alias = dns.records("alias.test", RecordKind::A).await;
        assert_eq!(alias, Ok(vec![RecordData::A([192, 0, 2, 7].into())]));
        assert_eq!(dns.records("host.test", RecordKind::A).await, Err(DnsFault::NoRecord));
        assert_eq!(dns.records("gone.test", RecordKind::Txt).await, Err(DnsFault::NoSuchDomain));
        assert_eq!(dns.records("broken.test", RecordKind::Aaaa).await, Err(DnsFault::Failed));
    }

    #[tokio::test]
    async fn aliases_are_followed_to_both_families_rfc5321_5_1() {
        let mut found = dns().await.addresses("alias.test").await.expect("an alias of a host");
        found.sort();
        let wanted: [IpAddr; 2] = ["192.0.2.7", "2001:db8::7"].map(|text| text.parse().expect("a literal"));
        assert_eq!(found, wanted);
    }
}
