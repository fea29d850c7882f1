//! A world in memory for the driver's tests: a clock that is set, a network of scripted servers, a table of names.

use super::parts::Parts;
use crate::base::event::Event;
use crate::base::fixtures::Wire;
use crate::base::flow::Answer;
use crate::base::flow::attempt::Unsigned;
use crate::base::flow::policy::{
    Attempted, Hook, Policy, RouteVerdict, SendVerdict, Sending, Sendout, SessionInfo, SessionPolicy, Unplaced,
};
use crate::base::flow::tls_result::{TlsFailure, TlsResult, TlsResults};
use crate::base::mail::content::Composed;
use crate::base::mail::edits::Edits;
use crate::base::mail::render::Rendered;
use crate::base::mail::tie::{KEY_BYTES, Key};
use crate::base::time::{Now, UnixMillis};
use crate::base::world::dns::{
    Dns, DnsFault, Exchangers, Located, Mx, RecordData, RecordKind, SignedDns, SignedFault, Tlsa,
};
use crate::base::world::http::{HttpAnswer, HttpClient, HttpFault, HttpHost, HttpRequest};
use crate::base::world::maildir::{LineEnds, MaildirFault, Maildirs};
use crate::base::world::net::{Listener, Net, Socket};
use crate::base::world::store::Journal;
use crate::base::world::tls::{ClientTls, Secured, TlsInfo, Trust, Unsecured};
use crate::base::world::{Clock, Dice, Observe};
use crate::config;
use crate::config::model::{Config, Delivery, Pool};
use crate::path::deliver::scripted::{Script, ScriptedServer};
use crate::path::deliver::trust::driver::{Doors, Promises};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::sync::watch;

/// Everything that the driver asks for.
pub(super) struct World {
    began: Instant,
    elapsed: watch::Sender<Duration>,
    servers: Mutex<HashMap<SocketAddr, Script>>,
    /// Connections in the order in which they were made.
    pub(super) talks: Mutex<Vec<Talk>>,
    /// How many connections were made, also those that failed.
    pub(super) dialled: watch::Sender<usize>,
    /// Ends of connections that servers have seen.
    pub(super) hung_up: watch::Sender<usize>,
    exchangers: Mutex<HashMap<String, Result<Vec<Mx>, DnsFault>>>,
    addresses: Mutex<HashMap<String, Result<Vec<IpAddr>, DnsFault>>>,
    /// What `on-pre-send` says, by recipient.
    pub(super) verdicts: Mutex<HashMap<u32, (Sending, Edits)>>,
    /// The bodies that it makes, by recipient.
    pub(super) bodies: Mutex<HashMap<u32, Composed>>,
    /// Files: Maildir, name, octets.
    pub(super) files: Mutex<Vec<(PathBuf, String, Vec<u8>)>>,
    pub(super) disk: Mutex<Result<(), MaildirFault>>,
    /// Pools of source addresses.
    pub(super) pools: Mutex<Vec<Pool>>,
    /// Where connections were made from, also those that failed.
    pub(super) sources: Mutex<Vec<Option<IpAddr>>>,
    /// Handshakes: with whom, and whom they believed.
    pub(super) handshakes: Mutex<Vec<(String, Trust)>>,
    /// How handshakes end.
    pub(super) shaken: Mutex<Result<(), String>>,
    /// How those end that don't believe everybody.
    pub(super) verified: Mutex<Result<(), TlsFailure>>,
    /// Texts by their names.
    pub(super) texts: Mutex<HashMap<String, String>>,
    /// What is served at the hosts of policies.
    pub(super) web: Mutex<HashMap<String, Result<HttpAnswer, HttpFault>>>,
    /// How many policies were asked for.
    pub(super) fetched: watch::Sender<usize>,
    /// TLSA records by host; zones of hosts and domains that are here are signed.
    pub(super) zones: Mutex<HashMap<String, Result<Vec<Tlsa>, SignedFault>>>,
    /// What domains are told.
    pub(super) results: Mutex<Vec<TlsResult>>,
    /// Events, as they are written.
    pub(super) events: Mutex<Vec<String>>,
}

