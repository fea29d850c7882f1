//! The rules, compiled: what the operator wrote, with the standard ones behind.

pub(crate) mod pattern;
pub(crate) mod subjects;
pub(crate) mod test;

use crate::config::{self, Action, Conditions, Mode, Settings, Stage};
use crate::facts::Facts;
use crate::standard;
use mailwright_plugin::{Address, Fault};
use std::collections::{BTreeMap, BTreeSet};
use subjects::{Gathering, Sets};
use test::Test;

/// All rules, and what they are compared with.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) mode: Mode,
    /// Asked at RCPT.
    pub(crate) early: Vec<Rule>,
    /// Asked at the end of data.
    pub(crate) late: Vec<Rule>,
    /// By rising score.
    pub(crate) thresholds: Vec<Threshold>,
    pub(crate) sets: Sets,
    /// Our own domains, in lower case.
    pub(crate) own_domains: Vec<String>,
    pub(crate) report_header: Option<String>,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    when: Vec<Test>,
    unless: Vec<Test>,
    pub(crate) score: i32,
    pub(crate) effect: Effect,
}

/// From which score on something happens.
#[derive(Debug)]
pub(crate) struct Threshold {
    pub(crate) score: i32,
    pub(crate) effect: Effect,
}

/// What comes of a rule or a threshold.
#[derive(Debug, Default)]
pub(crate) struct Effect {
    pub(crate) action: Option<Action>,
    pub(crate) text: Option<String>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) redirect: Option<Address>,
}

impl Rule {
    /// Whether it matches.
    pub(crate) fn matches(&self, facts: &mut Facts<'_>) -> Result<bool, Fault> {
        Ok(all(&self.when, facts)? && (self.unless.is_empty() || !all(&self.unless, facts)?))
    }

    /// The tables that it looks things up in.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &str> {
        self.when.iter().chain(&self.unless).flat_map(Test::tables)
    }

    /// A rule that comes with the plugin.
    pub(crate) fn standard(name: &str, test: Test, score: i32, text: &str) -> Self {
        let effect = Effect { text: Some(text.to_owned()), ..Effect::default() };
        Self { name: name.to_owned(), when: vec![test], unless: Vec::new(), score, effect }
    }
}

