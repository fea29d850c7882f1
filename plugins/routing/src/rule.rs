//! A rule: which mail it is about, and what is to be done with that.

use crate::cap::Cap;
use crate::condition::{Conditions, Splits};
use crate::scene::Scene;
use crate::window::Windows;
use crate::{Stream, Urgency};
use mailwright_plugin::config::Size;
use mailwright_plugin::{Config, Fault};
use std::collections::BTreeMap;
use std::time::Duration;

/// The longest name of what mail belongs to, in octets: the server's.
const CAMPAIGN_BYTES_MAX: usize = 128;

/// A rule. All that it says of the mail must hold; of a list one item is enough.
#[derive(Clone, Debug, Config)]
pub struct Rule {
    /// What metrics call it; `rule-1` for the first if not said.
    #[config(length = 1..=64)]
    pub name: Option<String>,
    /// Recipients: addresses, domains, `*.example.org` for what lies below.
    #[config(default, length = 0..=10000)]
    pub to: Vec<String>,
    /// A `[[table]]` that has the recipient's address or domain; the plugin must be granted it.
    pub to_table: Option<String>,
    /// Senders of the envelope, likewise; `<>` is the null sender.
    #[config(default, length = 0..=10000)]
    pub from: Vec<String>,
    /// A `[[table]]` that has the sender's address or domain; the plugin must be granted it.
    pub from_table: Option<String>,
    /// Whose mail it is.
    #[config(default, length = 0..=1000)]
    pub tenants: Vec<String>,
    /// Header fields and what the first of that name is like; `*` stands for anything.
    #[config(default, length = 0..=32)]
    pub headers: BTreeMap<String, String>,
    /// Tags that other plugins set, likewise.
    #[config(default, length = 0..=32)]
    pub tags: BTreeMap<String, String>,
    /// Messages of this size and larger.
    pub size_min: Option<Size>,
    /// Messages of this size and smaller.
    pub size_max: Option<Size>,
    /// While that window is open.
    pub during: Option<String>,
    /// This share of the mail, always the same.
    #[config(range = 1..=100)]
    pub percent: Option<u32>,
    /// Rules of one split share the mail out among them; a rule without has one of its own.
    #[config(length = 1..=64)]
    pub split: Option<String>,
    /// What goes the same way together: the recipients of a `message`, or all messages to a `recipient`.
    #[config(default = "message")]
    pub split_by: SplitBy,

    /// A stream: what it says counts where the rule says nothing.
    pub stream: Option<String>,
    /// The `[[route]]`.
    pub via: Option<String>,
    /// The `[[pool]]` of source addresses.
    pub pool: Option<String>,
    /// What the mail belongs to.
    #[config(length = 1..=128)]
    pub campaign: Option<String>,
    /// The header field that says what the mail belongs to; `campaign` counts where there is none.
    #[config(length = 1..=76)]
    pub campaign_header: Option<String>,
    /// What goes first.
    pub priority: Option<Urgency>,
    /// The window in which it is sent.
    pub window: Option<String>,
    /// How often one recipient is written to.
    pub cap: Option<String>,
    /// How long it may take from when it may be sent.
    #[config(range = "1s"..="30d")]
    pub expires_after: Option<Duration>,
    /// It is kept until an operator decides, for this reason.
    #[config(length = 1..=200)]
    pub hold: Option<String>,
    /// It bounces with 550 5.7.1 and this text.
    #[config(length = 1..=200)]
    pub refuse: Option<String>,
    /// Whether the rules behind are passed over: `stop`, or `go-on`.
    #[config(default = "stop")]
    pub then: Then,
}

/// What goes the same way together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum SplitBy {
    /// The recipients of a message.
    Message,
    /// The messages to a recipient.
    Recipient,
}

/// What comes behind a rule that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Then {
    /// Nothing.
    Stop,
    /// The next rule that fits says what is not said yet.
    GoOn,
}

/// What rules may name.
pub(crate) struct Known<'a> {
    pub(crate) streams: &'a BTreeMap<String, Stream>,
    pub(crate) windows: &'a Windows,
    pub(crate) caps: &'a [(String, Cap)],
}

impl Known<'_> {
    /// The number of a window.
    pub(crate) fn window(&self, key: &str, name: &str) -> Result<usize, Fault> {
        self.windows.number(name).ok_or_else(|| unknown(key, name, "window", self.windows.names()))
    }

    fn cap(&self, key: &str, name: &str) -> Result<usize, Fault> {
        let found = self.caps.iter().position(|(known, _)| known == name);
        found.ok_or_else(|| unknown(key, name, "cap", self.caps.iter().map(|(name, _)| &**name)))
    }

    fn stream(&self, key: &str, name: &str) -> Result<&Stream, Fault> {
        let names = || self.streams.keys().map(String::as_str);
        self.streams.get(name).ok_or_else(|| unknown(key, name, "stream", names()))
    }
}