/// A connection as its server sees it.
pub(super) struct Talk {
    pub(super) at: SocketAddr,
    pub(super) server: Arc<Mutex<ScriptedServer>>,
}

impl World {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            elapsed: watch::Sender::new(Duration::ZERO),
            servers: Mutex::default(),
            talks: Mutex::default(),
            dialled: watch::Sender::new(0),
            hung_up: watch::Sender::new(0),
            exchangers: Mutex::default(),
            addresses: Mutex::default(),
            verdicts: Mutex::default(),
            bodies: Mutex::default(),
            files: Mutex::default(),
            disk: Mutex::new(Ok(())),
            pools: Mutex::default(),
            sources: Mutex::default(),
            handshakes: Mutex::default(),
            shaken: Mutex::new(Ok(())),
            verified: Mutex::new(Ok(())),
            texts: Mutex::default(),
            web: Mutex::default(),
            fetched: watch::Sender::new(0),
            zones: Mutex::default(),
            results: Mutex::default(),
            events: Mutex::default(),
        })
    }

    /// From now on this server is at that address.
    pub(super) fn serve(&self, at: &str, script: Script) {
        self.servers.lock().expect("whole").insert(address(at), script);
    }

    pub(super) fn exchange(&self, domain: &str, answer: Result<Vec<Mx>, DnsFault>) {
        self.exchangers.lock().expect("whole").insert(domain.to_owned(), answer);
    }

    pub(super) fn name(&self, host: &str, ips: &[&str]) {
        let ips = ips.iter().map(|ip| ip.parse().expect("a literal")).collect();
        self.addresses.lock().expect("whole").insert(host.to_owned(), Ok(ips));
    }

    /// From now on its name servers don't answer.
    pub(super) fn lose(&self, host: &str) {
        self.addresses.lock().expect("whole").insert(host.to_owned(), Err(DnsFault::Failed));
    }

    pub(super) fn pass(&self, time: Duration) {
        self.elapsed.send_modify(|elapsed| *elapsed += time);
    }

    /// What domains' promises are found out with.
    pub(super) fn doors(
        self: &Arc<Self>,
        config: watch::Receiver<Arc<Config>>,
        journal: Option<Arc<dyn Journal>>,
    ) -> Doors {
        Doors {
            config,
            clock: Arc::<Self>::clone(self),
            dns: Arc::<Self>::clone(self),
            signed: Arc::<Self>::clone(self),
            http: Arc::<Self>::clone(self),
            journal,
            results: Arc::<Self>::clone(self),
            observe: Arc::<Self>::clone(self),
        }
    }

    /// Commands that each connection saw.
    pub(super) fn commands(&self) -> Vec<Vec<String>> {
        let talks = self.talks.lock().expect("whole");
        talks.iter().map(|talk| talk.server.lock().expect("whole").commands.clone()).collect()
    }

    pub(super) fn parts(self: &Arc<Self>, delivery: Delivery) -> Parts {
        let pools = self.pools.lock().expect("whole").clone();
        let config = Config { hostname: "here.test".into(), delivery, pools, ..config::example() };
        let config = watch::channel(Arc::new(config)).1;
        let promises = Promises::new(self.doors(config.clone(), None));
        Parts {
            config,
            clock: Arc::<Self>::clone(self),
            dice: Arc::<Self>::clone(self),
            net: Arc::<Self>::clone(self),
            tls: Arc::<Self>::clone(self),
            dns: Arc::<Self>::clone(self),
            promises: Arc::new(promises),
            results: Arc::<Self>::clone(self),
            maildirs: Arc::<Self>::clone(self),
            sign: Arc::new(Unsigned),
            policy: Arc::<Self>::clone(self),
            key: Arc::new(Key::new([7; KEY_BYTES])),
            observe: Arc::<Self>::clone(self),
        }
    }
}

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

impl Clock for World {
    fn now(&self) -> Now {
        let elapsed = *self.elapsed.borrow();
        Now { mono: self.began + elapsed, wall: UnixMillis(0).plus(elapsed) }
    }

