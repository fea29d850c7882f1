//! How others see the author's domain and our addresses: DKIM, SPF, their alignment, DMARC and reverse DNS.
//!
//! What the DNS said is kept in the bucket for a while, since the messages of a campaign ask the same. What it did not say is
//! no finding: nobody can help it, and the next message asks again.

use crate::check::{Action, Actions, Check, Finding};
use crate::names::{is_within, tag, walk};
use mailwright_plugin::kv::Bucket;
use mailwright_plugin::{Address, Fault, dns, message, metrics};
use std::net::IpAddr;
use std::time::Duration;

/// The bucket; the plugin must be granted it.
const BUCKET: Bucket<'static> = Bucket("compliance");
/// Names of an address that are looked at (RFC 8601 3).
const NAMES_MAX: usize = 10;

/// Where our mail comes from, and how long answers are kept.
#[derive(Debug)]
pub(crate) struct Standing {
    addresses: Vec<String>,
    cache_ms: u64,
}

/// What a domain publishes of DMARC.
#[derive(Debug, PartialEq, Eq)]
struct Policy {
    /// The domain that all of whose names are one sender's.
    organization: String,
    strict_dkim: bool,
    strict_spf: bool,
}

impl Standing {
    /// # Errors
    /// What is no address; the bucket is not granted.
    pub(crate) fn new(addresses: Vec<String>, cache: Duration) -> Result<Self, Fault> {
        if let Some(wrong) = addresses.iter().find(|text| text.parse::<IpAddr>().is_err()) {
            let words = "is no IP address: expected one as \"192.0.2.25\" or \"2001:db8::25\"";
            return Err(Fault::InvalidConfig(format!("addresses: \"{wrong}\" {words}")));
        }
        if BUCKET.get("").is_err() {
            return Err(Fault::InvalidConfig("add \"kv:compliance\" to the plugin's `allow`".to_owned()));
        }
        Ok(Self { addresses, cache_ms: u64::try_from(cache.as_millis()).unwrap_or(u64::MAX) })
    }

    /// All that is wrong with how others see it.
    pub(crate) fn check(
        &self,
        author: &str,
        sender: Option<&Address>,
        signers: &[message::Signer],
        actions: &Actions,
        findings: &mut Vec<Finding>,
    ) -> Result<(), Fault> {
        let wanted = |check| actions.of(check) != Action::Off;
        let is_aligned_wanted = wanted(Check::Alignment);
        let policy = match wanted(Check::Dmarc) || is_aligned_wanted || wanted(Check::Dkim) {
            true => self.policy(author)?,
            false => None,
        };
        if let Some(None) = &policy {
            let words = format!(
                "{author} has no DMARC policy: publish a TXT record at _dmarc.{author}, at least \"v=DMARC1; p=none\""
            );
            findings.push(Finding::new(Check::Dmarc, words));
        }
        let policy = policy.flatten();
        let is_signed = signed(author, signers, policy.as_ref());
        if !is_signed {
            let words = match signers.first() {
                None => format!("nobody here signs for {author}: have a DKIM key made for it, and publish its record"),
                Some(signer) => format!(
                    "{author} wants signatures of its own name (adkim=s), and {} signs: have a DKIM key made for {author}",
                    signer.domain
                ),
            };
            findings.push(Finding::new(Check::Dkim, words));
        }
        let spf = match sender {
            Some(sender) if wanted(Check::Spf) => self.spf(sender)?,
            _ => Some(None),
        };
        if let Some(Some(words)) = &spf {
            findings.push(Finding::new(Check::Spf, words.clone()));
        }
        if is_aligned_wanted && !is_signed {
            let is_aligned = sender.is_some_and(|sender| aligned(author, &sender.domain, policy.as_ref()));
            // Without addresses nobody knows what SPF says: its domain is what counts.
            if !is_aligned || matches!(spf, Some(Some(_))) {
                let words =
                    format!("neither DKIM nor SPF speaks for {author}: sign for it, or send from an address below it");
                findings.push(Finding::new(Check::Alignment, words));
            }
        }
        if wanted(Check::Rdns) {
            self.rdns(findings)?;
        }
        Ok(())
    }

    /// What is kept, or what is found out now; none where the DNS did not say.
    fn kept(
        &self,
        key: &str,
        ask: impl FnOnce() -> Result<Option<String>, dns::Error>,
    ) -> Result<Option<String>, Fault> {
        if let Some(entry) = BUCKET.get(key)? {
            return Ok(Some(String::from_utf8_lossy(&entry.value).into_owned()));
        }
        match ask() {
            Ok(Some(answer)) => {
                // A full bucket costs look-ups, and no mail.
                let _ = BUCKET.set(key, answer.as_bytes(), Some(self.cache_ms));
                Ok(Some(answer))
            }
            Ok(None) | Err(_) => {
                metrics::add("unknown", &[], 1);
                Ok(None)
            }
        }
    }