fn unknown<'a>(key: &str, name: &str, what: &str, known: impl Iterator<Item = &'a str>) -> Fault {
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    let known = if known.is_empty() {
        format!("there is none, write [plugin.config.{what}s.{name}]")
    } else {
        known.join(", ")
    };
    Fault::InvalidConfig(format!(
        "{key}: there is no {what} \"{name}\"; expected one of those below `{what}s`: {known}"
    ))
}

/// A rule, checked.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) name: String,
    conditions: Conditions,
    way: Stream,
    campaign_header: Option<String>,
    window: Option<usize>,
    cap: Option<usize>,
    expires_after: Option<Duration>,
    hold: Option<String>,
    refuse: Option<String>,
    pub(crate) goes_on: bool,
}

impl Ready {
    /// The rule at that place.
    ///
    /// # Errors
    /// What is wrong with which key.
    pub(crate) fn new(at: usize, mut rule: Rule, known: &Known<'_>, splits: &mut Splits) -> Result<Self, Fault> {
        let key = |key: &str| format!("rules.{at}.{key}");
        if rule.hold.is_some() && rule.refuse.is_some() {
            return Err(Fault::InvalidConfig(format!("{}: it can't be refused and held", key("hold"))));
        }
        let name = rule.name.clone().unwrap_or_else(|| format!("rule-{}", at + 1));
        let stream = match &rule.stream {
            Some(stream) => known.stream(&key("stream"), stream)?.clone(),
            None => Stream::default(),
        };
        Ok(Self {
            conditions: Conditions::new(at, &name, &mut rule, known, splits)?,
            way: Stream {
                via: rule.via.or(stream.via),
                pool: rule.pool.or(stream.pool),
                campaign: rule.campaign.or(stream.campaign),
                priority: rule.priority.or(stream.priority),
            },
            campaign_header: rule.campaign_header,
            window: rule.window.map(|window| known.window(&key("window"), &window)).transpose()?,
            cap: rule.cap.map(|cap| known.cap(&key("cap"), &cap)).transpose()?,
            expires_after: rule.expires_after,
            hold: rule.hold,
            refuse: rule.refuse,
            goes_on: rule.then == Then::GoOn,
            name,
        })
    }

    /// Whether it is about this recipient.
    pub(crate) fn fits(&self, scene: &mut Scene<'_>, windows: &Windows) -> Result<bool, Fault> {
        self.conditions.hold(scene, windows)
    }

    /// What the mail belongs to.
    fn campaign(&self, scene: &mut Scene<'_>) -> Result<Option<String>, Fault> {
        if let Some(name) = &self.campaign_header
            && let Some(value) = scene.header(name)?.map(str::trim).filter(|value| !value.is_empty())
        {
            return Ok(Some(value[..value.floor_char_boundary(CAMPAIGN_BYTES_MAX)].to_owned()));
        }
        Ok(self.way.campaign.clone())
    }
}

/// What the rules that fit came to.
#[derive(Debug, Default)]
pub(crate) struct Way<'r> {
    pub(crate) via: Option<&'r str>,
    pub(crate) pool: Option<&'r str>,
    pub(crate) campaign: Option<String>,
    pub(crate) priority: Option<Urgency>,
    pub(crate) window: Option<usize>,
    pub(crate) cap: Option<usize>,
    pub(crate) expires_after: Option<Duration>,
    pub(crate) hold: Option<&'r str>,
    pub(crate) refuse: Option<&'r str>,
}

impl<'r> Way<'r> {
    /// Takes from a rule what is not said yet.
    pub(crate) fn fill(&mut self, rule: &'r Ready, scene: &mut Scene<'_>) -> Result<(), Fault> {
        self.via = self.via.or(rule.way.via.as_deref());
        self.pool = self.pool.or(rule.way.pool.as_deref());
        if self.campaign.is_none() {
            self.campaign = rule.campaign(scene)?;
        }
        self.priority = self.priority.or(rule.way.priority);
        self.window = self.window.or(rule.window);
        self.cap = self.cap.or(rule.cap);
        self.expires_after = self.expires_after.or(rule.expires_after);
        self.hold = self.hold.or(rule.hold.as_deref());
        self.refuse = self.refuse.or(rule.refuse.as_deref());
        Ok(())
    }

    /// Nothing was said.
    pub(crate) fn is_empty(&self) -> bool {
        let is_placed = self.via.is_some() || self.pool.is_some() || self.campaign.is_some() || self.priority.is_some();
        !(is_placed || self.window.is_some() || self.cap.is_some() || self.expires_after.is_some())
    }
}

/// Milliseconds.
pub(crate) fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
