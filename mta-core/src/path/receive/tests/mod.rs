//! Sessions as transcripts: what the client wrote, and what it was answered, on a clock that stands still.

mod auth;
mod limits;
mod policy;
mod protocol;
mod sockets;
mod splits;
mod tls;
mod verification;
mod world;
mod xclient;

use super::session::{Effect, Session};
use crate::base::flow::policy::SessionPolicy;
use crate::base::flow::policy::verify::Verify as _;
use crate::base::flow::spool::Blob;
use crate::base::time::{Now, UnixMillis};
use crate::config::model::Config;
use futures_util::FutureExt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use world::{World, config, mx};

/// A session whose effects are carried out at once.
pub(crate) struct Bench {
    world: World,
    session: Session,
    now: Now,
    policy: Option<Box<dyn SessionPolicy>>,
    blob: Option<Box<dyn Blob>>,
    /// Each write to the client.
    writes: Vec<String>,
    closed: bool,
}

const INSIDE: &str = "192.0.2.7:1234";
const OUTSIDE: &str = "198.51.100.7:1234";

impl Bench {
    /// A session from a client that may relay anywhere.
    pub(crate) fn open() -> Self {
        Self::with(config(), INSIDE)
    }

    /// A session from a client that may send to our own domains alone.
    pub(crate) fn from_outside() -> Self {
        Self::with(config(), OUTSIDE)
    }

    /// Everything that the client was told so far.
    pub(crate) fn heard(&self) -> String {
        self.writes.concat()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// What the spool took: how many recipients, and the content.
    pub(crate) fn kept(&self) -> Vec<(usize, Vec<u8>)> {
        let kept = self.world.spool.kept.lock().expect("no panic");
        kept.iter().map(|kept| (kept.entry.envelope.recipients.len(), kept.content.clone())).collect()
    }

    fn with(config: Config, peer: &str) -> Self {
        Self::in_world(World::new(config), peer)
    }

    fn in_world(world: World, peer: &str) -> Self {
        let now = Now { mono: Instant::now(), wall: UnixMillis(1_700_000_000_000) };
        let peer = peer.parse().expect("an address");
        let listener = Arc::clone(&world.doors.config.borrow().listeners[0]);
        let session = Session::new(Arc::clone(&world.doors), listener, peer, now);
        let mut bench = Self { world, session, now, policy: None, blob: None, writes: Vec::new(), closed: false };
        bench.session.handle_open(now);
        bench.run();
        bench
    }

    /// What the client is answered to these octets, over all writes.
    pub(crate) fn say(&mut self, octets: impl AsRef<[u8]>) -> String {
        let before = self.writes.len();
        self.session.handle_input(octets.as_ref(), self.now);
        self.run();
        self.writes[before..].concat()
    }

    /// EHLO, MAIL and one RCPT.
    fn begin(&mut self) {
        self.say("EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n");
        assert_eq!(self.say("RCPT TO:<x@here.example>\r\n"), "250 2.1.5 recipient ok\r\n");
    }

    /// A whole message; the final answer.
    fn send(&mut self, content: impl AsRef<[u8]>) -> String {
        self.begin();
        assert_eq!(self.say("DATA\r\n"), "354 end with CRLF.CRLF\r\n");
        self.say([content.as_ref(), b".\r\n"].concat())
    }

    /// Time passes.
    pub(crate) fn wait(&mut self, by: Duration) -> String {
        let before = self.writes.len();
        self.now.mono += by;
        self.session.handle_timeout(self.now);
        self.run();
        self.writes[before..].concat()
    }

    fn run(&mut self) {
        while let Some(effect) = self.session.poll() {
            assert!(!self.closed, "nothing comes behind Close: {effect:?}");
            self.act(effect);
        }
    }

    fn act(&mut self, effect: Effect) {
        let (now, session) = (self.now, &mut self.session);
        let policy = self.policy.take();
        let mut policy = policy.unwrap_or_else(|| self.world.doors.policy.session(session.info()));
        match effect {
            Effect::Send(octets) => self.writes.push(String::from_utf8(octets).expect("replies are ASCII")),
            Effect::AskGate => {
                policy.rejected(session.rejected_recipients());
                let asked = session.asked().expect("something is asked about");
                let gate = policy.gate(asked).now_or_never().expect("ready");
                session.handle_gate(gate, now);
            }
            Effect::AskData => {
                let submission = session.submission().expect("a message is asked about");
                let verdict = policy.data(submission).now_or_never().expect("ready");
                session.handle_data_verdict(verdict, now);
            }
            // What happens to the handshake is the test's to say; one that nothing is said of goes on.
            Effect::StartTls => match self.world.tls.answer.lock().expect("no panic").clone() {
                Some(Ok(info)) => session.handle_secured(info, now),
                Some(Err(why)) => session.handle_unsecured(&why, now),
                None => {}
            },
            Effect::Secured => policy.secured(session.tls().expect("it is protected")),
            Effect::Renewed { rejected } => {
                policy.rejected(rejected);
                policy.disconnected();
                policy = self.world.doors.policy.session(session.info());
            }
            Effect::CheckClaim => {
                let claim = session.claim().expect("something is shown");
                let checked = self.world.doors.auth.check(session.info(), claim);
                session.handle_checked(checked.now_or_never().expect("ready"), now);
            }
            Effect::Authenticated => policy.authenticated(session.user().expect("a user")),
            Effect::Verify => {
                let incoming = session.incoming().expect("a message is verified");
                let verified = self.world.verify.verify(incoming).now_or_never().expect("ready");
                session.handle_verified(verified, now);
            }
            Effect::Named => policy.named(session.helo().expect("a name")),
            Effect::TransactionEnded => policy.transaction_ended(),
            Effect::OpenBlob(_) => match self.world.spool.open() {
                Ok(blob) => self.blob = Some(blob),
                Err(fault) => session.handle_spool_fault(fault, now),
            },
            Effect::Spill(octets) => {
                if let Some(blob) = &mut self.blob {
                    blob.write(octets).now_or_never().expect("ready").expect("written");
                }
            }
            Effect::FinishBlob(head) => {
                if let Some(blob) = self.blob.take() {
                    session.handle_blob_finished(blob.finish(head).now_or_never().expect("ready"), now);
                }
            }
            Effect::DropBlob => self.blob = None,
            Effect::Offer(offer) => {
                let committed = self.world.spool.take(*offer);
                session.handle_committed(committed, now);
            }
            Effect::Close { .. } => self.closed = true,
        }
        self.policy = Some(policy);
    }
}
