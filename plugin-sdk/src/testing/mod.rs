//! The server's stand-in for native tests: a scene that the test sets and that the host functions act on.
//!
//! Each test thread has its own scene. It grants everything; what the server refuses for want of a grant is not shown.

use crate::bindings::mailwright::plugin::{delivery, kv, message, session};
use crate::log::Level;
use crate::session::Note;
use crate::suppression::Reason;
use crate::{Address, Credentials, Feedback, FeedbackKind, Priority};
use std::cell::RefCell;
use std::collections::BTreeMap;

pub(crate) mod backend;
pub(crate) mod clock;
mod mailboxes;
mod network;
pub(crate) mod patterns;
mod supplies;

pub use network::{Dns, Submitted, Web};

/// What the hooks see, and what they did.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// The session; none answers `NotHere`.
    pub session: Option<session::Info>,
    /// How TLS protects it; none: it is in clear.
    pub tls: Option<session::TlsInfo>,
    /// The message; none answers `NotHere`.
    pub message: Option<Message>,
    /// The recipient on its way out; none answers `NotHere`.
    pub delivery: Option<delivery::Info>,
    /// What `delivery::unsubscribe_uri` answers for it; none: the server takes no feedback.
    pub unsubscribe_uri: Option<String>,
    /// Notes of the session.
    pub notes: BTreeMap<String, Note>,
    /// Recipients that the client was refused for good in the session.
    pub rejected_recipients: u32,
    /// Hooks that `configure` asked to be skipped, in its order.
    pub skipped: Vec<crate::setup::Hook>,
    /// Outcomes that it asked not to be told of, in its order.
    pub skipped_outcomes: Vec<crate::setup::OutcomeKind>,
    /// Values by bucket and key.
    pub kv: BTreeMap<(String, String), kv::Entry>,
    /// What `take` keeps by bucket and key: the time in milliseconds at which the limit is whole again.
    pub limits: BTreeMap<(String, String), f64>,
    /// Secrets by name.
    pub secrets: BTreeMap<String, Vec<u8>>,
    /// Tables by name, with their values by key.
    pub tables: BTreeMap<String, BTreeMap<String, String>>,
    /// The tenants of the configuration.
    pub tenants: Vec<String>,
    /// Whom a request or a tick acts for.
    pub acting_for: Option<String>,
    /// Suppression lists by scope, with the reasons by address, in lower case. While the plugin acts for a tenant, that
    /// one's scope is `tenant/scope`.
    pub suppression: BTreeMap<String, BTreeMap<String, Reason>>,
    /// Names that can be looked up.
    pub dns: Dns,
    /// Servers that answer requests.
    pub web: Web,
    /// Mail that the plugin sent.
    pub submitted: Vec<Submitted>,
    /// What sending mail answers instead, if anything.
    pub submit_error: Option<crate::submit::Error>,
    /// What the next random octets are made of: the same number gives the same octets.
    pub random: u64,
    /// The clock.
    pub now_ms: u64,
    /// Time zones by name, with how far each is before UTC, in seconds; UTC is there without.
    pub zones: BTreeMap<String, i32>,
    /// Log lines written.
    pub log: Vec<(Level, String)>,
    /// What was counted, in its order.
    pub metrics: Vec<Metric>,
}

/// A sample of the plugin's own metrics.
#[derive(Clone, Debug, PartialEq)]
pub enum Metric {
    /// `add`: name, labels and how many more.
    Added(String, Vec<(String, String)>, i64),
    /// `observe`: name, labels and the value.
    Observed(String, Vec<(String, String)>, f64),
}

/// A message on the stage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The reverse path.
    pub sender: Option<Address>,
    /// The recipients.
    pub recipients: Vec<Address>,
    /// Header fields from the top; edits change them here.
    pub headers: Vec<(String, String)>,
    /// The octets behind the header section.
    pub body: Vec<u8>,
    /// What `parts` tells, each with its decoded octets: there is no MIME parser here. Without any, the body is the one
    /// part.
    pub parts: Vec<(message::Part, Vec<u8>)>,
    /// Further names that parts go by, with their ids; those of `parts` need not be said again.
    pub other_names: Vec<(u32, String)>,
    /// The body that the plugin wrote. Until its hook returns, it reads the old one.
    pub new_body: Option<Vec<u8>>,
    /// What the server's verification came to.
    pub auth_results: Vec<message::AuthResult>,
    /// The keys that will sign it; none: a stranger sent it.
    pub signers: Option<Vec<message::Signer>>,
    /// What the ways to its recipients want of TLS.
    pub tls_to: Option<message::OutgoingTls>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

thread_local! {
    static SCENE: RefCell<Scene> = RefCell::new(Scene::default());
}

/// Sets or reads the scene of this thread.
pub fn scene<T>(look: impl FnOnce(&mut Scene) -> T) -> T {
    SCENE.with_borrow_mut(look)
}

/// A session as most tests want it.
#[must_use]
pub fn session(peer_ip: &str) -> session::Info {
    session::Info {
        id: "test".to_owned(),
        listener: "mx".to_owned(),
        tenant: None,
        peer_ip: peer_ip.to_owned(),
        helo: None,
        tls_version: None,
        auth_user: None,
    }
}

/// A result of the server's verification, as `auth_result("spf", "pass", "example.org")`.
#[must_use]
pub fn auth_result(method: &str, outcome: &str, domain: &str) -> message::AuthResult {
    message::AuthResult {
        method: method.to_owned(),
        outcome: outcome.to_owned(),
        domain: Some(domain.to_owned()),
        detail: String::new(),
    }
}

/// A name and a password as `on_password` is asked about them, that came by PLAIN.
#[must_use]
pub fn credentials(user: &str, password: &str) -> Credentials {
    Credentials { mechanism: "PLAIN".to_owned(), user: user.to_owned(), password: password.to_owned() }
}

/// A recipient on its way out as most tests want it: just queued, before its first attempt.
#[must_use]
pub fn delivery(recipient: &str) -> delivery::Info {
    let (local, domain) = recipient.rsplit_once('@').unwrap_or((recipient, ""));
    delivery::Info {
        queue_id: "test".to_owned(),
        recipient: Address::new(local, domain),
        tenant: None,
        campaign: None,
        priority: Priority::Normal,
        attempt: 1,
        queued_ms: 0,
        last_reply: None,
        site: None,
    }
}

/// What came back about a message to a recipient, as `on_feedback` is told.
#[must_use]
pub fn feedback(kind: FeedbackKind, recipient: &str) -> Feedback {
    let recipient = delivery(recipient).recipient;
    Feedback { kind, queue_id: "test".to_owned(), recipient, tenant: None, campaign: None }
}
