//! The two texts of MTA-STS: the record by which a domain announces its policy, and the policy (RFC 8461 3).

use crate::base::flow::tls_result::PolicyFound;
use std::sync::Arc;
use std::time::Duration;

/// Octets of a policy (RFC 8461 3.3 suggests this).
pub const POLICY_BYTES_MAX: usize = 64 * 1024;

/// Patterns of hosts in a policy. What is kept of all policies is so bounded.
pub const HOSTS_MAX: usize = 100;

/// The longest that a policy may be kept (RFC 8461 3.2): about a year.
const AGE_MAX: u64 = 31_557_600;

/// What begins a record of ours; texts of others may lie at the same name.
const BEGIN: &str = "v=STSv1;";

/// Octets of an identifier (RFC 8461 3.1).
const ID_BYTES_MAX: usize = 32;

/// What a policy wants of those who send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// No mail to hosts that don't show who they are.
    Enforce,
    /// Mail in any case; failures are told.
    Testing,
    /// Nothing any more.
    None,
}

impl Mode {
    /// As in the policy.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Testing => "testing",
            Self::None => "none",
        }
    }
}

/// A domain's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// What it wants.
    pub mode: Mode,
    /// How long it may be kept.
    pub max_age: Duration,
    /// The hosts that are the domain's, in lower case; `*.` stands for one label.
    pub hosts: Arc<[Box<str>]>,
    /// Its lines, of those that mean something.
    lines: Arc<[Box<str>]>,
}

impl Policy {
    /// Whether a host is one of those that the policy names (RFC 8461 4.1).
    #[must_use]
    pub fn names(&self, host: &str) -> bool {
        self.hosts.iter().any(|pattern| match pattern.strip_prefix("*.") {
            Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent)),
            None => host.eq_ignore_ascii_case(pattern),
        })
    }

    /// As reports to the domain show it.
    #[must_use]
    pub fn found(&self) -> PolicyFound {
        PolicyFound::Sts { lines: Arc::clone(&self.lines), hosts: Arc::clone(&self.hosts) }
    }

    /// As a server would serve it: what is kept of it.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// The identifier of the policy that these texts announce (RFC 8461 3.1); none where there is not exactly one record that
/// can be read: then there is no policy.
#[must_use]
pub fn announced(texts: &[Vec<u8>]) -> Option<Box<str>> {
    let mut ours = texts.iter().filter(|text| text.starts_with(BEGIN.as_bytes()));
    let (Some(text), None) = (ours.next(), ours.next()) else { return None };
    let rest = std::str::from_utf8(text).ok()?.strip_prefix(BEGIN)?;
    let mut id = None;
    let mut fields = rest.split(';').map(|field| field.trim_matches([' ', '\t'])).peekable();
    while let Some(field) = fields.next() {
        // The last delimiter may end the record.
        if field.is_empty() && fields.peek().is_none() {
            break;
        }
        let (name, value) = field.split_once('=')?;
        if !is_name(name) || !is_value(value) {
            return None;
        }
        if name == "id" && id.is_none() {
            let fits = value.len() <= ID_BYTES_MAX && value.bytes().all(|octet| octet.is_ascii_alphanumeric());
            id = Some(fits.then(|| value.into())?);
        }
    }
    id
}

/// The name of an extension.
fn is_name(text: &str) -> bool {
    let inner = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.');
    (1..=32).contains(&text.len())
        && text.bytes().all(inner)
        && text.bytes().next().is_some_and(|octet| octet.is_ascii_alphanumeric())
}

/// The value of an extension.
fn is_value(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_graphic() && !matches!(octet, b';' | b'='))
}

/// Reads a policy (RFC 8461 3.2). Fields that are not known are passed over; of those that may be there once, the first
/// counts.
///
/// # Errors
/// In words, why it is none.
pub fn policy(octets: &[u8]) -> Result<Policy, &'static str> {
    let text = std::str::from_utf8(octets).map_err(|_| "it is not UTF-8")?;
    let (mut version, mut mode, mut max_age) = (None, None, None);
    let (mut hosts, mut lines): (Vec<Box<str>>, Vec<Box<str>>) = (Vec::new(), Vec::new());
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line).trim_end_matches([' ', '\t']);
        if line.is_empty() {
            continue;
        }
        let (name, value) = line.split_once(':').ok_or("a line has no colon")?;
        let value = value.trim_start_matches([' ', '\t']);
        match name {
            "version" if version.is_none() => version = Some(value),
            "mode" if mode.is_none() => mode = Some(mode_of(value)?),
            "max_age" if max_age.is_none() => max_age = Some(age(value)?),
            "mx" if hosts.len() == HOSTS_MAX => return Err("it names more than 100 hosts"),
            "mx" => hosts.push(pattern(value)?),
            _ => continue,
        }
        lines.push(line.into());
    }
    if version != Some("STSv1") {
        return Err("its version is not STSv1");
    }
    let mode = mode.ok_or("it has no mode")?;
    let max_age = max_age.ok_or("it has no max_age")?;
    if hosts.is_empty() && mode != Mode::None {
        return Err("it names no host");
    }
    Ok(Policy { mode, max_age, hosts: hosts.into(), lines: lines.into() })
}

fn mode_of(text: &str) -> Result<Mode, &'static str> {
    let modes = [Mode::Enforce, Mode::Testing, Mode::None];
    modes.into_iter().find(|mode| mode.name() == text).ok_or("its mode is none that there is")
}

fn age(text: &str) -> Result<Duration, &'static str> {
    let is_number = (1..=10).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| is_number).ok_or("its max_age is no number of seconds")?;
    Ok(Duration::from_secs(AGE_MAX.min(seconds)))
}

fn pattern(text: &str) -> Result<Box<str>, &'static str> {
    let host = text.strip_prefix("*.").unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    let fits = text.len() <= 255 && host.split('.').all(is_label);
    if fits { Ok(text.to_ascii_lowercase().into()) } else { Err("an mx is no name of a host") }
}

#[cfg(test)]
#[path = "sts_tests.rs"]
mod tests;
