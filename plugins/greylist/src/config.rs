//! What the operator may set.

use mailwright_plugin::Config;
use mailwright_plugin::config::{DomainPattern, Network};
use std::time::Duration;

/// Greylisting.
#[derive(Debug, Config)]
pub struct Config {
    /// How long somebody new waits.
    #[config(default = "5m", range = "1s"..="1d")]
    pub delay: Duration,
    /// Who comes back later than this is new again.
    #[config(default = "2d", range = "1m"..="30d")]
    pub window: Duration,
    /// How long one that came back is known, counted from its last mail.
    #[config(default = "35d", range = "1h"..="365d")]
    pub lifetime: Duration,
    /// What of the sender belongs to the triple.
    #[config(default = "address")]
    pub sender: Part,
    /// What of the recipient belongs to the triple.
    #[config(default = "address")]
    pub recipient: Part,
    /// Prefix length of a network in IPv4: all of it counts as one client.
    #[config(default = 24, range = 8..=32)]
    pub prefix_v4: u8,
    /// Prefix length of a network in IPv6.
    #[config(default = 64, range = 16..=128)]
    pub prefix_v6: u8,
    /// A network from which so many new senders came back waits no more; 0: never.
    #[config(default = 5, range = 0..=1_000_000)]
    pub allow_after: u32,
    /// Domains whose mail waits only if neither SPF nor DKIM shows that it is theirs: it is decided when the data is there.
    #[config(default)]
    pub verified: Vec<DomainPattern>,
    /// Who never waits. Users who have shown who they are never do.
    pub exempt: Option<Exempt>,
    /// Whether it refuses, or only says in the log that it would.
    #[config(default = "enforce")]
    pub mode: Mode,
    /// What is said before when to come back.
    #[config(default = "you are new here", length = 1..=200)]
    pub text: String,
    /// The bucket that is granted.
    #[config(default = "greylist", length = 1..=64)]
    pub bucket: String,
}

/// What of an address counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Part {
    /// All of it.
    Address,
    /// Its domain.
    Domain,
    /// Nothing.
    None,
}

/// What becomes of who is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Mode {
    /// It is refused for now.
    Enforce,
    /// It is logged and counted.
    Warn,
}

/// Who never waits: whoever fits one of these.
#[derive(Debug, Default, Config)]
pub struct Exempt {
    /// Networks of clients.
    #[config(default)]
    pub networks: Vec<Network>,
    /// Listeners.
    #[config(default)]
    pub listeners: Vec<String>,
    /// Tenants.
    #[config(default)]
    pub tenants: Vec<String>,
    /// Domains of reverse paths.
    #[config(default)]
    pub sender_domains: Vec<DomainPattern>,
    /// Domains of recipients.
    #[config(default)]
    pub recipient_domains: Vec<DomainPattern>,
    /// Tables with the client's address, the reverse path, its domain, or the recipient as a key.
    #[config(default)]
    pub tables: Vec<String>,
}
