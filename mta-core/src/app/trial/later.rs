//! What comes after a message was accepted: its recipients' outcomes, what comes back about it, and what the public asks.

use super::case::{Case, FeedbackCase, LoginCase, OutcomeCase, RequestCase, Told};
use super::mail::{address, blank};
use crate::base::flow::entry::Entry;
use crate::base::flow::operator::suppression::{ListName, Suppress};
use crate::base::flow::policy::feedback::{Bounce, Kind, Returned};
use crate::base::flow::policy::password::PasswordQuestion;
use crate::base::flow::policy::public::{PublicAnswer, PublicRequest};
use crate::base::flow::policy::{Attempted, Outcome, Policy, SessionInfo};
use crate::base::mail::content::Content;
use crate::base::mail::tie::Sent;
use crate::base::sasl::{Mechanism, prepare};
use crate::base::smtp::reply::Reply;
use crate::base::smtp::status::EnhancedStatus;
use crate::config::model::{Config, Plugin};
use crate::path::policy::Host;
use crate::sandbox::words;
use bytes::Bytes;
use std::sync::Arc;

/// How many addresses of a list are looked at.
const SUPPRESSED_MAX: usize = 1_000;

/// What was queued, if something was; else a message without content.
type Queued = Option<(Entry, Content)>;

/// Tells outcomes and feedback in their order, each to its end, and asks the plugin about logins and the public's requests.
///
/// # Errors
/// The case makes no sense, in words for people.
pub(super) async fn play(
    host: &Host,
    case: &Case,
    queued: &Queued,
    plugin: &Plugin,
    told: &mut Told,
) -> Result<(), String> {
    for one in &case.outcome {
        host.outcome(&attempted(one, queued)?);
        host.told().await;
    }
    for one in &case.feedback {
        let (sent, kind) = (sent(one, queued)?, kind(&one.kind)?);
        let (entry, content) = blank(&["b@bounces.example"])?;
        // Whoever can't be told now would be told again: its fault is among the faults.
        let _ = host.feedback(Returned { entry: &entry, content: &content, sent: &sent, kind: &kind }).await;
    }
    for one in &case.login {
        let answer = host.password(login(one, case, plugin)?).await;
        told.login.get_or_insert_default().push(words::password(&answer));
    }
    for one in &case.request {
        let answer = host.http(request(one, case, plugin)).await;
        told.request.get_or_insert_default().push(answered(&answer));
    }
    Ok(())
}

/// Who is on the lists that the plugins are granted: nobody's, and those of each tenant.
pub(super) fn suppressed(lists: &dyn Suppress, config: &Config) -> Vec<String> {
    let plugins = config.plugins.iter().flat_map(|plugin| &plugin.allow);
    let mut scopes: Vec<&str> = plugins.filter_map(|grant| grant.strip_prefix("suppression:")).collect();
    scopes.iter_mut().for_each(|scope| *scope = scope.trim_end_matches(":read"));
    scopes.sort_unstable();
    scopes.dedup();
    let tenants = || std::iter::once(None).chain(config.tenants.iter().map(|tenant| Some(tenant.name.clone())));
    let of = |scope: &str, tenant: Option<Arc<str>>| {
        let shown = tenant.as_deref().map_or_else(|| scope.to_owned(), |tenant| format!("{scope} of {tenant}"));
        let page = lists.page(&ListName { scope: Arc::from(scope), tenant }, None, SUPPRESSED_MAX);
        page.into_iter().map(move |(who, held)| format!("{shown}: {who} {}", held.reason.name())).collect::<Vec<_>>()
    };
    scopes.iter().flat_map(|scope| tenants().flat_map(|tenant| of(scope, tenant))).collect()
}

fn attempted(one: &OutcomeCase, queued: &Queued) -> Result<Attempted, String> {
    let recipient = address(&one.recipient)?;
    let known = queued.as_ref().and_then(|(entry, content)| {
        let place = entry.envelope.recipients.iter().position(|other| other.address == recipient)?;
        Some((entry.clone(), content.clone(), place))
    });
    let (entry, content, place) = match known {
        Some(known) => known,
        None => {
            let (entry, content) = blank(&[&one.recipient])?;
            (entry, content, 0)
        }
    };
    Ok(Attempted {
        entry: Arc::new(entry),
        content: Some(content),
        recipient: u32::try_from(place).unwrap_or(u32::MAX),
        attempt: 1,
        site: "trial".into(),
        outcome: outcome(&one.became)?,
    })
}

/// `bounced 550 5.1.1 no`, `expired`.
fn outcome(text: &str) -> Result<Outcome, String> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let became: fn(Reply) -> Outcome = match word {
        "delivered" => Outcome::Delivered,
        "deferred" => Outcome::Deferred,
        "bounced" => Outcome::Bounced,
        "expired" if rest.is_empty() => return Ok(Outcome::Expired),
        "cancelled" if rest.is_empty() => return Ok(Outcome::Cancelled),
        _ => {
            return Err(format!(
                "became = {text:?}: expected delivered, deferred or bounced with a reply, as \"bounced 550 5.1.1 no such user\", \
                 or expired, or cancelled"
            ));
        }
    };
    let (code, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let code: u16 =
        code.parse().map_err(|_| format!("became = \"{word} {rest}\": expected a reply, as \"550 5.1.1 no\""))?;
    let (status, text) = EnhancedStatus::split(text, code).map_or((None, text), |(status, text)| (Some(status), text));
    Ok(became(Reply::from_text(code, status, text)))
}

