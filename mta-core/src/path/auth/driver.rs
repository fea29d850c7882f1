//! Checks passwords on threads of their own, so many at once; the rest is looked up.

use super::accounts::Accounts;
use super::throttle::{Patience, Throttle};
use crate::base::flow::Answer;
use crate::base::sasl::Hidden;
use crate::base::sasl::door::{Authenticate, Checked, Later, Offered};
use crate::base::sasl::stored::{ScramKeys, Verifier};
use crate::base::world::Clock;
use crate::config::model::Config;
use arc_swap::ArcSwap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

/// The users in force; whoever reads their file puts newer ones here.
pub type Users = ArcSwap<Accounts>;

/// Whether a password fits: slow, and done on a thread that may be slow.
pub type Fits = dyn Fn(&Verifier, &str) -> bool + Send + Sync;

/// The stage.
pub struct Authenticator {
    users: Arc<Users>,
    config: watch::Receiver<Arc<Config>>,
    clock: Arc<dyn Clock>,
    fits: Arc<Fits>,
    throttle: Mutex<Throttle>,
    turns: Mutex<Turns>,
}

/// One permit for each check that may run; made anew when the configuration has another number.
struct Turns {
    checks_max: usize,
    permits: Arc<Semaphore>,
}

impl Authenticator {
    /// The stage; `fits` is [`Verifier::fits`], but for tests.
    #[must_use]
    pub fn new(
        users: Arc<Users>,
        config: watch::Receiver<Arc<Config>>,
        clock: Arc<dyn Clock>,
        fits: Arc<Fits>,
    ) -> Self {
        let turns = Mutex::new(Turns { checks_max: 0, permits: Arc::new(Semaphore::new(0)) });
        Self { users, config, clock, fits, throttle: Mutex::default(), turns }
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
    async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let (checks_max, wait) = {
            let auth = &self.config.borrow().auth;
            (auth.checks_max, auth.check_wait)
        };
        let permits = {
            let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
            if turns.checks_max != checks_max {
                *turns = Turns { checks_max, permits: Arc::new(Semaphore::new(checks_max)) };
            }
            Arc::clone(&turns.permits)
        };
        let over = self.clock.sleep_until(self.clock.mono() + wait);
        tokio::select! {
            biased;
            permit = permits.acquire_owned() => permit.ok(),
            () = over => None,
        }
    }

    async fn checked(&self, peer: IpAddr, name: &str, password: Hidden) -> Checked {
        if !self.admit(peer, name) {
            return Checked::Later(Later::Held);
        }
        let accounts = self.users.load_full();
        let Some(verifier) = accounts.verifier(name) else { return Checked::IsNot { known: false } };
        let Some(permit) = self.turn().await else {
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
        match (hashed.await, accounts.user(name)) {
            (Ok(true), Some(user)) => {
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
}

impl Authenticate for Authenticator {
    fn offered(&self) -> Offered {
        self.users.load().offered()
    }

    fn check<'a>(&'a self, peer: IpAddr, name: &'a str, password: Hidden) -> Answer<'a, Checked> {
        Box::pin(self.checked(peer, name, password))
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
