//! `plugin differences`: where shadows and canaries say something else than what they are measured by.

use super::super::super::config_args::ConfigArgs;
use super::super::super::queue::{as_json, ask, unexpected};
use super::super::super::say;
use mta_core::base::flow::operator::trial::{Difference, Differences, Said};
use mta_core::edge::control::{Request, Response};
use std::fmt::Write;

pub(in crate::cli::plugin) fn run(config: &ConfigArgs, plugin: Option<String>, json: bool) -> Result<(), String> {
    let found = match ask(config, &Request::PluginDifferences { plugin })? {
        Response::Differences(found) => found,
        other => return Err(unexpected(&other)),
    };
    if json {
        return say(&as_json(&found)?);
    }
    if found.is_empty() {
        return say("no plugin is a shadow or a canary");
    }
    found.iter().try_for_each(|one| say(&text(one)))
}

/// For people: the counts, then the last differences.
fn text(found: &Differences) -> String {
    let Differences { plugin, mode, of, generation, calls, differing, faults, dropped, last } = found;
    let against = of.as_deref().unwrap_or("the chain without it");
    let mut text = format!(
        "{plugin} ({mode}, against {against}), since generation {generation}: {differing} of {calls} calls differ, \
         {faults} faults, {dropped} calls not compared"
    );
    for difference in last {
        // Writing to memory does not fail.
        let _ = write!(text, "\n{}", described(difference));
    }
    text
}

/// One difference: where, what was said and done, and what the other says.
pub(super) fn described(difference: &Difference) -> String {
    let Difference { at, hook, session, id, said, other } = difference;
    let mut text = format!("  {at}  {hook}");
    if let Some(session) = session {
        let _ = write!(text, "  session {session}");
    }
    if let Some(id) = id {
        let _ = write!(text, "  message {id}");
    }
    for (sign, Said { verdict, edits }) in [('-', said), ('+', other)] {
        let _ = write!(text, "\n    {sign} {verdict}");
        for edit in edits {
            let _ = write!(text, "\n    {sign}   {edit}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_stands_before_what_would_have_been() {
        let difference = Difference {
            at: "2026-01-01T00:00:00.000Z".to_owned(),
            hook: "data".to_owned(),
            session: Some("s1".to_owned()),
            id: None,
            said: Said::next(),
            other: Said { verdict: "reject 550 5.7.1 no".to_owned(), edits: vec!["add X: 1".to_owned()] },
        };
        let found = Differences {
            plugin: "next".to_owned(),
            mode: "shadow".to_owned(),
            of: Some("filter".to_owned()),
            generation: 3,
            calls: 9,
            differing: 1,
            faults: 0,
            dropped: 0,
            last: vec![difference],
        };
        assert_eq!(
            text(&found),
            "next (shadow, against filter), since generation 3: 1 of 9 calls differ, 0 faults, 0 calls not compared\n  \
             2026-01-01T00:00:00.000Z  data  session s1\n    - next\n    + reject 550 5.7.1 no\n    +   add X: 1"
        );
    }
}
