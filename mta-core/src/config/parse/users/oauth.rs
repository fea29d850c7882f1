//! `[auth.oauth]`: the keys of who issues tokens, and what tokens must say.

use super::written::{FILE_PEM, SECOND, path, patterns, url};
use crate::base::world::tls::Trust;
use crate::config::matching::UserPattern;
use crate::config::model::auth::oauth::{Algorithm, OAuth, TokenCheck, Url};
use crate::config::parse::scalar::{self, NAME};
use crate::config::parse::section::{Key, Value, put};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is written, before it is known to be whole.
#[derive(Default)]
pub(in crate::config::parse) struct OAuthDraft {
    jwks_url: Option<Url>,
    algorithms: Option<Vec<Algorithm>>,
    keys_age_max: Option<Duration>,
    introspection_url: Option<Url>,
    client_id: Option<Box<str>>,
    client_secret: Option<Arc<str>>,
    believed: Option<Duration>,
    issuer: Option<Box<str>>,
    audience: Option<Box<str>>,
    scope: Option<Box<str>>,
    user_claim: Option<Box<str>>,
    users: Vec<UserPattern>,
    ca: Option<PathBuf>,
    leeway: Option<Duration>,
    wait: Option<Duration>,
}

const URL: &str = "a URL, as \"https://issuer.example.org/path\"";
const ISSUER: &str = "what tokens say in `iss`, as \"https://issuer.example.org\"";
const AUDIENCE: &str = "what tokens say in `aud`, as \"mail\"";
const CLIENT: &str = "the name that the server has at the issuer, as \"mailwright\"";
const SECRET: &str = "the name of a [[secret]], with the server's password at the issuer";

pub(in crate::config::parse) const OAUTH: &[Key<OAuthDraft>] = &[
    Key { name: "jwks_url", read: |d, v| d.jwks_url = v.text(URL, url) },
    Key { name: "algorithms", read: |d, v| d.algorithms = algorithms(v) },
    Key { name: "keys_age_max", read: |d, v| d.keys_age_max = v.duration(60 * SECOND..=7 * 86_400 * SECOND) },
    Key { name: "introspection_url", read: |d, v| d.introspection_url = v.text(URL, url) },
    Key { name: "client_id", read: |d, v| d.client_id = v.text(CLIENT, words) },
    Key {
        name: "client_secret",
        read: |d, v| d.client_secret = v.text(NAME, |text| scalar::label(text).map(Into::into)),
    },
    Key { name: "believed", read: |d, v| d.believed = v.duration(Duration::ZERO..=600 * SECOND) },
    Key { name: "issuer", read: |d, v| d.issuer = v.text(ISSUER, words) },
    Key { name: "audience", read: |d, v| d.audience = v.text(AUDIENCE, words) },
    Key { name: "scope", read: |d, v| d.scope = v.text("one word that tokens say in `scope`, as \"smtp\"", word) },
    Key { name: "user_claim", read: |d, v| d.user_claim = v.text("a claim's name, as \"email\"", words) },
    Key { name: "users", read: |d, v| put(&mut d.users, patterns(v)) },
    Key { name: "ca", read: |d, v| d.ca = v.text(FILE_PEM, path) },
    Key { name: "leeway", read: |d, v| d.leeway = v.duration(Duration::ZERO..=300 * SECOND) },
    Key { name: "wait", read: |d, v| d.wait = v.duration(SECOND..=60 * SECOND) },
];

pub(super) fn oauth(value: &mut Value<'_, '_>) -> Option<OAuth> {
    let mut draft = OAuthDraft::default();
    if value.table(&mut draft, OAUTH) {
        whole(value);
    }
    let check = match (draft.jwks_url, draft.introspection_url) {
        (Some(keys), _) => TokenCheck::Signed {
            keys,
            algorithms: draft.algorithms.unwrap_or_else(|| Algorithm::USUAL.into()),
            keys_age_max: draft.keys_age_max.unwrap_or(3600 * SECOND),
        },
        (None, at) => TokenCheck::Asked {
            at: at?,
            client_id: draft.client_id?,
            client_secret: draft.client_secret?,
            believed: draft.believed.unwrap_or(60 * SECOND),
        },
    };
    Some(OAuth {
        check,
        issuer: draft.issuer,
        audience: draft.audience,
        scope: draft.scope,
        user_claim: draft.user_claim.unwrap_or_else(|| "sub".into()),
        users: draft.users,
        trust: draft.ca.map_or(Trust::System, Trust::File),
        leeway: draft.leeway.unwrap_or(30 * SECOND),
        wait: draft.wait.unwrap_or(10 * SECOND),
    })
}

/// What belongs to which of the two ways, and what each needs.
fn whole(value: &mut Value<'_, '_>) {
    const WAYS: &str = "exactly one of jwks_url (tokens are signed) and introspection_url (their issuer is asked)";
    let (signed, asked) = (value.below("jwks_url").is_some(), value.below("introspection_url").is_some());
    if signed == asked {
        let found = if signed { ", found both" } else { "" };
        return value.wrong(format!("expected {WAYS}{found}"));
    }
    let others: &[&str] = if signed {
        value.require("issuer", &format!("{ISSUER}: its keys may sign for others too"));
        value.require("audience", &format!("{AUDIENCE}: otherwise whoever is shown a token could use it here"));
        &["client_id", "client_secret", "believed"]
    } else {
        value.require("client_id", CLIENT);
        value.require("client_secret", SECRET);
        &["algorithms", "keys_age_max"]
    };
    for key in others.iter().filter(|key| value.below(key).is_some()).copied().collect::<Vec<_>>() {
        let way = if signed { "introspection_url" } else { "jwks_url" };
        value.wrong_below(&[key], &format!("expected none: it belongs to {way}"));
    }
}

fn algorithms(value: &mut Value<'_, '_>) -> Option<Vec<Algorithm>> {
    let names = Algorithm::ALL.map(|(name, _)| name).join(", ");
    let what = format!("a list of algorithms, of {names}");
    let read = value.list(&what, |item| {
        let none_such = |name: &str| match name {
            "none" | "HS256" | "HS384" | "HS512" => {
                Err("whoever can check such a token could make one: it is never believed".to_owned())
            }
            _ => Err(String::new()),
        };
        item.text(&format!("one of {names}"), |name| Algorithm::named(name).map_or_else(|| none_such(name), Ok))
    });
    if value.is_empty_list() {
        value.wrong(format!("expected {what}: with none no token would be believed"));
    }
    read.filter(|read| !read.is_empty())
}

fn words(text: &str) -> Result<Box<str>, String> {
    let fits = !text.is_empty() && text.len() <= 1024 && !text.contains(char::is_control);
    if fits { Ok(text.into()) } else { Err(String::new()) }
}

fn word(text: &str) -> Result<Box<str>, String> {
    words(text).and_then(|text| if text.contains(' ') { Err(String::new()) } else { Ok(text) })
}
