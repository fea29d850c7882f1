//! What the operator may set: rules, what sums of scores lead to, and the rules that come with the plugin.

use mailwright_plugin::Config;
use mailwright_plugin::config::{Network, Size};
use std::collections::BTreeMap;

/// The whole configuration.
#[derive(Debug, Config)]
pub struct Settings {
    /// `score`: the scores of all rules that match are added up, and thresholds say what becomes of the sum. `first-match`: the
    /// first rule with an action or a score decides.
    #[config(default = "score")]
    pub mode: Mode,
    /// The operator's rules, asked in their order.
    #[config(default, name = "rule", length = 0..=10000)]
    pub rules: Vec<Rule>,
    /// What sums of scores lead to: of those that are reached, the highest with an action decides.
    #[config(default = thresholds(), name = "threshold", length = 0..=16)]
    pub thresholds: Vec<Threshold>,
    /// The rules that come with the plugin, asked behind the operator's.
    #[config(default = false)]
    pub standard: bool,
    /// Other scores for rules that come with the plugin, by their names; 0 switches one off.
    #[config(default, range = -1000..=1000)]
    pub standard_scores: BTreeMap<String, i32>,
    /// Our own domains; what is below one belongs to it.
    #[config(default, length = 0..=1000)]
    pub own_domains: Vec<String>,
    /// A header field that says which rules matched and with what score. What arrives with such a field loses it.
    #[config(length = 1..=76)]
    pub report_header: Option<String>,
}

/// How rules decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Mode {
    /// By the sum of their scores.
    Score,
    /// The first one does.
    FirstMatch,
}

/// One rule: when it matches, and what comes of it.
#[derive(Debug, Config)]
pub struct Rule {
    /// What the log, the metrics and the reply call it.
    #[config(length = 1..=64)]
    pub name: String,
    /// When it is asked: at `rcpt` for each recipient, with client and envelope alone, or at `data` with the whole message.
    #[config(default = "data")]
    pub at: Stage,
    /// All of these must hold; without any the rule always matches.
    pub when: Option<Box<Conditions>>,
    /// Where all of these hold the rule does not match.
    pub unless: Option<Box<Conditions>>,
    /// What it adds to the message's score.
    #[config(range = -1000..=1000)]
    pub score: Option<i32>,
    /// What becomes of the message; no further rule is asked then.
    pub action: Option<Action>,
    /// What the sender is told when the message is refused.
    #[config(length = 1..=300)]
    pub text: Option<String>,
    /// Tags to set, with their values.
    #[config(default)]
    pub tags: BTreeMap<String, String>,
    /// Header fields to add, with their values.
    #[config(default)]
    pub headers: BTreeMap<String, String>,
    /// Who gets the message in the place of its recipients; no further rule is asked then.
    pub redirect: Option<String>,
}

/// What a score leads to.
#[derive(Debug, Config)]
pub struct Threshold {
    /// The score from which on it counts.
    #[config(range = -1000..=10000)]
    pub score: i32,
    /// What becomes of the message.
    pub action: Option<Action>,
    /// What the sender is told when the message is refused; else what the rule with the highest score says.
    #[config(length = 1..=300)]
    pub text: Option<String>,
    /// Tags to set, with their values.
    #[config(default)]
    pub tags: BTreeMap<String, String>,
    /// Header fields to add, with their values.
    #[config(default)]
    pub headers: BTreeMap<String, String>,
    /// Who gets the message in the place of its recipients.
    pub redirect: Option<String>,
}

/// When a rule is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Stage {
    /// For each recipient.
    Rcpt,
    /// When the message is there.
    Data,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Action {
    /// It is taken, and no plugin behind this one is asked.
    Accept,
    /// This plugin lets it pass; those behind are asked.
    Pass,
    /// Refused for good.
    Reject,
    /// Refused for now.
    Tempfail,
    /// Taken, and held until an operator decides.
    Quarantine,
    /// Taken, and thrown away.
    Discard,
}

/// What a rule looks at: of each list one entry must match, and each condition that is set must hold.
#[derive(Debug, Config)]
pub struct Conditions {
    /// The client's address, as addresses or networks.
    #[config(default)]
    pub peer: Vec<Network>,
    /// The name that the client gave, with `*` and `?`.
    #[config(default)]
    pub helo: Vec<String>,
    /// Who the client showed to be, with `*` and `?`; `*` is anybody who authenticated.
    #[config(default)]
    pub user: Vec<String>,
    /// The reverse path with `*` and `?`; a domain alone means all of it, `<>` is the null sender.
    #[config(default)]
    pub sender: Vec<String>,
    /// One of the recipients, written likewise.
    #[config(default)]
    pub recipient: Vec<String>,
    /// Regular expressions on header fields, by the field's name; `*` is any field, as `Name: value`.
    #[config(default)]
    pub header: BTreeMap<String, Vec<String>>,
    /// Names of header fields, one of which is not there.
    #[config(default)]
    pub missing: Vec<String>,
    /// Results of the server's verification, as `dmarc=fail`, or `dkim=pass example.org` for that domain alone.
    #[config(default)]
    pub result: Vec<String>,
    /// Tables that have the key which is named for them.
    #[config(default)]
    pub table: BTreeMap<String, Key>,
    /// The message is as large, or larger.
    pub size_min: Option<Size>,
    /// There are so many attachments, or more.
    #[config(range = 1..=1000)]
    pub attachments_min: Option<u32>,
    /// One attachment is as this says.
    pub attachment: Option<Box<Attachment>>,
    /// Regular expressions on the text that people read.
    #[config(default)]
    pub body: Vec<String>,
    /// Lists in the DNS that have the client's address, as `list.example`, or `list.example=127.0.0.2` for that answer alone.
    #[config(default)]
    pub dnsbl: Vec<String>,
}

/// What an attachment is like; each condition that is set must hold for the same one.
#[derive(Debug, Config)]
pub struct Attachment {
    /// One of its names, with `*` and `?`.
    #[config(default)]
    pub name: Vec<String>,
    /// Its type, with `*` and `?`, as `image/*`.
    #[config(default, name = "type")]
    pub kind: Vec<String>,
    /// It is as large, or larger.
    pub size_min: Option<Size>,
    /// A name inside of it, if it is a zip archive, with `*` and `?`.
    #[config(default)]
    pub inside: Vec<String>,
}

/// What is looked up in a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Config)]
pub enum Key {
    /// The client's address.
    Peer,
    /// The name that the client gave.
    Helo,
    /// Who the client showed to be.
    User,
    /// The reverse path.
    Sender,
    /// Its domain.
    SenderDomain,
    /// One of the recipients.
    Recipient,
    /// The domain of one of them.
    RecipientDomain,
    /// The author in `From`.
    From,
    /// The author's domain.
    FromDomain,
}

/// What is done where the operator says nothing: a tag from 4 on, held from 6 on, refused from 10 on.
fn thresholds() -> Vec<Threshold> {
    let at = |score, action| Threshold {
        score,
        action,
        text: None,
        tags: BTreeMap::new(),
        headers: BTreeMap::new(),
        redirect: None,
    };
    let tags = BTreeMap::from([("spam".to_owned(), "yes".to_owned())]);
    vec![Threshold { tags, ..at(4, None) }, at(6, Some(Action::Quarantine)), at(10, Some(Action::Reject))]
}
