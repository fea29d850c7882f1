//! Asking by HTTP whether a password is a user's: JSON there and back, and the status says it (RFC 9110 15).

use super::{Question, Said};
use crate::base::flow::policy::password::Account;
use crate::base::sasl::sender::SenderPattern;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// What is sent.
#[derive(Serialize)]
struct Asked<'a> {
    user: &'a str,
    password: &'a str,
    /// Where the client is.
    peer: IpAddr,
    mechanism: &'a str,
}

/// What comes back with 200, of an answer that may have more.
#[derive(Deserialize)]
struct Answer {
    tenant: Option<String>,
    #[serde(default)]
    senders: Vec<String>,
}

/// Fields and content of the request; `secret` shows that it is ours (RFC 6750 2.1).
pub(in crate::path::auth) fn request(
    question: &Question<'_>,
    secret: Option<&[u8]>,
) -> (Vec<(String, String)>, String) {
    let mut fields = vec![
        ("Content-Type".to_owned(), "application/json".to_owned()),
        ("Accept".to_owned(), "application/json".to_owned()),
    ];
    if let Some(secret) = secret {
        fields.push(("Authorization".to_owned(), format!("Bearer {}", String::from_utf8_lossy(secret))));
    }
    let Question { session, how, name: user, password } = *question;
    let (peer, mechanism) = (session.peer.ip(), how.name());
    let asked = Asked { user, password: password.reveal(), peer, mechanism };
    (fields, serde_json::to_string(&asked).expect("texts and an address are JSON"))
}

/// What the answer means: 200 is yes, 401 and 403 are no.
///
/// # Errors
/// It says neither, in words for the log.
pub(in crate::path::auth) fn answer(status: u16, body: &[u8]) -> Result<Said, String> {
    match status {
        200 => {
            let Answer { tenant, senders } =
                serde_json::from_slice(body).map_err(|error| format!("its answer is none: {error}"))?;
            let pattern = |text: &String| SenderPattern::parse(text).map_err(|what| format!("senders: {what}"));
            let senders = senders.iter().map(pattern).collect::<Result<_, _>>()?;
            Ok(Said::Yes(Account { tenant: tenant.map(Into::into), senders }))
        }
        401 | 403 => Ok(Said::No),
        status => Err(format!("it answered with status {status}")),
    }
}
