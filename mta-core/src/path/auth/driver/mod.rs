//! Checks passwords on threads of their own, so many at once; the rest is looked up, or others are asked.

mod remote;
mod requests;
mod tokens;

use super::accounts::Accounts;
use super::remote::{self as answers, Question};
use super::throttle::{Patience, Throttle};
use super::token::Unfit;
use super::token::claims::Shown;
use crate::base::flow::Answer;
use crate::base::flow::policy::{Policy, SessionInfo};
use crate::base::sasl::door::{Authenticate, Checked, Claim, Later, Offered, User};
use crate::base::sasl::sender::SenderPattern;
use crate::base::sasl::stored::{ScramKeys, Verifier};
use crate::base::sasl::{Hidden, Mechanism};
use crate::base::world::dns::Dns;
use crate::base::world::http::HttpClient;
use crate::base::world::net::Net;
use crate::base::world::tls::ClientTls;
use crate::base::world::{Clock, Observe};
use crate::config::model::Config;
use crate::config::model::auth::Auth;
use crate::config::model::auth::oauth::OAuth;
use crate::sandbox::Secret;
use arc_swap::ArcSwap;
use remote::{Known, Remote};
use requests::Requests;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokens::{Refused, Tokens};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The users in force; whoever reads their file puts newer ones here.
pub type Users = ArcSwap<Accounts>;

/// The secrets in force, by name: ours at those who are asked are among them.
pub type Secrets = ArcSwap<Vec<(Arc<str>, Arc<Secret>)>>;

/// Whether a password fits: slow, and done on a thread that may be slow.
pub type Fits = dyn Fn(&Verifier, &str) -> bool + Send + Sync;

/// What the stage is built of.
pub struct Parts {
    /// The users of the file.
    pub users: Arc<Users>,
    /// Ours at those who are asked.
    pub secrets: Arc<Secrets>,
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Plugins, one of which may know users.
    pub policy: Arc<dyn Policy>,
    /// Names.
    pub dns: Arc<dyn Dns>,
    /// Those who are asked.
    pub http: Arc<dyn HttpClient>,
    /// Connections to directories.
    pub net: Arc<dyn Net>,
    /// What protects them.
    pub tls: Arc<dyn ClientTls>,
    /// Who is told.
    pub observe: Arc<dyn Observe>,
    /// [`Verifier::fits`], but for tests.
    pub fits: Arc<Fits>,
}

/// The stage.
pub struct Authenticator {
    users: Arc<Users>,
    secrets: Arc<Secrets>,
    config: watch::Receiver<Arc<Config>>,
    clock: Arc<dyn Clock>,
    fits: Arc<Fits>,
    tokens: Tokens,
    remote: Remote,
    throttle: Mutex<Throttle>,
    /// Of passwords that we check ourselves.
    turns: Turns,
    /// Of what others are asked about.
    remote_turns: Turns,
}

/// One permit for each check that may run; made anew when the configuration has another number.
#[derive(Default)]
struct Turns(Mutex<Option<(usize, Arc<Semaphore>)>>);

impl Turns {
    fn permits(&self, checks_max: usize) -> Arc<Semaphore> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*turns {
            Some((known, permits)) if *known == checks_max => Arc::clone(permits),
            _ => Arc::clone(&turns.insert((checks_max, Arc::new(Semaphore::new(checks_max)))).1),
        }
    }
}

