//! The MTA-STS policies that are known: when one is fetched, how long it counts, when it is fetched again (RFC 8461 3.3,
//! 5.1). Pure: the driver asks and fetches.

use super::sts::{self, Mode, Policy};
use crate::base::time::UnixMillis;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Domains of which something is known. With policies of a usual size this is some megabytes.
pub const DOMAINS_MAX: usize = 10_000;

/// How long a policy that could not be fetched is not asked for again (RFC 8461 3.3 suggests so much).
const AGAIN: Duration = Duration::from_secs(300);

/// How old a policy gets before it is fetched anew without anybody asking, while it lasts longer (RFC 8461 10.2
/// suggests a day): who can keep us from fetching must keep us for as long as it lasts.
const FRESH: Duration = Duration::from_secs(86_400);

/// Policies that are fetched anew at one time.
const REFRESHED_MAX: usize = 50;

/// What the domain's record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Announced {
    /// A policy of this identifier.
    Id(Box<str>),
    /// None, or the name servers did not answer.
    Nothing,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Go on with this policy; none: with none.
    Hold(Option<Arc<Policy>>),
    /// Fetch the policy, and say what came of it.
    Fetch,
}

/// A policy as it is kept over restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    domain: Box<str>,
    id: Box<str>,
    fetched: u64,
    text: String,
}

impl Kept {
    /// What was fetched at that time.
    #[must_use]
    pub fn new(domain: &str, id: &str, policy: &Policy, fetched: UnixMillis) -> Self {
        Self { domain: domain.into(), id: id.into(), fetched: fetched.0, text: policy.text() }
    }

    /// Whose it is.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }
}

/// Policies by domain.
#[derive(Debug, Default)]
pub struct Policies {
    known: HashMap<Box<str>, Known>,
}

#[derive(Debug)]
struct Known {
    held: Option<Held>,
    /// The last time that fetching failed.
    failed: Option<UnixMillis>,
    /// The last time that mail went there.
    used: UnixMillis,
}

#[derive(Debug)]
struct Held {
    id: Box<str>,
    policy: Arc<Policy>,
    fetched: UnixMillis,
}

impl Held {
    fn lasts(&self, now: UnixMillis) -> bool {
        now.since(self.fetched) < self.policy.max_age
    }
}

impl Known {
    /// What mail is held to: a policy that asks for nothing is as good as none.
    fn counting(&self, now: UnixMillis) -> Option<Arc<Policy>> {
        let held = self.held.as_ref().filter(|held| held.lasts(now) && held.policy.mode != Mode::None)?;
        Some(Arc::clone(&held.policy))
    }

    fn may_fetch(&self, now: UnixMillis) -> bool {
        self.failed.is_none_or(|failed| now.since(failed) >= AGAIN)
    }
}

impl Policies {
    /// Mail is to go to this domain, whose record says so.
    pub fn announced(&mut self, domain: &str, announced: &Announced, now: UnixMillis) -> Step {
        let Some(known) = self.known.get_mut(domain) else {
            return if *announced == Announced::Nothing { Step::Hold(None) } else { Step::Fetch };
        };
        known.used = now;
        let is_new = match (announced, &known.held) {
            // RFC 8461 5.1: a record that is gone, or kept from us, takes no policy back.
            (Announced::Nothing, _) => false,
            (Announced::Id(id), Some(held)) => held.id != *id || !held.lasts(now),
            (Announced::Id(_), None) => true,
        };
        if is_new && known.may_fetch(now) { Step::Fetch } else { Step::Hold(known.counting(now)) }
    }

    /// A policy was fetched, or could not be; gives the one that counts now, and whether it was not there before.
    pub fn fetched(
        &mut self,
        domain: &str,
        id: &str,
        fetched: Option<Policy>,
        now: UnixMillis,
    ) -> (Option<Arc<Policy>>, bool) {
        if !self.known.contains_key(domain) {
            self.make_room(now);
        }
        let fresh = || Known { held: None, failed: None, used: now };
        let known = self.known.entry(domain.into()).or_insert_with(fresh);
        let Some(policy) = fetched else {
            // RFC 8461 3.3: what is cached goes on counting.
            known.failed = Some(now);
            return (known.counting(now), false);
        };
        known.failed = None;
        let before = known.held.take();
        let is_new = before.as_ref().is_none_or(|held| *held.policy != policy);
        let policy = match before {
            Some(held) if !is_new => held.policy,
            _ => Arc::new(policy),
        };
        known.held = Some(Held { id: id.into(), policy, fetched: now });
        (known.counting(now), is_new)
    }

