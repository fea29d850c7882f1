//! A case as its file says it, and what a plugin said to it, in words.

use crate::base::flow::policy::verify::AuthResult;
use crate::base::sasl::Mechanism;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// One case, as its file says it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// Who connects.
    #[serde(default)]
    pub session: Session,
    /// The reverse path; empty is the null sender.
    #[serde(default)]
    pub sender: String,
    /// The forward paths, in their order.
    #[serde(default)]
    pub recipients: Vec<String>,
    /// The message's file, beside the case.
    pub message: Option<String>,
    /// The server answers for the message: its client may relay.
    #[serde(default)]
    pub ours: bool,
    /// What its verification came to, as `[[results]]` with method, outcome, domain and detail.
    #[serde(default)]
    pub results: Vec<AuthResult>,
    /// What becomes of recipients then; each is told.
    #[serde(default)]
    pub outcome: Vec<OutcomeCase>,
    /// What comes back later; each is told.
    #[serde(default)]
    pub feedback: Vec<FeedbackCase>,
    /// Names and passwords that clients show; the plugin is asked about each.
    #[serde(default)]
    pub login: Vec<LoginCase>,
    /// What the public asks at last.
    #[serde(default)]
    pub request: Vec<RequestCase>,
    /// What the plugin is to say; what is not named here is not looked at.
    #[serde(default)]
    pub expect: Told,
}

/// Who connects.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Session {
    /// The client's address and port.
    pub peer: SocketAddr,
    /// The name that it gives.
    pub helo: String,
    /// The listener's name.
    pub listener: String,
    /// The user that it has shown to be.
    pub user: Option<String>,
    /// Recipients that it was refused for good before.
    pub rejected_recipients: u32,
}

/// What became of a recipient.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutcomeCase {
    /// The recipient.
    pub recipient: String,
    /// `delivered`, `deferred` or `bounced` with the reply, as `bounced 550 5.1.1 no such user`; or `expired`, `cancelled`.
    pub became: String,
}

/// What came back.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedbackCase {
    /// Whom the message was sent to.
    pub recipient: String,
    /// `bounce` with a status and words, as `bounce 5.1.1 no such user`; `complaint` with its type, as `complaint abuse`; or
    /// `unsubscribe`.
    pub kind: String,
    /// What the message belonged to.
    pub campaign: Option<String>,
}

/// A name and a password.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoginCase {
    /// The name, as it is compared.
    pub user: String,
    /// The password.
    pub password: String,
    /// `PLAIN` or `LOGIN`.
    #[serde(default = "plain")]
    pub mechanism: String,
    /// Whose user the name is.
    pub tenant: Option<String>,
}

fn plain() -> String {
    Mechanism::Plain.name().to_owned()
}

/// A request to the plugin's public path.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestCase {
    /// As `GET` or `POST`.
    #[serde(default = "get")]
    pub method: String,
    /// What follows the plugin's name; it begins with `/`.
    pub path: String,
    /// What follows the question mark.
    #[serde(default)]
    pub query: String,
    /// Header fields, their names in lower case.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The content.
    #[serde(default)]
    pub body: String,
}

fn get() -> String {
    "GET".to_owned()
}

impl Default for Session {
    fn default() -> Self {
        let peer = SocketAddr::from(([192, 0, 2, 1], 4711));
        let (helo, listener) = ("client.example".to_owned(), "mx".to_owned());
        Self { peer, helo, listener, user: None, rejected_recipients: 0 }
    }
}

/// What the plugin said, hook by hook, in words; nothing for what it was not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Told {
    /// `next`, `accept`, or `tempfail`, `reject` or `disconnect` with the reply, as `reject 550 5.7.1 no`.
    pub connect: Option<String>,
    /// The same.
    pub helo: Option<String>,
    /// The same.
    pub mail: Option<String>,
    /// The same, for each recipient.
    pub rcpt: Option<Vec<String>>,
    /// Also `quarantine REASON` and `discard REASON`.
    pub data: Option<String>,
    /// What it changed, as `add X-A: 1`, `set X-A (0): 1`, `remove X-A (0)`, `sender a@b`, `add recipient a@b`,
    /// `remove recipient a@b`, `tag name: value`, `body of N octets`.
    pub edits: Option<Vec<String>>,
    /// For each recipient of a message that was accepted: `next`, `hold REASON`, `fail` with the reply, or `place` and what
    /// was chosen, as `place via bulk, campaign spring, priority bulk, not before 1000, expires 2000`.
    pub route: Option<Vec<String>>,
    /// The same before its first attempt: `next`, `hold REASON`, `not before 1000`, `fail` with the reply, `discard REASON`,
    /// and what it changed for this recipient, as `next, add X-A: 1`.
    pub pre_send: Option<Vec<String>>,
    /// For each login: `next`, `no`, or `yes` with what is said of the user, as `yes, tenant acme, sender @acme.example`; `no
    /// answer` where the plugin failed or has no `on-password`.
    pub login: Option<Vec<String>>,
    /// For each request: the status and the content, as `200 <p>hello`; `absent` where the plugin has no `on-http`.
    pub request: Option<Vec<String>>,
    /// What it wrote to the log, as `info: words`.
    pub log: Option<Vec<String>>,
    /// Who is on its suppression lists at the end, as `news: ann@example.net complaint`, or
    /// `news of acme: …` on a tenant's own.
    pub suppressed: Option<Vec<String>>,
    /// Its faults, as `rcpt cpu: it used up its time`.
    pub faults: Option<Vec<String>>,
}
