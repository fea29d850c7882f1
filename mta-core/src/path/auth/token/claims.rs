//! What a token says (RFC 7519 4.1), or who issued it says of it (RFC 7662 2.2), and whether that is enough.

use super::Unfit;
use crate::base::sasl::prepare;
use crate::base::time::UnixMillis;
use crate::config::model::auth::oauth::OAuth;
use serde_json::{Map, Value};

/// The claims, by name.
pub(in crate::path::auth) type Claims = Map<String, Value>;

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::path::auth) struct Shown {
    /// The user's name, prepared.
    pub(in crate::path::auth) user: Box<str>,
    /// Until when it says so, in seconds since 1970.
    pub(in crate::path::auth) until: Option<u64>,
}

/// Whom the claims show, where they say what they must.
///
/// # Errors
/// What is wrong with the token.
pub(in crate::path::auth) fn shown(claims: &Claims, oauth: &OAuth, now: UnixMillis) -> Result<Shown, Unfit> {
    let is_signed = matches!(oauth.check, crate::config::model::auth::oauth::TokenCheck::Signed { .. });
    if oauth.issuer.as_deref().is_some_and(|issuer| text(claims, "iss") != Some(issuer)) {
        return Err(Unfit::Issuer);
    }
    if oauth.audience.as_deref().is_some_and(|audience| !is_for(claims, audience)) {
        return Err(Unfit::Audience);
    }
    let now = now.0 / 1000;
    let leeway = oauth.leeway.as_secs();
    // RFC 7519 4.1.4 leaves the end out; a token that never ends can't be taken back.
    let until = seconds(claims, "exp")?;
    if until.is_none() && is_signed {
        return Err(Unfit::Expired);
    }
    if until.is_some_and(|until| now >= until.saturating_add(leeway)) {
        return Err(Unfit::Expired);
    }
    if seconds(claims, "nbf")?.is_some_and(|from| now.saturating_add(leeway) < from) {
        return Err(Unfit::Early);
    }
    if oauth.scope.as_deref().is_some_and(|scope| !has_scope(claims, scope)) {
        return Err(Unfit::Scope);
    }
    let name = text(claims, &oauth.user_claim).ok_or(Unfit::Nameless)?;
    // Some issuers let people write any address in.
    let denied = claims.get("email_verified").is_some_and(|said| matches!(said, Value::Bool(false)) || said == "false");
    if &*oauth.user_claim == "email" && denied {
        return Err(Unfit::Unverified);
    }
    Ok(Shown { user: prepare::name(name).ok_or(Unfit::Nameless)?, until })
}

fn text<'c>(claims: &'c Claims, name: &str) -> Option<&'c str> {
    claims.get(name).and_then(Value::as_str)
}

/// `aud` is a text, or a list of such (RFC 7519 4.1.3).
fn is_for(claims: &Claims, audience: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(one)) => one == audience,
        Some(Value::Array(several)) => several.iter().any(|one| one == audience),
        _ => false,
    }
}

/// Words with spaces between (RFC 8693 4.2, RFC 7662 2.2); some issuers write a list, and some call it `scp`.
fn has_scope(claims: &Claims, scope: &str) -> bool {
    match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Value::String(words)) => words.split(' ').any(|word| word == scope),
        Some(Value::Array(words)) => words.iter().any(|word| word == scope),
        _ => false,
    }
}

/// A time (RFC 7519 2, `NumericDate`), which may have a fraction. One that is there and can't be read is not as good as
/// none.
fn seconds(claims: &Claims, name: &str) -> Result<Option<u64>, Unfit> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    if let Some(seconds) = value.as_u64() {
        return Ok(Some(seconds));
    }
    // The cast cuts the fraction off, and saturates.
    let whole = value.as_f64().filter(|seconds| seconds.is_finite() && *seconds >= 0.0);
    whole.map(|seconds| Some(seconds as u64)).ok_or(Unfit::Malformed)
}