    /// Domains whose policies are to be fetched anew, with their identifiers. What has ended is forgotten.
    pub fn due(&mut self, now: UnixMillis) -> Vec<(Box<str>, Box<str>)> {
        self.known.retain(|_, known| known.held.as_ref().map_or_else(|| !known.may_fetch(now), |held| held.lasts(now)));
        let due = self.known.iter().filter_map(|(domain, known)| {
            let held = known.held.as_ref()?;
            let age = now.since(held.fetched);
            // One to which no mail goes any more may end.
            let is_used = now.since(known.used) < held.policy.max_age;
            let is_old = age >= FRESH.min(held.policy.max_age / 2);
            (is_old && is_used && known.may_fetch(now)).then(|| (domain.clone(), held.id.clone()))
        });
        due.take(REFRESHED_MAX).collect()
    }

    /// What lasts.
    #[must_use]
    pub fn kept(&self, now: UnixMillis) -> Vec<Kept> {
        let lasting = self.known.iter().filter_map(|(domain, known)| {
            let held = known.held.as_ref().filter(|held| held.lasts(now))?;
            Some(Kept::new(domain, &held.id, &held.policy, held.fetched))
        });
        lasting.collect()
    }

    /// Takes up what was kept.
    pub fn recall(&mut self, kept: Vec<Kept>, now: UnixMillis) {
        for Kept { domain, id, fetched, text } in kept.into_iter().take(DOMAINS_MAX) {
            let Ok(policy) = sts::policy(text.as_bytes()) else { continue };
            // A clock that was wrong must not make it last for ever.
            let held = Held { id, policy: Arc::new(policy), fetched: UnixMillis(fetched.min(now.0)) };
            if held.lasts(now) {
                self.known.insert(domain, Known { held: Some(held), failed: None, used: now });
            }
        }
    }

