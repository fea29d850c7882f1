//! The stage with others of the tests' own making: a server that answers by a script, and a network that is unplugged.

use super::*;
use crate::base::flow::policy::password::{PasswordAnswer, PasswordQuestion};
use crate::base::flow::policy::{Attempted, Hook, Policy, RouteVerdict, SendVerdict, Sendout, SessionPolicy, Unplaced};
use crate::base::flow::tls_result::TlsFailure;
use crate::base::world::http::{HttpAnswer, HttpClient, HttpFault, HttpRequest};
use crate::base::world::net::{Listener, Net, Socket};
use crate::base::world::tls::{ClientTls, Secured, Trust, Unsecured};
use crate::config::parse::parse;
use crate::path::auth::driver::Secrets;
use crate::sandbox::Secret;
use std::collections::VecDeque;
use std::future::{pending, ready};
use std::io;
use std::net::SocketAddr;

/// No connection comes about.
pub(super) struct Unplugged;

impl Net for Unplugged {
    fn listen(&self, _: SocketAddr) -> io::Result<Box<dyn Listener>> {
        Err(io::ErrorKind::NetworkDown.into())
    }

    fn connect(&self, _: SocketAddr, _: Option<IpAddr>) -> Answer<'_, io::Result<Box<dyn Socket>>> {
        Box::pin(ready(Err(io::ErrorKind::NetworkDown.into())))
    }

    fn is_local(&self, _: IpAddr) -> bool {
        false
    }
}

impl ClientTls for Unplugged {
    fn connect(&self, _: Box<dyn Socket>, _: &str, _: &Trust) -> Answer<'static, Result<Secured, Unsecured>> {
        let why = "there is no connection".to_owned();
        Box::pin(ready(Err(Unsecured { why, failure: TlsFailure::ValidationFailure })))
    }
}

/// A status and a content, or none.
type Saying = Result<(u16, String), HttpFault>;

/// An issuer that says these, one after another, and notes what it was asked.
#[derive(Default)]
pub(super) struct Issuer {
    /// None: it never answers.
    says: Mutex<VecDeque<Option<Saying>>>,
    asked: Mutex<Vec<HttpRequest>>,
}

impl Issuer {
    pub(super) fn says(&self, status: u16, body: impl Into<String>) {
        self.says.lock().expect("whole").push_back(Some(Ok((status, body.into()))));
    }

    pub(super) fn is_away(&self) {
        self.says.lock().expect("whole").push_back(Some(Err(HttpFault::Failed("it is away".to_owned()))));
    }

    pub(super) fn is_silent(&self) {
        self.says.lock().expect("whole").push_back(None);
    }

    pub(super) fn asked(&self) -> Vec<HttpRequest> {
        std::mem::take(&mut *self.asked.lock().expect("whole"))
    }
}

impl HttpClient for Issuer {
    fn fetch(&self, request: HttpRequest) -> Answer<'_, Result<HttpAnswer, HttpFault>> {
        self.asked.lock().expect("whole").push(request);
        let Some(said) = self.says.lock().expect("whole").pop_front().expect("it was not to be asked") else {
            return Box::pin(pending());
        };
        Box::pin(ready(said.map(|(status, body)| HttpAnswer { status, fields: Vec::new(), body: body.into() })))
    }
}

/// A plugin that says these, one after another, and notes what it was asked.
#[derive(Default)]
pub(super) struct Oracle {
    says: Mutex<VecDeque<PasswordAnswer>>,
    asked: Mutex<Vec<PasswordQuestion>>,
}

impl Oracle {
    pub(super) fn says(&self, answer: PasswordAnswer) {
        self.says.lock().expect("whole").push_back(answer);
    }

    pub(super) fn asked(&self) -> Vec<PasswordQuestion> {
        std::mem::take(&mut *self.asked.lock().expect("whole"))
    }
}

impl Policy for Oracle {
    fn has(&self, _: Hook) -> bool {
        false
    }

    fn session(&self, _: SessionInfo) -> Box<dyn SessionPolicy> {
        unreachable!("nobody is served")
    }

    fn route<'a>(&'a self, _: Unplaced<'a>) -> Answer<'a, RouteVerdict> {
        unreachable!("nothing is sent")
    }

    fn pre_send<'a>(&'a self, _: Sendout<'a>) -> Answer<'a, SendVerdict> {
        unreachable!("nothing is sent")
    }

    fn outcome(&self, _: &Attempted) {}

    fn password(&self, question: PasswordQuestion) -> Answer<'_, PasswordAnswer> {
        self.asked.lock().expect("whole").push(question);
        Box::pin(ready(self.says.lock().expect("whole").pop_front().expect("it was not to be asked")))
    }
}

#[derive(Default)]
pub(super) struct Heard(pub(super) Mutex<Vec<String>>);

impl Observe for Heard {
    fn event(&self, event: crate::base::event::Event<'_>) {
        self.0.lock().expect("whole").push(serde_json::to_string(&event).expect("events are data"));
    }
}

pub(super) struct Bench {
    pub(super) stage: Authenticator,
    pub(super) issuer: Arc<Issuer>,
    /// The plugin.
    pub(super) oracle: Arc<Oracle>,
    pub(super) heard: Arc<Heard>,
    pub(super) clock: Arc<StillClock>,
}

/// A stage whose `[auth]` says this.
pub(super) fn bench_of(auth: &str, users: &str) -> Bench {
    let toml = format!(
        "hostname = \"a\"\ndata_dir = \"d\"\nlistener = [{{ name = \"l\", bind = \"127.0.0.1:0\" }}]\n\
         secret = [{{ name = \"s\", env = \"X\" }}]\nauth = {{ {auth} }}\n\
         plugin = [{{ name = \"oracle\", source = \"builtin:hello\", allow = [\"passwords\"] }}]\n\
         tenant = [{{ name = \"acme\", users = [\"*@acme.example\"] }}]\n"
    );
    let config = parse("f", &toml, &[]).unwrap_or_else(|problems| panic!("{problems}"));
    let accounts = Accounts::parse(users.as_bytes(), &Surroundings::of(&config)).expect("it is sound");
    let (issuer, oracle) = (Arc::new(Issuer::default()), Arc::new(Oracle::default()));
    let (heard, clock) = (Arc::new(Heard::default()), Arc::new(StillClock::default()));
    let secret = Arc::new(Secret::new(b"pass".to_vec()).expect("a secret"));
    let stage = Authenticator::new(Parts {
        users: Arc::new(ArcSwap::from_pointee(accounts)),
        secrets: Arc::new(Secrets::from_pointee(vec![("s".into(), secret)])),
        config: watch::Sender::new(Arc::new(config)).subscribe(),
        clock: Arc::<StillClock>::clone(&clock),
        policy: Arc::<Oracle>::clone(&oracle),
        dns: Arc::new(Names::default()),
        http: Arc::<Issuer>::clone(&issuer),
        net: Arc::new(Unplugged),
        tls: Arc::new(Unplugged),
        observe: Arc::<Heard>::clone(&heard),
        fits: Arc::new(Verifier::fits),
    });
    Bench { stage, issuer, oracle, heard, clock }
}

impl Bench {
    pub(super) async fn shows(&self, name: Option<&str>, token: &str) -> Checked {
        self.stage.check(session(), Claim::Token(name.map(Into::into), Hidden::new(token))).await
    }
}
