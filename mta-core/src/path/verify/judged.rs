//! What is told of a message to its author's domain, where that wants reports (RFC 9990 3.1).

use super::consequence::Findings;
use super::message::forwarding::Chain;
use super::message::policy::Stand;
use crate::base::flow::policy::dmarc::{Disposition, Judged, Override, Row, Signature, Wish};
use crate::base::flow::policy::verify::{AuthResult, Incoming, Method, Outcome};
use crate::base::mail::domain::Domain;
use crate::config::model::verify::{Use, Verification};

/// Why a disposition is not what the domain wants.
type Reason = Option<(Override, String)>;

/// The message; none where its author's domain wants no reports.
pub(super) fn judged(
    rules: &Verification,
    findings: &Findings,
    results: &[AuthResult],
    incoming: &Incoming<'_>,
) -> Option<Judged> {
    let stand = findings.stand.as_ref()?;
    let standing = stand.standing.as_ref()?;
    let (disposition, reason) = disposition(rules, stand, findings.chain.as_ref());
    let (outcome, checked) = findings.spf_for_dmarc();
    let sender = incoming.envelope.sender.as_ref().and_then(|sender| sender.domain());
    let row = Row {
        source: incoming.peer.to_canonical(),
        disposition,
        dkim: standing.dkim,
        spf: standing.spf,
        reason: reason.map(|(kind, words)| (kind, words.into())),
        author: stand.domain.as_str().into(),
        sender: sender.map(ascii).unwrap_or_default(),
        to: recipients_domain(incoming),
        signatures: results.iter().filter_map(signature).collect(),
        checked: (!checked.is_empty()).then(|| (checked.into(), outcome)),
    };
    Some(Judged { policy: standing.policy.clone(), row })
}

/// What DMARC alone does with the message, whatever else has its say.
fn disposition(rules: &Verification, stand: &Stand, chain: Option<&Chain>) -> (Disposition, Reason) {
    let published = stand.standing.as_ref().map(|standing| &standing.policy);
    match stand.outcome {
        Outcome::Fail => {}
        Outcome::Pass if published.is_some_and(|published| published.policy != Wish::None) => {
            return (Disposition::Pass, None);
        }
        Outcome::Pass | Outcome::None => return (Disposition::None, None),
        _ => return (Disposition::None, Some((Override::Other, "it could not be judged".to_owned()))),
    }
    let testing = published.is_some_and(|published| published.tests);
    let tested = || testing.then(|| (Override::TestMode, "t=y".to_owned()));
    if stand.wish == Wish::None {
        return (Disposition::None, tested());
    }
    if let Some(chain) = chain.filter(|chain| chain.vouches(&rules.trusted_sealers)) {
        return (Disposition::None, Some((Override::LocalPolicy, arc(chain))));
    }
    if rules.dmarc != Use::Enforce {
        let words = "policies are not enforced here".to_owned();
        return (Disposition::None, Some((Override::LocalPolicy, words)));
    }
    match stand.wish {
        Wish::Reject => (Disposition::Reject, tested()),
        Wish::Quarantine | Wish::None => (Disposition::Quarantine, tested()),
    }
}

/// A chain whose word was taken, as RFC 8617 7.2.2 has it.
fn arc(chain: &Chain) -> String {
    let sealers =
        chain.sealers.iter().enumerate().rev().map(|(place, sealer)| format!(" as[{}].d={sealer}", place + 1));
    format!("arc=pass{}", sealers.collect::<String>())
}

/// The domain of all recipients, where they have one.
fn recipients_domain(incoming: &Incoming<'_>) -> Option<Box<str>> {
    let mut domains = incoming.envelope.recipients.iter().map(|recipient| recipient.address.domain());
    let first = domains.next()??;
    domains.all(|domain| domain == Some(first)).then(|| ascii(first))
}

fn ascii(domain: &Domain) -> Box<str> {
    domain.to_ascii().to_string().into()
}

/// A result that is a signature's.
fn signature(result: &AuthResult) -> Option<Signature> {
    let domain = result.domain.clone().filter(|_| result.method == Method::Dkim)?;
    let selector = result.properties.iter().find(|(name, _)| *name == "header.s");
    Some(Signature {
        domain,
        selector: selector.map(|(_, selector)| selector.clone()).unwrap_or_default(),
        outcome: result.outcome,
        why: result.detail.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::super::message::policy::Standing;
    use super::*;
    use crate::base::flow::policy::dmarc::Published;

    fn stand(outcome: Outcome, wish: Wish, policy: Wish, tests: bool) -> Stand {
        let policy = Published {
            domain: "author.test".into(),
            policy,
            subdomains: policy,
            absent: policy,
            tests,
            strict_dkim: false,
            strict_spf: false,
            failure_options: "0".into(),
        };
        let standing = Some(Standing { policy, spf: false, dkim: false });
        let mut stand = Stand::unknown("");
        (stand.wish, stand.standing, stand.outcome, stand.domain) = (wish, standing, outcome, "author.test".to_owned());
        stand
    }

    #[test]
    fn what_was_done_and_why_not_what_was_wanted_rfc9990_3_1() {
        let enforcing = Verification { dmarc: Use::Enforce, ..Verification::default() };
        let reporting = Verification::default();
        let (none, quarantine, reject) = (Wish::None, Wish::Quarantine, Wish::Reject);
        let kind = |(disposition, reason): (Disposition, Reason)| (disposition, reason.map(|(kind, _)| kind));
        for (rules, outcome, wish, policy, tests, expected) in [
            (&enforcing, Outcome::Pass, none, none, false, (Disposition::None, None)),
            (&enforcing, Outcome::Pass, reject, reject, false, (Disposition::Pass, None)),
            (&enforcing, Outcome::Fail, none, none, false, (Disposition::None, None)),
            (&enforcing, Outcome::Fail, reject, reject, false, (Disposition::Reject, None)),
            (&enforcing, Outcome::Fail, quarantine, quarantine, false, (Disposition::Quarantine, None)),
            (&enforcing, Outcome::Fail, quarantine, reject, true, (Disposition::Quarantine, Some(Override::TestMode))),
            (&enforcing, Outcome::Fail, none, quarantine, true, (Disposition::None, Some(Override::TestMode))),
            (&reporting, Outcome::Fail, reject, reject, false, (Disposition::None, Some(Override::LocalPolicy))),
            (&enforcing, Outcome::TempError, none, reject, false, (Disposition::None, Some(Override::Other))),
        ] {
            let stand = stand(outcome, wish, policy, tests);
            assert_eq!(kind(disposition(rules, &stand, None)), expected, "{outcome:?} {wish:?} {policy:?} {tests}");
        }
    }
}