impl Authenticator {
    /// The stage.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { users, secrets, config, clock, policy, dns, http, net, tls, observe, fits } = parts;
        let requests = Arc::new(Requests { clock: Arc::clone(&clock), dns, http });
        let tokens = Tokens::new(Arc::clone(&requests), Arc::clone(&observe));
        let remote = Remote { policy, requests, net, tls, observe };
        let (turns, remote_turns) = (Turns::default(), Turns::default());
        Self { users, secrets, config, clock, fits, tokens, remote, throttle: Mutex::default(), turns, remote_turns }
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, peer: IpAddr, name: &str) -> bool {
        let patience = Patience::of(&self.config.borrow().auth);
        let now = self.clock.mono();
        self.throttle().admit(peer, name, patience, now)
    }

    /// One's turn to check, within the wait that is allowed.
    async fn turn(&self, turns: &Turns, checks_max: impl Fn(&Auth) -> usize) -> Option<OwnedSemaphorePermit> {
        let (checks_max, wait) = {
            let auth = &self.config.borrow().auth;
            (checks_max(auth), auth.check_wait)
        };
        let permits = turns.permits(checks_max);
        let over = self.clock.sleep_until(self.clock.mono() + wait);
        tokio::select! {
            biased;
            permit = permits.acquire_owned() => permit.ok(),
            () = over => None,
        }
    }

    async fn checked(&self, session: SessionInfo, claim: Claim) -> Checked {
        match claim {
            Claim::Password(how, name, password) => self.password_checked(&session, how, &name, password).await,
            Claim::Token(name, token) => self.token_checked(session.peer.ip(), name.as_deref(), &token).await,
        }
    }

    async fn password_checked(&self, session: &SessionInfo, how: Mechanism, name: &str, password: Hidden) -> Checked {
        let peer = session.peer.ip();
        if !self.admit(peer, name) {
            return Checked::Later(Later::Held);
        }
        let accounts = self.users.load_full();
        let config = Arc::clone(&self.config.borrow());
        // Whose password is here is asked for nowhere else, so that nobody else is shown it.
        if config.auth.others_know_passwords() && !accounts.has_password(name) {
            return self.others_asked(&Question { session, how, name, password: &password }, &config).await;
        }
        let Some(verifier) = accounts.verifier(name) else { return Checked::IsNot { known: false } };
        let Some(permit) = self.turn(&self.turns, |auth| auth.checks_max).await else {
            self.throttle().untried(peer, name);
            return Checked::Later(Later::Busy);
        };
        let fits = Arc::clone(&self.fits);
        // The permit goes with the work, which goes on when the session has ended meanwhile.
        let hashed = tokio::task::spawn_blocking(move || {
            let fits = fits(&verifier, password.reveal());
            drop(permit);
            fits
        });
        // Whose password is not here had somebody else's tried, so that it cost the same.
        match (hashed.await, accounts.user(name)) {
            (Ok(true), Some(user)) if accounts.has_password(name) => {
                self.throttle().succeeded(peer, name);
                Checked::Is(user)
            }
            (Ok(_), user) => Checked::IsNot { known: user.is_some() },
            (Err(_), _) => {
                self.throttle().untried(peer, name);
                Checked::Later(Later::Busy)
            }
        }
    }

    /// Others are asked about a password. A user of the file is as its line says, one that is not is as they say.
    async fn others_asked(&self, question: &Question<'_>, config: &Config) -> Checked {
        let (peer, name) = (question.session.peer.ip(), question.name);
        let Some(_permit) = self.turn(&self.remote_turns, |auth| auth.remote_checks_max).await else {
            self.throttle().untried(peer, name);
            return Checked::Later(Later::Busy);
        };
        let written = self.users.load().user(name);
        let known = self.remote.check(config, question, |name| self.secret(name)).await;
        let user = match known {
            Known::No => return Checked::IsNot { known: written.is_some() },
            Known::Unanswered => None,
            Known::Yes(found, of) => match written.map_or_else(|| answers::user(name, found, config), Ok) {
                Ok(user) => Some(user),
                Err(why) => {
                    self.remote.unanswered(&config.auth, of, &why);
                    None
                }
            },
        };
        let Some(user) = user else {
            self.throttle().untried(peer, name);
            return Checked::Later(Later::Unanswered);
        };
        self.throttle().succeeded(peer, name);
        Checked::Is(user)
    }

    /// The secret of that name.
    fn secret(&self, name: &str) -> Option<Arc<Secret>> {
        let secrets = self.secrets.load();
        secrets.iter().find(|(known, _)| **known == *name).map(|(_, secret)| Arc::clone(secret))
    }

    /// Tokens can't be guessed, so that failures are counted by client alone: by name, whoever likes could keep anybody out.
    async fn token_checked(&self, peer: IpAddr, claimed: Option<&str>, token: &Hidden) -> Checked {
        let config = Arc::clone(&self.config.borrow());
        let Some(oauth) = &config.auth.oauth else { return Checked::IsNot { known: false } };
        if !self.admit(peer, "") {
            return Checked::Later(Later::Held);
        }
        let Some(_permit) = self.turn(&self.remote_turns, |auth| auth.remote_checks_max).await else {
            self.throttle().untried(peer, "");
            return Checked::Later(Later::Busy);
        };
        let shown = self.tokens.shown(token, oauth, |name| self.secret(name)).await;
        let user = shown.and_then(|shown| Ok(self.user_of(&shown, claimed, oauth, &config)?));
        match user {
            Ok(user) => {
                self.throttle().succeeded(peer, "");
                Checked::Is(user)
            }
            Err(Refused::Unanswered) => {
                self.throttle().untried(peer, "");
                Checked::Later(Later::Unanswered)
            }
            Err(Refused::Unfit(unfit)) => {
                if unfit.is_honest() {
                    self.throttle().untried(peer, "");
                }
                let known = claimed.is_some_and(|name| unfit.has_name() || self.users.load().user(name).is_some());
                Checked::Unfit { known, why: unfit.why() }
            }
        }
    }

    /// The user whom a token shows: of the file of users, or else one of whom the configuration says that a token is
    /// enough.
    fn user_of(
        &self,
        shown: &Shown,
        claimed: Option<&str>,
        oauth: &OAuth,
        config: &Config,
    ) -> Result<Arc<User>, Unfit> {
        let name = &*shown.user;
        if claimed.is_some_and(|claimed| claimed != name) {
            return Err(Unfit::Another);
        }
        if let Some(user) = self.users.load().user(name) {
            return Ok(user);
        }
        if !oauth.users.iter().any(|pattern| pattern.matches(name)) {
            return Err(Unfit::Unknown);
        }
        let own = name.parse().map_err(|_| Unfit::Senderless)?;
        let tenant = config.tenant_of_user(name).cloned();
        Ok(Arc::new(User { name: name.into(), tenant, senders: vec![SenderPattern::Address(own)] }))
    }
}

impl Authenticate for Authenticator {
    fn offered(&self) -> Offered {
        let config = self.config.borrow();
        let here = self.users.load().offered();
        // Others have no keys for SCRAM to give, so that their users could not log in by it.
        let others = config.auth.others_know_passwords();
        Offered { passwords: here.passwords || others, keys: here.keys && !others, tokens: config.auth.oauth.is_some() }
    }

    fn check(&self, session: SessionInfo, claim: Claim) -> Answer<'_, Checked> {
        Box::pin(self.checked(session, claim))
    }

    fn keys(&self, peer: IpAddr, name: &str) -> Result<ScramKeys, Later> {
        match self.admit(peer, name) {
            true => Ok(self.users.load().keys(name)),
            false => Err(Later::Held),
        }
    }

    fn proven(&self, peer: IpAddr, name: &str, proven: bool) -> Checked {
        match (proven, self.users.load().user(name)) {
            (true, Some(user)) => {
                self.throttle().succeeded(peer, name);
                Checked::Is(user)
            }
            (_, user) => Checked::IsNot { known: user.is_some() },
        }
    }
}
