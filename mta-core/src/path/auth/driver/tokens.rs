//! Looks at tokens: fetches the keys that they are signed by (RFC 7517 5), or asks who issued them (RFC 7662 2.1).

use super::requests::{Request, Requests};
use crate::base::event::Event;
use crate::base::sasl::Hidden;
use crate::base::time::Now;
use crate::base::world::Observe;
use crate::config::model::auth::oauth::{Algorithm, OAuth, TokenCheck, Url};
use crate::path::auth::token::Unfit;
use crate::path::auth::token::claims::{Claims, Shown, shown};
use crate::path::auth::token::introspection::{self, NoAnswer};
use crate::path::auth::token::keys::{Fetched, KeySet, Look};
use crate::path::auth::token::recent::Recent;
use crate::path::auth::token::signed::Signed;
use crate::sandbox::Secret;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Why a token shows nobody.
pub(super) enum Refused {
    Unfit(Unfit),
    /// It could not be looked at.
    Unanswered,
}

impl From<Unfit> for Refused {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

/// What is kept between tokens.
pub(super) struct Tokens {
    requests: Arc<Requests>,
    observe: Arc<dyn Observe>,
    /// Held while a set is fetched, so that all who need it wait for the one request.
    fetched: tokio::sync::Mutex<Fetched>,
    recent: Mutex<Recent>,
}

impl Tokens {
    pub(super) fn new(requests: Arc<Requests>, observe: Arc<dyn Observe>) -> Self {
        Self { requests, observe, fetched: tokio::sync::Mutex::default(), recent: Mutex::default() }
    }

    fn now(&self) -> Now {
        self.requests.clock.now()
    }

    /// Whose the token is, where `secret` finds the secret of that name.
    pub(super) async fn shown(
        &self,
        token: &Hidden,
        oauth: &OAuth,
        secret: impl FnOnce(&str) -> Option<Arc<Secret>>,
    ) -> Result<Shown, Refused> {
        match &oauth.check {
            TokenCheck::Signed { keys, algorithms, keys_age_max } => {
                let claims = self.signed(token.reveal(), oauth, keys, algorithms, *keys_age_max).await?;
                Ok(shown(&claims, oauth, self.now().wall)?)
            }
            TokenCheck::Asked { at, client_id, client_secret, believed } => {
                let before = self.recent.lock().unwrap_or_else(PoisonError::into_inner).get(
                    token.reveal(),
                    oauth,
                    self.now().mono,
                );
                if let Some(shown) = before {
                    return Ok(shown);
                }
                let Some(secret) = secret(client_secret) else {
                    return Err(self.unanswered(oauth, "the secret of auth.oauth.client_secret is not there"));
                };
                let claims = self.asked(token.reveal(), oauth, at, client_id, &secret).await?;
                let shown = shown(&claims, oauth, self.now().wall)?;
                self.remember(token.reveal(), oauth, &shown, *believed);
                Ok(shown)
            }
        }
    }

    async fn signed(
        &self,
        token: &str,
        oauth: &OAuth,
        keys: &Url,
        algorithms: &[Algorithm],
        age_max: Duration,
    ) -> Result<Claims, Refused> {
        let signed = Signed::parse(token, algorithms)?;
        let mut fetched = self.fetched.lock().await;
        let mut look = fetched.look(keys, signed.kid.as_deref(), age_max, self.now().mono);
        if matches!(look, Look::Fetch) {
            match self.fetch(oauth, keys).await {
                Ok(set) => fetched.put(set, self.now().mono),
                Err(why) => {
                    fetched.failed(self.now().mono);
                    self.unanswered(oauth, &why);
                }
            }
            look = fetched.look(keys, signed.kid.as_deref(), age_max, self.now().mono);
        }
        drop(fetched);
        match look {
            Look::Use(set) => Ok(signed.verified(&set)?),
            Look::Fetch | Look::Nothing => Err(Refused::Unanswered),
        }
    }

    async fn fetch(&self, oauth: &OAuth, keys: &Url) -> Result<KeySet, String> {
        let fields = vec![("Accept".to_owned(), "application/jwk-set+json, application/json".to_owned())];
        let request = Request { to: keys, trust: &oauth.trust, wait: oauth.wait, fields, body: None };
        let answer = self.requests.send(request).await?;
        match answer.status {
            200 => KeySet::parse(&answer.body),
            status => Err(format!("it answered with status {status}")),
        }
    }

    async fn asked(
        &self,
        token: &str,
        oauth: &OAuth,
        at: &Url,
        client_id: &str,
        secret: &Secret,
    ) -> Result<Claims, Refused> {
        let (fields, body) = introspection::request(client_id, secret.octets(), token);
        let request = Request { to: at, trust: &oauth.trust, wait: oauth.wait, fields, body: Some(body) };
        let answer = self.requests.send(request).await.map_err(|why| self.unanswered(oauth, &why))?;
        introspection::answer(answer.status, &answer.body).map_err(|no| match no {
            NoAnswer::Unfit(unfit) => Refused::Unfit(unfit),
            NoAnswer::Failed(why) => self.unanswered(oauth, &why),
        })
    }

    fn remember(&self, token: &str, oauth: &OAuth, shown: &Shown, believed: Duration) {
        let now = self.now();
        let left = shown.until.map(|until| Duration::from_secs(until.saturating_sub(now.wall.0 / 1000)));
        let believed = left.map_or(believed, |left| left.min(believed));
        if !believed.is_zero() {
            let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
            recent.put(token, oauth, shown.clone(), now.mono + believed);
        }
    }

    /// Tells the operator why a token could not be looked at.
    fn unanswered(&self, oauth: &OAuth, why: &str) -> Refused {
        let (TokenCheck::Signed { keys: at, .. } | TokenCheck::Asked { at, .. }) = &oauth.check;
        self.observe.event(Event::AuthUnanswered { of: "oauth", host: &at.origin.to_string(), why });
        Refused::Unanswered
    }
}
