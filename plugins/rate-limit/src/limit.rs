//! A limit that makes sense, and what it says when it is used up.

use crate::config::{self, At, Key, Measure, Mode, Who};
use crate::facts::Facts;
use mailwright_plugin::config::Misfit;
use mailwright_plugin::kv::{Demand, Manner};
use mailwright_plugin::{Address, Fault, Reply};

/// What bytes are counted in: a bucket counts to 2^32.
const KIB: u64 = 1024;

/// One limit.
#[derive(Debug)]
pub(crate) struct Limit {
    pub(crate) name: String,
    by: Vec<Key>,
    pub(crate) measure: Measure,
    limit: u32,
    pub(crate) burst: u32,
    window_ms: u64,
    prefixes: (u8, u8),
    pub(crate) at: At,
    pub(crate) warns: bool,
    matching: Option<Who>,
    exempt: Option<Who>,
    text: String,
    /// Recipients of one message may count apart, or not at all.
    pub(crate) sees_recipients: bool,
    /// Whose mail it is counts, which may become known with the first recipient.
    pub(crate) sees_tenant: bool,
}

impl Limit {
    /// Checks what a type can't say.
    pub(crate) fn new(config: config::Limit) -> Result<Self, Misfit> {
        let fits = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
        if !config.name.bytes().all(fits) {
            return Err(Misfit::new("a name has a to z, 0 to 9 and hyphens").under("name"));
        }
        check_keys(&config)?;
        for (key, who) in [("match", &config.matching), ("exempt", &config.exempt)] {
            let Some(who) = who else { continue };
            check_who(config.at, config.measure, who).map_err(|misfit| misfit.under(key))?;
            check_tables(who).map_err(|misfit| misfit.under(key))?;
        }
        let limit = counted(config.measure, config.limit.0).map_err(|misfit| misfit.under("limit"))?;
        let burst = match config.burst {
            Some(burst) => counted(config.measure, burst.0).map_err(|misfit| misfit.under("burst"))?,
            None => limit,
        };
        let whos = || config.matching.iter().chain(&config.exempt);
        let by_recipient = config.by.iter().any(|key| matches!(key, Key::Recipient | Key::RecipientDomain));
        Ok(Self {
            sees_recipients: by_recipient || whos().any(|who| !who.recipient_domains.is_empty()),
            sees_tenant: config.by.contains(&Key::Tenant) || whos().any(|who| !who.tenants.is_empty()),
            text: config.text.unwrap_or_else(|| too_many(config.measure).to_owned()),
            name: config.name,
            by: config.by,
            measure: config.measure,
            limit,
            burst,
            window_ms: u64::try_from(config.window.as_millis()).unwrap_or(u64::MAX),
            prefixes: (config.prefix_v4, config.prefix_v6),
            at: config.at,
            warns: config.mode == Mode::Warn,
            matching: config.matching,
            exempt: config.exempt,
        })
    }

    /// The key that it counts under; none where it does not apply.
    pub(crate) fn key(&self, facts: &Facts, to: Option<&Address>) -> Result<Option<String>, Fault> {
        if let Some(who) = &self.matching
            && !who.all(facts, to)?
        {
            return Ok(None);
        }
        if let Some(who) = &self.exempt
            && who.any(facts, to)?
        {
            return Ok(None);
        }
        Ok(facts.key(&self.name, &self.by, to, self.prefixes))
    }

    /// What is taken for mail of so many recipients and octets. One that is larger than all of the limit passes when nothing
    /// else was taken, and takes all.
    pub(crate) fn cost(&self, recipients: u32, octets: u64) -> u32 {
        match self.measure {
            Measure::Bytes => u32::try_from(octets.div_ceil(KIB)).unwrap_or(u32::MAX).clamp(1, self.burst),
            Measure::Recipients | Measure::FailedRecipients => recipients,
            Measure::Messages | Measure::Connections => 1,
        }
    }

    pub(crate) fn demand(&self, key: String, cost: u32, manner: Manner) -> Demand {
        Demand::new(key, cost, self.limit, self.window_ms).burst(self.burst).manner(manner)
    }

    /// Another limit with the same pace, from which an hour can be taken ahead: who stands in line takes a place.
    pub(crate) fn line(&self, key: &str, cost: u32) -> Demand {
        let hour = u64::from(self.limit).saturating_mul(3_600_000) / self.window_ms.max(1);
        let burst = u32::try_from(hour).unwrap_or(u32::MAX).max(cost);
        let key = ["line|", key].concat();
        Demand::new(key, cost, self.limit, self.window_ms).burst(burst)
    }