    fn sleep_until(&self, when: Instant) -> Answer<'static, ()> {
        let (mut elapsed, began) = (self.elapsed.subscribe(), self.began);
        Box::pin(async move {
            // An error is the world's end, at which nobody wakes.
            if elapsed.wait_for(|elapsed| began + *elapsed >= when).await.is_err() {
                std::future::pending::<()>().await;
            }
        })
    }
}

impl Dice for World {
    fn roll(&self) -> u64 {
        0
    }
}

impl Observe for World {
    fn event(&self, event: Event<'_>) {
        self.events.lock().expect("whole").push(format!("{event:?}"));
    }
}

impl Net for World {
    fn listen(&self, _: SocketAddr) -> io::Result<Box<dyn Listener>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn connect(&self, to: SocketAddr, source: Option<IpAddr>) -> Answer<'_, io::Result<Box<dyn Socket>>> {
        self.sources.lock().expect("whole").push(source);
        self.dialled.send_modify(|dialled| *dialled += 1);
        let script = self.servers.lock().expect("whole").get(&to).cloned();
        Box::pin(async move {
            let script = script.ok_or(io::ErrorKind::ConnectionRefused)?;
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            let server = Arc::new(Mutex::new(ScriptedServer::new(script)));
            self.talks.lock().expect("whole").push(Talk { at: to, server: Arc::clone(&server) });
            tokio::spawn(talk(theirs, server, self.hung_up.clone()));
            let local = source.map_or_else(|| address("192.0.2.99:40000"), |source| SocketAddr::new(source, 40_000));
            Ok(Box::new(Wire { stream: ours, peer: to, local }) as Box<dyn Socket>)
        })
    }

    fn is_local(&self, ip: IpAddr) -> bool {
        ip.is_loopback()
    }
}

impl ClientTls for World {
    fn connect(
        &self,
        socket: Box<dyn Socket>,
        host: &str,
        trust: &Trust,
    ) -> Answer<'static, Result<Secured, Unsecured>> {
        self.handshakes.lock().expect("whole").push((host.to_owned(), trust.clone()));
        let info = TlsInfo {
            exporter: None,
            end_point: None,
            version: "TLSv1.3",
            cipher: "TLS_AES_256_GCM_SHA384",
            server_name: None,
            resumed: false,
            client: None,
        };
        let shaken = self.shaken.lock().expect("whole").clone();
        let shaken = shaken.map_err(|why| Unsecured { why, failure: TlsFailure::ValidationFailure });
        let verified = if *trust == Trust::Anyone { Ok(()) } else { *self.verified.lock().expect("whole") };
        let verified = verified.map_err(|failure| Unsecured { why: "not the host".to_owned(), failure });
        Box::pin(async move { shaken.and(verified).map(|()| Secured { socket, info }) })
    }
}

/// The server's side of a connection; ends when either side has closed.
async fn talk(mut stream: DuplexStream, server: Arc<Mutex<ScriptedServer>>, hung_up: watch::Sender<usize>) {
    let mut answer = server.lock().expect("whole").greeting();
    let mut buffer = vec![0; 4096];
    loop {
        if stream.write_all(&answer).await.is_err() || server.lock().expect("whole").closed {
            break;
        }
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(octets) => answer = server.lock().expect("whole").feed(&buffer[..octets]),
        }
    }
    hung_up.send_modify(|ends| *ends += 1);
}

impl Dns for World {
    fn mx<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Vec<Mx>, DnsFault>> {
        let answer = self.exchangers.lock().expect("whole").get(domain).cloned();
        Box::pin(async move { answer.unwrap_or(Err(DnsFault::NoRecord)) })
    }

    fn records<'a>(&'a self, name: &'a str, kind: RecordKind) -> Answer<'a, Result<Vec<RecordData>, DnsFault>> {
        assert_eq!(kind, RecordKind::Txt, "nobody asks for others");
        let text = self.texts.lock().expect("whole").get(name).cloned();
        Box::pin(async { text.map(|text| vec![RecordData::Txt(text.into())]).ok_or(DnsFault::NoRecord) })
    }