    /// The policy of a domain, or that there is none; none where that is not known.
    fn policy(&self, author: &str) -> Result<Option<Option<Policy>>, Fault> {
        let kept = self.kept(&format!("dmarc {author}"), || published(author).map(Some))?;
        Ok(kept.map(|text| {
            let mut parts = text.split(' ');
            let organization = parts.next().filter(|name| !name.is_empty())?.to_owned();
            let rest: Vec<&str> = parts.collect();
            Some(Policy { organization, strict_dkim: rest.contains(&"dkim"), strict_spf: rest.contains(&"spf") })
        }))
    }

    /// What is wrong with a sender's SPF, if anything; none where that is not known.
    fn spf(&self, sender: &Address) -> Result<Option<Option<String>>, Fault> {
        let domain = sender.domain.to_ascii_lowercase();
        let mut is_known = true;
        for ip in &self.addresses {
            let ask = || match dns::spf(ip, sender)?.as_str() {
                "temperror" => Ok(None),
                outcome => Ok(Some(outcome.to_owned())),
            };
            match self.kept(&format!("spf {ip} {domain}"), ask)?.as_deref() {
                None => is_known = false,
                Some("pass") => {}
                Some("none") => {
                    return Ok(Some(Some(format!("{domain} has no SPF record: publish one that allows {ip}"))));
                }
                Some("permerror") => {
                    return Ok(Some(Some(format!("the SPF record of {domain} can't be understood: mend it"))));
                }
                Some(outcome) => {
                    let words = format!("the SPF record of {domain} does not allow {ip} ({outcome}): add it");
                    return Ok(Some(Some(words)));
                }
            }
        }
        Ok(is_known.then_some(None))
    }

    /// Each address has a name that has the address (RFC 8601 3).
    fn rdns(&self, findings: &mut Vec<Finding>) -> Result<(), Fault> {
        for ip in &self.addresses {
            let said = self.kept(&format!("rdns {ip}"), || has_name(ip).map(|found| Some(found.to_string())))?;
            if said.as_deref() == Some("false") {
                let words = format!("{ip} has no name that leads back to it: have its provider set the reverse DNS");
                findings.push(Finding::new(Check::Rdns, words));
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whether our signature speaks for the author's domain (RFC 9989 4.4.1).
fn signed(author: &str, signers: &[message::Signer], policy: Option<&Policy>) -> bool {
    let is_strict = policy.is_some_and(|policy| policy.strict_dkim);
    signers.iter().any(|signer| match is_strict {
        true => signer.domain == author,
        false => is_within(author, &signer.domain) || is_within(&signer.domain, author),
    })
}

/// Whether the sender's domain speaks for the author's (RFC 9989 4.4.2).
fn aligned(author: &str, sender: &str, policy: Option<&Policy>) -> bool {
    let sender = sender.to_ascii_lowercase();
    match policy {
        Some(policy) if policy.strict_spf => sender == author,
        Some(policy) => is_within(&sender, &policy.organization),
        None => is_within(&sender, author) || is_within(author, &sender),
    }
}

/// The organization of a domain and which of its alignments are strict, by the records on the way up (RFC 9989 4.10);
/// empty where there is none.
fn published(author: &str) -> Result<String, dns::Error> {
    let mut found: Option<(String, String)> = None;
    for name in walk(author) {
        let texts = match dns::txt(&format!("_dmarc.{name}")) {
            Ok(texts) => texts,
            Err(dns::Error::Nxdomain | dns::Error::NoData) => continue,
            Err(error) => return Err(error),
        };
        let mut records = texts.iter().filter_map(|text| std::str::from_utf8(text).ok());
        let is_policy = |text: &&str| tag(text, "v").is_some_and(|version| version == "DMARC1");
        let Some(record) = records.find(is_policy) else { continue };
        let strict = |name| tag(record, name).is_some_and(|value| value.eq_ignore_ascii_case("s"));
        let mut how = String::new();
        for (name, word) in [("adkim", " dkim"), ("aspf", " spf")] {
            if strict(name) {
                how.push_str(word);
            }
        }
        let (_, how) = found.take().unwrap_or((String::new(), how));
        found = Some((name.to_owned(), how));
        // Whoever says so is the top of an organization.
        if tag(record, "psd").is_some_and(|value| value.eq_ignore_ascii_case("n")) {
            break;
        }
    }
    Ok(found.map(|(organization, how)| organization + &how).unwrap_or_default())
}

/// Whether the address has a name that has the address.
fn has_name(ip: &str) -> Result<bool, dns::Error> {
    let absent = |error: dns::Error| match error {
        dns::Error::Nxdomain | dns::Error::NoData => Ok(Vec::new()),
        error => Err(error),
    };
    let wanted: Option<IpAddr> = ip.parse().ok();
    for name in dns::ptr(ip).or_else(absent)?.iter().take(NAMES_MAX) {
        let found = if wanted.is_some_and(|ip| ip.is_ipv4()) { dns::a(name) } else { dns::aaaa(name) };
        if found.or_else(absent)?.iter().any(|address| address.parse().ok() == wanted) {
            return Ok(true);
        }
    }
    Ok(false)
}
