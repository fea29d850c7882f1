//! What the operator may set.

use mailwright_plugin::Config;
use mailwright_plugin::config::{DomainPattern, Network, Size};
use std::time::Duration;

/// Rate limits.
#[derive(Debug, Config)]
pub struct Config {
    /// The limits. Mail passes where all of them that apply have room.
    #[config(length = 1..=64)]
    pub limits: Vec<Limit>,
    /// Who is under none of them: whoever fits one of these.
    pub exempt: Option<Who>,
    /// The bucket that is granted.
    #[config(default = "rate-limit", length = 1..=64)]
    pub bucket: String,
    /// What is taken is counted as a metric too, not only what is refused.
    #[config(default = false)]
    pub count: bool,
}

/// One limit.
#[derive(Debug, Config)]
pub struct Limit {
    /// Its name, for keys, log and metrics: a to z, 0 to 9 and hyphens.
    #[config(length = 1..=32)]
    pub name: String,
    /// What counts as one: mail that is the same in all of these shares the limit. None: all mail shares it.
    #[config(default)]
    pub by: Vec<Key>,
    /// What is counted.
    pub measure: Measure,
    /// So much in each window. Of bytes, also as "50MiB".
    #[config(range = 1..)]
    pub limit: Size,
    /// The window.
    #[config(default = "1h", range = "1s"..="1d")]
    pub window: Duration,
    /// So much at once; as much as the limit if not said. More lets save up what was not used.
    #[config(range = 1..)]
    pub burst: Option<Size>,
    /// Prefix length of a network in IPv4.
    #[config(default = 24, range = 1..=32)]
    pub prefix_v4: u8,
    /// Prefix length of a network in IPv6.
    #[config(default = 64, range = 1..=128)]
    pub prefix_v6: u8,
    /// Mail as it comes in, or before each attempt on its way out.
    #[config(default = "in")]
    pub at: At,
    /// Whether it refuses, or only says in the log that it would.
    #[config(default = "enforce")]
    pub mode: Mode,
    /// Whom it is for: whoever fits all of these; all if not said.
    #[config(name = "match")]
    pub matching: Option<Who>,
    /// Whom it is not for: whoever fits one of these.
    pub exempt: Option<Who>,
    /// What is said before when to come back.
    #[config(length = 1..=200)]
    pub text: Option<String>,
}

/// What mail has in common that shares a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Key {
    /// The client's address.
    Peer,
    /// Its network.
    Network,
    /// The name that it gives.
    Helo,
    /// The reverse path.
    Sender,
    /// Its domain.
    SenderDomain,
    /// Who it has shown to be.
    User,
    /// Whose mail it is.
    Tenant,
    /// Where it came in.
    Listener,
    /// The recipient.
    Recipient,
    /// Its domain.
    RecipientDomain,
    /// Where it goes: the next hop, as `queue list` names it.
    Site,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Measure {
    /// Connections.
    Connections,
    /// Messages.
    Messages,
    /// Recipients.
    Recipients,
    /// Octets, by begun KiB.
    Bytes,
    /// Recipients that were refused for good.
    FailedRecipients,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum At {
    /// From a client.
    In,
    /// To a next hop.
    Out,
}

/// What becomes of what is too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Mode {
    /// It is refused for now.
    Enforce,
    /// It is logged and counted.
    Warn,
}

/// Conditions.
#[derive(Debug, Config)]
pub struct Who {
    /// Networks of clients.
    #[config(default)]
    pub networks: Vec<Network>,
    /// Listeners.
    #[config(default)]
    pub listeners: Vec<String>,
    /// Users who have shown who they are; "*" is any of them.
    #[config(default)]
    pub users: Vec<String>,
    /// Tenants.
    #[config(default)]
    pub tenants: Vec<String>,
    /// Domains of reverse paths.
    #[config(default)]
    pub sender_domains: Vec<DomainPattern>,
    /// Domains of recipients.
    #[config(default)]
    pub recipient_domains: Vec<DomainPattern>,
    /// Next hops.
    #[config(default)]
    pub sites: Vec<String>,
    /// Tables with the client's address, the user, the reverse path or its domain as a key.
    #[config(default)]
    pub tables: Vec<String>,
}
