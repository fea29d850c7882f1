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
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    fetched: Mutex<Fetched>,
    /// Held while a set is fetched, so that all who need it wait for the one request.
    fetching: tokio::sync::Mutex<()>,
    recent: Mutex<Recent>,
}

impl Tokens {
    pub(super) fn new(requests: Arc<Requests>, observe: Arc<dyn Observe>) -> Self {
        let (fetched, fetching, recent) = (Mutex::default(), tokio::sync::Mutex::default(), Mutex::default());
        Self { requests, observe, fetched, fetching, recent }
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
        let kid = signed.kid.as_deref();
        let mut look = self.look(keys, kid, age_max);
        if let Look::Fetch(meanwhile) = look {
            look = match (self.fetching.try_lock(), meanwhile) {
                // Whoever names a key that nobody has must not hold up those whose keys are there.
                (Err(_), Some(set)) => Look::Use(set),
                (Ok(_turn), _) => self.look_anew(oauth, keys, kid, age_max).await,
                (Err(_), None) => {
                    let _turn = self.fetching.lock().await;
                    self.look_anew(oauth, keys, kid, age_max).await
                }
            };
        }
        match look {
            Look::Use(set) => Ok(signed.verified(&set)?),
            Look::Fetch(_) | Look::Nothing => Err(Refused::Unanswered),
        }
    }

    fn look(&self, keys: &Url, kid: Option<&str>, age_max: Duration) -> Look {
        self.fetched().look(keys, kid, age_max, self.now().mono)
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn fetched(&self) -> MutexGuard<'_, Fetched> {
        self.fetched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches the keys, unless whoever had the turn before has brought them.
    async fn look_anew(&self, oauth: &OAuth, keys: &Url, kid: Option<&str>, age_max: Duration) -> Look {
        let before = self.look(keys, kid, age_max);
        if !matches!(before, Look::Fetch(_)) {
            return before;
        }
        match self.fetch(oauth, keys).await {
            Ok(set) => self.fetched().put(set, self.now().mono),
            Err(why) => {
                self.fetched().failed(self.now().mono);
                self.unanswered(oauth, &why);
            }
        }
        self.look(keys, kid, age_max)
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