fn all(tests: &[Test], facts: &mut Facts<'_>) -> Result<bool, Fault> {
    for test in tests {
        if !test.holds(facts)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Effect {
    /// No further rule is asked.
    pub(crate) fn decides(&self) -> bool {
        self.action.is_some() || self.redirect.is_some()
    }

    fn new(
        action: Option<Action>,
        text: Option<String>,
        tags: BTreeMap<String, String>,
        headers: BTreeMap<String, String>,
        redirect: Option<&str>,
    ) -> Result<Self, String> {
        let to = |text: &str| match text.rsplit_once('@') {
            Some((local, domain)) if !local.is_empty() && !domain.is_empty() => Ok(Address::new(local, domain)),
            _ => Err(format!("redirect: \"{text}\" is no address")),
        };
        let redirect = redirect.map(to).transpose()?;
        if redirect.is_some() && action.is_some_and(|action| action != Action::Accept && action != Action::Pass) {
            return Err("redirect: the message is to go somewhere, and its action says that it does not".to_owned());
        }
        let (tags, headers) = (tags.into_iter().collect(), headers.into_iter().collect());
        Ok(Self { action, text, tags, headers, redirect })
    }
}

impl Rules {
    /// Compiles what the operator wrote.
    pub(crate) fn new(settings: Settings) -> Result<Self, Fault> {
        let mut gathering = Gathering::default();
        let (mut early, mut late): (Vec<Rule>, Vec<Rule>) = (Vec::new(), Vec::new());
        let mut names = BTreeSet::new();
        for written in settings.rules {
            let name = written.name.clone();
            if !names.insert(name.clone()) || standard::is_standard(&name) {
                return Err(Fault::InvalidConfig(format!("rule \"{name}\": there is another one of this name")));
            }
            let at = written.at;
            let rule =
                rule(written, &mut gathering).map_err(|why| Fault::InvalidConfig(format!("rule \"{name}\": {why}")))?;
            match at {
                Stage::Rcpt => early.push(rule),
                Stage::Data => late.push(rule),
            }
        }
        late.extend(standard::rules(settings.standard, &settings.standard_scores)?);
        let mut thresholds = Vec::new();
        for config::Threshold { score, action, text, tags, headers, redirect } in settings.thresholds {
            let effect = Effect::new(action, text, tags, headers, redirect.as_deref())
                .map_err(|why| Fault::InvalidConfig(format!("threshold {score}: {why}")))?;
            thresholds.push(Threshold { score, effect });
        }
        thresholds.sort_by_key(|threshold| threshold.score);
        let own_domains = settings.own_domains.iter().map(|domain| domain.to_ascii_lowercase()).collect();
        let (mode, report_header, sets) = (settings.mode, settings.report_header, gathering.compile()?);
        Ok(Self { mode, early, late, thresholds, sets, own_domains, report_header })
    }
}

fn rule(written: config::Rule, gathering: &mut Gathering) -> Result<Rule, String> {
    let config::Rule { name, at, when, unless, score, action, text, tags, headers, redirect } = written;
    let mut tests = |conditions: Option<Box<Conditions>>, key: &str| match conditions {
        Some(conditions) => test::tests(&conditions, gathering).map_err(|why| format!("{key}.{why}")),
        None => Ok(Vec::new()),
    };
    let (when, unless) = (tests(when, "when")?, tests(unless, "unless")?);
    let effect = Effect::new(action, text, tags, headers, redirect.as_deref())?;
    if !effect.decides() && score.is_none() && effect.tags.is_empty() && effect.headers.is_empty() {
        return Err("nothing comes of it: give it an action, a score, tags, headers or a redirect".to_owned());
    }
    if at == Stage::Rcpt {
        test::before_the_message(&when).and_then(|()| test::before_the_message(&unless))?;
        let known = [Action::Accept, Action::Pass, Action::Reject, Action::Tempfail];
        let fits = effect.action.is_some_and(|action| known.contains(&action));
        if !fits
            || score.is_some()
            || !effect.tags.is_empty()
            || !effect.headers.is_empty()
            || effect.redirect.is_some()
        {
            return Err("at = \"rcpt\" has an action alone: accept, pass, reject or tempfail".to_owned());
        }
    }
    Ok(Rule { name, when, unless, score: score.unwrap_or(0), effect })
}

#[cfg(test)]
mod tests {
    use super::*;
    use mailwright_plugin::config::from_json;

    fn wrong(json: &str) -> String {
        match Rules::new(from_json(json).expect("it fits its types")) {
            Err(Fault::InvalidConfig(words)) => words,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_rule_and_key() {
        for (json, words) in [
            (r#"{"rule":[{"name":"a"}]}"#, "rule \"a\": nothing comes of it"),
            (r#"{"rule":[{"name":"a","score":1},{"name":"a","score":2}]}"#, "another one of this name"),
            (r#"{"rule":[{"name":"program","score":1}]}"#, "another one of this name"),
            (r#"{"rule":[{"name":"a","score":1,"unless":{"result":["x=y"]}}]}"#, "unless.result: \"x=y\" is no result"),
            (r#"{"rule":[{"name":"a","score":1,"when":{"dnsbl":["x=y"]}}]}"#, "no answer as 127.0.0.2"),
            (r#"{"rule":[{"name":"a","at":"rcpt","action":"reject","when":{"body":["x"]}}]}"#, "dnsbl alone"),
            (r#"{"rule":[{"name":"a","at":"rcpt","action":"discard"}]}"#, "accept, pass, reject or tempfail"),
            (r#"{"rule":[{"name":"a","redirect":"x"}]}"#, "redirect: \"x\" is no address"),
            (r#"{"rule":[{"name":"a","redirect":"x@y","action":"reject"}]}"#, "is to go somewhere"),
            (r#"{"standard_scores":{"programs":1}}"#, "there is no such rule; there are double-extension"),
        ] {
            let told = wrong(json);
            assert!(told.contains(words), "{json}: {told}");
        }
    }

    #[test]
    fn what_does_not_fit_its_type_is_told_with_its_place() {
        let told = from_json::<Settings>(r#"{"rule":[{"name":"a","when":{"peer":["::1","x"]}}]}"#);
        let told = told.expect_err("no network").to_string();
        assert_eq!(told, "rule.0.when.peer.1: expected a network, as \"192.0.2.0/24\" or \"2001:db8::1\", found \"x\"");
    }

    #[test]
    fn thresholds_are_in_order_and_standard_rules_behind() {
        let json = r#"{"standard":true,"rule":[{"name":"a","score":1}],"threshold":[{"score":9,"action":"reject"},
            {"score":5,"action":"quarantine"}]}"#;
        let rules = Rules::new(from_json(json).expect("it fits")).expect("it is sound");
        assert_eq!(rules.thresholds.iter().map(|step| step.score).collect::<Vec<_>>(), [5, 9]);
        assert!(rules.late.len() > 5 && rules.late[0].name == "a" && rules.early.is_empty());
    }
}
