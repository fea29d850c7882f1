//! The mechanisms that send a token which somebody else gave the client: OAUTHBEARER (RFC 7628 3.1), and XOAUTH2, which
//! Google had before it and which has no RFC.
//!
//! Both carry what HTTP's `Authorization` field would, between octets of one. A token that is no good is answered with a
//! challenge that says so in JSON, and the client's answer to that is empty, in its way (RFC 7628 3.2.3).

use super::prepare::{self, Hidden};
use super::scram::unescaped;
use super::words::{Failure, Step};

/// What stands between fields and at the end.
const SEPARATOR: char = '\u{1}';

/// The server's side.
#[derive(Debug)]
pub(super) struct Bearer {
    dialect: Dialect,
    state: State,
}

/// Which of the two.
#[derive(Clone, Copy, Debug)]
pub(super) enum Dialect {
    /// RFC 7628.
    Standard,
    /// XOAUTH2.
    Google,
}

#[derive(Debug)]
enum State {
    /// The client's message is waited for.
    First,
    /// What becomes of its token is.
    Asked,
    /// It was told that the token is no good, and that it has heard so is waited for.
    Told,
    Over,
}

impl Bearer {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, state: State::First }
    }

    pub(super) fn respond(&mut self, text: &str) -> Result<Step, Failure> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::First => {
                let (name, token) = match self.dialect {
                    Dialect::Standard => standard(text)?,
                    Dialect::Google => google(text)?,
                };
                self.state = State::Asked;
                match token {
                    Some(token) => Ok(Step::Token(name, token)),
                    // RFC 7628 4.3: who sends none asks what it would need.
                    None => self.refused().ok_or(Failure::Malformed),
                }
            }
            State::Told => Err(Failure::Wrong),
            State::Asked | State::Over => Err(Failure::Malformed),
        }
    }

    /// The challenge that says that the token is no good (RFC 7628 3.2.2), once.
    pub(super) fn refused(&mut self) -> Option<Step> {
        if !matches!(self.state, State::Asked) {
            return None;
        }
        self.state = State::Told;
        let said: &[u8] = match self.dialect {
            Dialect::Standard => b"{\"status\":\"invalid_token\"}",
            Dialect::Google => b"{\"status\":\"401\",\"schemes\":\"Bearer\"}",
        };
        Some(Step::Challenge(said.to_vec()))
    }
}

/// Who the client says it is, if it says so, and its token, if it has one.
type Shown = (Option<Box<str>>, Option<Hidden>);

/// `gs2-header kvsep *kvpair kvsep` (RFC 7628 3.1), the header as `n,a=ann@example.org,`.
fn standard(text: &str) -> Result<Shown, Failure> {
    let (header, fields) = text.split_once(SEPARATOR).ok_or(Failure::Malformed)?;
    let mut parts = header.split(',');
    let (Some(flag), Some(acts_for), Some(""), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(Failure::Malformed);
    };
    match flag {
        // We have no mechanism of this kind that binds, so that there is nothing to take out of our offer (RFC 5801 4).
        "n" | "y" => {}
        bound if bound.starts_with("p=") => return Err(Failure::Binding),
        _ => return Err(Failure::Malformed),
    }
    let name = match acts_for.strip_prefix("a=") {
        Some(identity) => Some(unescaped(identity).ok_or(Failure::Malformed)?),
        None if acts_for.is_empty() => None,
        None => return Err(Failure::Malformed),
    };
    Ok((name.map(|name| claimed(&name)).transpose()?, token(fields, true)?))
}

/// `user=ann@example.org`, then fields as above.
fn google(text: &str) -> Result<Shown, Failure> {
    let (user, fields) = text.split_once(SEPARATOR).ok_or(Failure::Malformed)?;
    let name = user.strip_prefix("user=").ok_or(Failure::Malformed)?;
    Ok((Some(claimed(name)?), token(fields, false)?))
}

fn claimed(name: &str) -> Result<Box<str>, Failure> {
    prepare::name(name).ok_or(Failure::Wrong)
}

/// The token among the fields: host and port are there too, of which we have no use, since one server has many names.
fn token(fields: &str, others: bool) -> Result<Option<Hidden>, Failure> {
    let mut token = None;
    let mut rest = fields;
    while let Some((field, behind)) = rest.split_once(SEPARATOR) {
        if field.is_empty() {
            return if behind.is_empty() { Ok(token) } else { Err(Failure::Malformed) };
        }
        rest = behind;
        let (key, value) = field.split_once('=').ok_or(Failure::Malformed)?;
        let is_key = !key.is_empty() && key.bytes().all(|octet| octet.is_ascii_alphabetic());
        match key {
            "auth" if token.is_some() => return Err(Failure::Malformed),
            "auth" if value.is_empty() => {}
            "auth" => token = Some(bearer(value).ok_or(Failure::Malformed)?),
            _ if others && is_key => {}
            _ => return Err(Failure::Malformed),
        }
    }
    Err(Failure::Malformed)
}

/// `Bearer b64token` (RFC 6750 2.1), the scheme in any case (RFC 9110 11.1).
fn bearer(value: &str) -> Option<Hidden> {
    let (scheme, token) = value.split_once(' ')?;
    let letters = token.trim_end_matches('=');
    let is_token = !letters.is_empty() && letters.bytes().all(|o| o.is_ascii_alphanumeric() || b"-._~+/".contains(&o));
    (scheme.eq_ignore_ascii_case("bearer") && is_token).then(|| Hidden::new(token))
}