    /// The domain that can best be done without goes: one without a policy, or to which no mail went for longest.
    fn make_room(&mut self, now: UnixMillis) {
        if self.known.len() < DOMAINS_MAX {
            return;
        }
        let worth = |known: &Known| (known.held.as_ref().is_some_and(|held| held.lasts(now)), known.used);
        let least = self.known.iter().min_by_key(|(_, known)| worth(known)).map(|(domain, _)| domain.clone());
        least.and_then(|domain| self.known.remove(&domain));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: UnixMillis = UnixMillis(1_700_000_000_000);
    const DAY: u64 = 86_400;

    fn at(seconds: u64) -> UnixMillis {
        START.plus(Duration::from_secs(seconds))
    }

    fn policy(mode: &str, max_age: u64) -> Policy {
        let text = format!("version: STSv1\nmode: {mode}\nmx: mx.example\nmax_age: {max_age}");
        sts::policy(text.as_bytes()).expect("a policy")
    }

    fn id(id: &str) -> Announced {
        Announced::Id(id.into())
    }

    fn with(mode: &str, max_age: u64) -> Policies {
        let mut policies = Policies::default();
        assert_eq!(policies.announced("a.example", &id("1"), START), Step::Fetch);
        let (counting, is_new) = policies.fetched("a.example", "1", Some(policy(mode, max_age)), START);
        assert_eq!((counting.is_some(), is_new), (mode != "none", true));
        policies
    }

    fn holds(policies: &mut Policies, announced: &Announced, now: UnixMillis) -> bool {
        match policies.announced("a.example", announced, now) {
            Step::Hold(policy) => policy.is_some(),
            Step::Fetch => panic!("it is known"),
        }
    }

    #[test]
    fn a_policy_counts_while_it_lasts_whatever_becomes_of_its_record_rfc8461_5_1() {
        let mut policies = with("enforce", 1000);
        assert!(holds(&mut policies, &id("1"), at(999)));
        assert!(holds(&mut policies, &Announced::Nothing, at(999)));
        assert!(!holds(&mut policies, &Announced::Nothing, at(1000)));
        assert_eq!(policies.announced("a.example", &id("1"), at(1000)), Step::Fetch);
        assert_eq!(policies.announced("b.example", &Announced::Nothing, START), Step::Hold(None));
    }

    #[test]
    fn another_id_has_it_fetched_and_a_failure_keeps_the_old_one_rfc8461_3_3() {
        let mut policies = with("enforce", 1000);
        assert_eq!(policies.announced("a.example", &id("2"), at(10)), Step::Fetch);
        assert!(matches!(policies.fetched("a.example", "2", None, at(10)), (Some(_), false)));
        // It is not asked for with every message.
        assert!(holds(&mut policies, &id("2"), at(309)));
        assert_eq!(policies.announced("a.example", &id("2"), at(310)), Step::Fetch);
        // Taken back: mail is held to nothing, and it is not fetched again.
        assert!(matches!(policies.fetched("a.example", "2", Some(policy("none", 1000)), at(310)), (None, true)));
        assert!(!holds(&mut policies, &id("2"), at(311)));
    }

    #[test]
    fn one_that_was_never_had_is_not_waited_for_again_and_again() {
        let mut policies = Policies::default();
        assert_eq!(policies.announced("a.example", &id("1"), START), Step::Fetch);
        assert_eq!(policies.fetched("a.example", "1", None, START), (None, false));
        assert!(!holds(&mut policies, &id("1"), at(299)));
        assert_eq!(policies.announced("a.example", &id("1"), at(300)), Step::Fetch);
        assert!(policies.due(at(300)).is_empty() && policies.known.is_empty());
    }

    #[test]
    fn they_are_fetched_anew_before_they_end_rfc8461_10_2() {
        let mut policies = with("enforce", 10 * DAY);
        assert!(policies.due(at(DAY - 1)).is_empty());
        assert_eq!(policies.due(at(DAY)), [("a.example".into(), "1".into())]);
        policies.fetched("a.example", "1", None, at(DAY));
        assert!(policies.due(at(DAY + 299)).is_empty(), "not at once after a failure");
        let (_, is_new) = policies.fetched("a.example", "1", Some(policy("enforce", 10 * DAY)), at(DAY + 300));
        assert!(!is_new && policies.due(at(2 * DAY)).is_empty());
        // Nobody writes there any more.
        assert!(policies.due(at(10 * DAY)).is_empty());
        assert!(policies.due(at(11 * DAY + 300)).is_empty() && policies.known.is_empty());
        assert_eq!(with("enforce", 1000).due(at(500)).len(), 1);
    }

    #[test]
    fn what_lasts_is_taken_up_after_a_restart() {
        let policies = with("enforce", 1000);
        let kept = serde_json::to_vec(&policies.kept(at(1))).expect("JSON");
        let kept: Vec<Kept> = serde_json::from_slice(&kept).expect("the same");
        let mut again = Policies::default();
        again.recall(kept.clone(), at(999));
        assert!(holds(&mut again, &id("1"), at(999)));
        assert!(!holds(&mut again, &Announced::Nothing, at(1000)), "it is no younger");
        let mut late = Policies::default();
        late.recall(kept.clone(), at(1000));
        assert!(late.known.is_empty() && policies.kept(at(1000)).is_empty());
        // The clock goes back: it lasts its time from now on and no longer.
        let mut back = Policies::default();
        back.recall(kept, UnixMillis(START.0 - 5_000_000));
        assert_eq!(back.kept(UnixMillis(START.0 - 4_000_001)).len(), 1);
        assert!(back.kept(UnixMillis(START.0 - 4_000_000)).is_empty());
    }

    #[test]
    fn there_is_room_for_so_many_domains() {
        let mut policies = with("enforce", 10 * DAY);
        for number in 0..DOMAINS_MAX {
            policies.fetched(&format!("{number}.example"), "1", None, at(1));
        }
        assert_eq!(policies.known.len(), DOMAINS_MAX);
        assert!(policies.known.contains_key("a.example"), "one with a policy stays");
    }
}
