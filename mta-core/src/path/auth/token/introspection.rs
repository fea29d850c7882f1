//! Asking an issuer about a token (RFC 7662 2.1), and what it answers.

use super::Unfit;
use super::claims::Claims;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// Why an answer says nothing of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::path::auth) enum NoAnswer {
    /// It says that the token is no good.
    Unfit(Unfit),
    /// It is no answer at all; in words for the log.
    Failed(String),
}

/// Fields and content of the request: the token in a form, and who asks (RFC 6749 2.3.1).
pub(in crate::path::auth) fn request(
    client_id: &str,
    client_secret: &[u8],
    token: &str,
) -> (Vec<(String, String)>, String) {
    let who = Zeroizing::new(format!("{}:{}", *escaped(client_id.as_bytes()), *escaped(client_secret)));
    let fields = vec![
        ("Authorization".to_owned(), format!("Basic {}", STANDARD.encode(who.as_bytes()))),
        ("Content-Type".to_owned(), "application/x-www-form-urlencoded".to_owned()),
        ("Accept".to_owned(), "application/json".to_owned()),
    ];
    (fields, format!("token={}&token_type_hint=access_token", *escaped(token.as_bytes())))
}

/// What the issuer says of the token (RFC 7662 2.2).
///
/// # Errors
/// That it is no good, or nothing.
pub(in crate::path::auth) fn answer(status: u16, body: &[u8]) -> Result<Claims, NoAnswer> {
    if status != 200 {
        return Err(NoAnswer::Failed(format!("it answered with status {status}")));
    }
    let claims: Claims =
        serde_json::from_slice(body).map_err(|error| NoAnswer::Failed(format!("its answer is none: {error}")))?;
    match claims.get("active") {
        Some(Value::Bool(true)) => Ok(claims),
        Some(Value::Bool(false)) => Err(NoAnswer::Unfit(Unfit::Inactive)),
        _ => Err(NoAnswer::Failed("its answer does not say whether the token is active".to_owned())),
    }
}

/// As forms have it, all but letters, digits and four signs in hexadecimal.
fn escaped(octets: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(octets.len() * 3));
    for octet in octets {
        match octet {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'*' | b'-' | b'.' | b'_' => text.push(char::from(*octet)),
            _ => {
                // Text takes all that is written to it.
                let _ = write!(text, "%{octet:02X}");
            }
        }
    }
    text
}