    /// How long what is that far behind in the line waits for its turn, in milliseconds.
    pub(crate) fn turn_ms(&self, ahead: u32) -> u64 {
        u64::from(ahead).saturating_mul(self.window_ms) / u64::from(self.limit.max(1))
    }

    /// 421 where the connection ends, 450 for a mailbox or a message, 452 for what there is no room for (RFC 5321 4.2.3); 4.7.1
    /// (RFC 3463 3.8); and when to come back.
    pub(crate) fn reply(&self, wait_ms: u64) -> Reply {
        let code = match self.measure {
            Measure::Connections | Measure::FailedRecipients => 421,
            Measure::Messages => 450,
            Measure::Recipients if self.sees_recipients => 450,
            Measure::Recipients | Measure::Bytes => 452,
        };
        let seconds = wait_ms.div_ceil(1000).to_string();
        Reply::new(code, &[&self.text, ": come back in ", &seconds, " s"].concat()).status(4, 7, 1)
    }

    /// Whether the connection ends with its refusal.
    pub(crate) fn disconnects(&self) -> bool {
        matches!(self.measure, Measure::Connections | Measure::FailedRecipients)
    }
}

fn too_many(measure: Measure) -> &'static str {
    match measure {
        Measure::Connections => "too many connections",
        Measure::Messages => "too many messages",
        Measure::Recipients => "too many recipients",
        Measure::Bytes => "too much mail",
        Measure::FailedRecipients => "too many wrong recipients",
    }
}

/// A number as the bucket counts it.
fn counted(measure: Measure, number: u64) -> Result<u32, Misfit> {
    let number = if measure == Measure::Bytes { number.div_ceil(KIB) } else { number };
    u32::try_from(number).map_err(|_| Misfit::new("expected at most 4294967295 (of bytes, 4 TiB)"))
}

/// Keys are known where the limit counts.
fn check_keys(config: &config::Limit) -> Result<(), Misfit> {
    let session = &[Key::Peer, Key::Network, Key::Listener, Key::Tenant];
    let failed = &[Key::Peer, Key::Network, Key::Listener, Key::Tenant, Key::Helo, Key::User];
    let out = &[Key::Sender, Key::SenderDomain, Key::Tenant, Key::Recipient, Key::RecipientDomain, Key::Site];
    let (known, words): (&[Key], _) = match (config.at, config.measure) {
        (At::Out, Measure::Connections | Measure::FailedRecipients) => {
            return Err(Misfit::new("at = \"out\" goes with `messages`, `recipients` or `bytes`").under("measure"));
        }
        (At::Out, _) => (
            out,
            "with at = \"out\" it goes by `sender`, `sender-domain`, `tenant`, `recipient`, `recipient-domain`, `site`",
        ),
        (At::In, Measure::Connections) => (session, "connections go by `peer`, `network`, `listener`, `tenant`"),
        (At::In, Measure::FailedRecipients) => {
            (failed, "failed recipients go by `peer`, `network`, `listener`, `tenant`, `helo`, `user`")
        }
        (At::In, _) if config.by.contains(&Key::Site) => {
            return Err(Misfit::new("where mail goes is known on its way out: add at = \"out\"").under("by"));
        }
        (At::In, _) => return Ok(()),
    };
    match config.by.iter().all(|key| known.contains(key)) {
        true => Ok(()),
        false => Err(Misfit::new(words).under("by")),
    }
}

/// So are conditions: one that can't be known would fit nobody.
pub(crate) fn check_who(at: At, measure: Measure, who: &Who) -> Result<(), Misfit> {
    let envelope = at == At::Out || !matches!(measure, Measure::Connections | Measure::FailedRecipients);
    let known = [
        ("networks", who.networks.is_empty() || at == At::In),
        ("listeners", who.listeners.is_empty() || at == At::In),
        ("users", who.users.is_empty() || (at == At::In && measure != Measure::Connections)),
        ("sender_domains", who.sender_domains.is_empty() || envelope),
        ("recipient_domains", who.recipient_domains.is_empty() || envelope),
        ("sites", who.sites.is_empty() || at == At::Out),
    ];
    match known.iter().find(|(_, is_known)| !is_known) {
        None => Ok(()),
        Some((key, _)) => Err(Misfit::new("it is not known where this limit counts").under(key)),
    }
}

/// Tables are granted.
pub(crate) fn check_tables(who: &Who) -> Result<(), Misfit> {
    match who.missing_table() {
        None => Ok(()),
        Some(table) => Err(Misfit::new(["add \"tables:", table, "\" to `allow`"].concat()).under("tables")),
    }
}