fn sent(one: &FeedbackCase, queued: &Queued) -> Result<Sent, String> {
    let id = match queued {
        Some((entry, _)) => entry.id,
        None => blank(&[&one.recipient])?.0.id,
    };
    Ok(Sent {
        id,
        recipient: address(&one.recipient)?,
        tenant: None,
        campaign: one.campaign.as_deref().map(Into::into),
    })
}

/// `bounce 5.1.1 no such user`, `complaint abuse`, `unsubscribe`.
fn kind(text: &str) -> Result<Kind, String> {
    let wrong = || {
        format!(
            "kind = {text:?}: expected bounce with a status, as \"bounce 5.1.1 no such user\", complaint with its type, as \
             \"complaint abuse\", or unsubscribe"
        )
    };
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    match word {
        "bounce" => {
            let class = rest.split('.').next().and_then(|class| class.parse::<u16>().ok());
            let code = class.and_then(|class| class.checked_mul(100)).ok_or_else(wrong)?;
            let (status, words) = EnhancedStatus::split(rest, code).ok_or_else(wrong)?;
            let diagnostic = (!words.is_empty()).then(|| words.into());
            Ok(Kind::Bounce(Bounce { status, diagnostic, remote: None }))
        }
        "complaint" if !rest.is_empty() => Ok(Kind::Complaint(rest.into())),
        "unsubscribe" if rest.is_empty() => Ok(Kind::Unsubscribe),
        _ => Err(wrong()),
    }
}

fn request(one: &RequestCase, case: &Case, plugin: &Plugin) -> PublicRequest {
    PublicRequest {
        plugin: plugin.name.as_ref().into(),
        method: one.method.as_str().into(),
        path: one.path.as_str().into(),
        query: one.query.as_str().into(),
        fields: one.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect(),
        body: Bytes::from(one.body.clone()),
        peer: case.session.peer.ip(),
    }
}

/// The name and the password as they come from a client's machine: prepared.
fn login(one: &LoginCase, case: &Case, plugin: &Plugin) -> Result<PasswordQuestion, String> {
    let mechanism = Mechanism::ALL.into_iter().find(|mechanism| mechanism.name() == one.mechanism);
    let by_password = mechanism.filter(|mechanism| matches!(mechanism, Mechanism::Plain | Mechanism::Login));
    let mechanism =
        by_password.ok_or_else(|| format!("mechanism = {:?}: expected PLAIN or LOGIN", one.mechanism))?.name();
    let user = prepare::name(&one.user).ok_or_else(|| format!("user = {:?}: nobody can be called so", one.user))?;
    let password = prepare::password(&one.password).ok_or("password: nobody can have such a one")?;
    let session = SessionInfo {
        id: "trial".into(),
        listener: case.session.listener.as_str().into(),
        peer: case.session.peer,
        helo: Some(case.session.helo.as_str().into()),
        tls: None,
        user: None,
    };
    let tenant = one.tenant.as_deref().map(Into::into);
    Ok(PasswordQuestion { plugin: Arc::clone(&plugin.name), session, tenant, mechanism, user, password })
}

fn answered(answer: &PublicAnswer) -> String {
    match answer {
        PublicAnswer::Answered(response) => {
            let content = String::from_utf8_lossy(&response.body);
            format!("{} {content}", response.status).trim_end().to_owned()
        }
        PublicAnswer::Absent => "absent".to_owned(),
        PublicAnswer::Unable => "503".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_recipient_and_what_came_back_are_read_in_words() {
        let status = EnhancedStatus::new(5, 1, 1);
        assert_eq!(
            outcome("bounced 550 5.1.1 gone"),
            Ok(Outcome::Bounced(Reply::from_text(550, Some(status), "gone")))
        );
        assert_eq!(outcome("delivered 250 ok"), Ok(Outcome::Delivered(Reply::from_text(250, None, "ok"))));
        assert_eq!(outcome("expired"), Ok(Outcome::Expired));
        for wrong in ["", "bounced", "bounced gone", "expired 5", "lost"] {
            assert!(outcome(wrong).is_err_and(|words| words.starts_with("became = ")), "{wrong}");
        }
        let bounce = Bounce { status, diagnostic: Some("no".into()), remote: None };
        assert_eq!(kind("bounce 5.1.1 no"), Ok(Kind::Bounce(bounce)));
        assert_eq!(kind("complaint abuse"), Ok(Kind::Complaint("abuse".into())));
        assert_eq!(kind("unsubscribe"), Ok(Kind::Unsubscribe));
        for wrong in ["", "bounce", "bounce 5.1", "bounce 9.1.1", "complaint", "unsubscribe now"] {
            assert!(kind(wrong).is_err_and(|words| words.starts_with("kind = ")), "{wrong}");
        }
    }
}