    fn addresses<'a>(&'a self, host: &'a str) -> Answer<'a, Result<Vec<IpAddr>, DnsFault>> {
        let answer = self.addresses.lock().expect("whole").get(host).cloned();
        Box::pin(async move { answer.unwrap_or(Err(DnsFault::NoSuchDomain)) })
    }
}

impl SignedDns for World {
    fn is_able(&self) -> Answer<'_, bool> {
        let able = !self.zones.lock().expect("whole").is_empty();
        Box::pin(async move { able })
    }

    fn exchangers<'a>(&'a self, domain: &'a str) -> Answer<'a, Result<Exchangers, SignedFault>> {
        let zone = self.zones.lock().expect("whole").get(domain).cloned();
        Box::pin(async move {
            let records = self.mx(domain).await?;
            match zone {
                Some(Err(SignedFault::Bogus)) => Err(SignedFault::Bogus),
                zone => Ok(Exchangers { records, signed: zone.is_some() }),
            }
        })
    }

    fn host<'a>(&'a self, host: &'a str) -> Answer<'a, Result<Located, SignedFault>> {
        let signed = self.zones.lock().expect("whole").contains_key(host);
        Box::pin(async move {
            let addresses = self.addresses(host).await?;
            Ok(Located { addresses, bases: if signed { vec![host.into()] } else { Vec::new() } })
        })
    }

    fn tlsa<'a>(&'a self, base: &'a str, port: u16) -> Answer<'a, Result<Vec<Tlsa>, SignedFault>> {
        assert_eq!(port, 25);
        let found = self.zones.lock().expect("whole").get(base).cloned();
        Box::pin(async { found.unwrap_or(Err(DnsFault::NoRecord.into())) })
    }
}

impl HttpClient for World {
    fn fetch(&self, request: HttpRequest) -> Answer<'_, Result<HttpAnswer, HttpFault>> {
        let HttpHost::Name(host) = &request.origin.host else { panic!("policies lie at names") };
        let host = host.to_string();
        assert_eq!((request.origin.secure, &*request.target), (true, "/.well-known/mta-sts.txt"));
        let answer = self.web.lock().expect("whole").get(&host).cloned();
        self.fetched.send_modify(|fetched| *fetched += 1);
        Box::pin(async {
            // Others go on meanwhile.
            tokio::task::yield_now().await;
            answer.unwrap_or_else(|| Err(HttpFault::Failed("nobody is there".to_owned())))
        })
    }
}

impl TlsResults for World {
    fn tell(&self, result: TlsResult) {
        self.results.lock().expect("whole").push(result);
    }
}

impl Maildirs for World {
    fn put<'a>(
        &'a self,
        maildir: &'a Path,
        name: String,
        message: Rendered,
        _: LineEnds,
    ) -> Answer<'a, Result<(), MaildirFault>> {
        Box::pin(async move {
            let crate::base::mail::content::Body::Memory(body) = &message.body else {
                panic!("tests keep it in memory")
            };
            let octets = [message.head.concat(), body.to_vec()].concat();
            self.files.lock().expect("whole").push((maildir.to_owned(), name, octets));
            self.disk.lock().expect("whole").clone()
        })
    }
}

impl Policy for World {
    fn has(&self, hook: Hook) -> bool {
        hook == Hook::PreSend && !self.verdicts.lock().expect("whole").is_empty()
    }

    fn session(&self, _: SessionInfo) -> Box<dyn SessionPolicy> {
        panic!("deliver opens no session")
    }

    fn route<'a>(&'a self, _: Unplaced<'a>) -> Answer<'a, RouteVerdict> {
        panic!("the queue asks for ways")
    }

    fn pre_send<'a>(&'a self, sendout: Sendout<'a>) -> Answer<'a, SendVerdict> {
        let found = self.verdicts.lock().expect("whole").get(&sendout.recipient).cloned();
        let (sending, edits) = found.unwrap_or((Sending::Next, Edits::default()));
        let body = self.bodies.lock().expect("whole").get(&sendout.recipient).cloned();
        Box::pin(async move { SendVerdict { sending, plugin: Some("plugin".into()), edits, body } })
    }

    fn outcome(&self, _: &Attempted) {
        panic!("the queue tells outcomes, once they are durable")
    }
}
