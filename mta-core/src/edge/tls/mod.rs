//! TLS on both sides: the listeners' certificates and the roots that routes trust, read at the start and at each reload,
//! and anew when their files change.

pub mod acme;
mod dane;
mod end_point;
mod identity;
pub(in crate::edge) mod outgoing;
mod peer;
mod provider;
mod side;
#[cfg(test)]
mod tests;
mod x509;

use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::time::UnixMillis;
use crate::base::world::Observe;
use crate::base::world::metrics::{Family, Kind, Measure, Value};
use crate::base::world::net::Socket;
use crate::base::world::tls::{ClientTls, Secured, ServerTls, Trust, Unsecured};
use crate::config::model::Config;
use crate::config::model::listener::Listener;
use crate::edge::supplies::file::{self, Version};
use crate::edge::world::clock::wall;
use identity::Identity;
use outgoing::Outgoing;
use side::Side;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// A certificate that ends sooner than this is told of, in seconds: most are renewed a month before. Of one that holds for
/// days alone the last quarter is soon.
const SOON: i64 = 14 * 86_400;

/// The certificates in force.
#[derive(Default)]
pub struct Keyring {
    in_force: Mutex<InForce>,
}

#[derive(Default)]
struct InForce {
    /// How often something was put here.
    generation: u64,
    reading: Arc<Reading>,
    /// Newer versions of the files, at the last look: they are read when they have not changed till the next.
    changing: Option<Seen>,
    /// Versions that can't be used: told once.
    refused: Option<Seen>,
}

/// Files with their versions; none where there is no file.
type Seen = Vec<(PathBuf, Version)>;

/// Whose files are to be read.
#[derive(Clone, Default)]
pub struct Wanted {
    listeners: Vec<Arc<Listener>>,
    /// Roots of hosts that routes verify, and of an authority that issues certificates.
    authorities: Vec<PathBuf>,
    /// A file that comes into being later: until then it is passed over.
    awaited: Option<PathBuf>,
}

impl Wanted {
    /// What a configuration names.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let named = config.routes.iter().filter_map(|route| match route.tls.as_ref()?.trust() {
            Trust::File(path) => Some(path.clone()),
            Trust::Anyone | Trust::System | Trust::Dane(_) => None,
        });
        let directory = config.auth.ldap.as_ref().and_then(|ldap| match &ldap.trust {
            Trust::File(path) => Some(path.clone()),
            Trust::Anyone | Trust::System | Trust::Dane(_) => None,
        });
        let issuer = config.acme.as_ref();
        let authorities = named.chain(directory).chain(issuer.and_then(|acme| acme.ca.clone())).collect();
        let awaited = issuer.map(|acme| acme.certificate().cert);
        Self { listeners: config.listeners.clone(), authorities, awaited }
    }
}

/// What was read, and is not in force yet.
#[derive(Default)]
pub struct Reading {
    wanted: Wanted,
    outgoing: Arc<Outgoing>,
    sides: BTreeMap<Arc<str>, Arc<Side>>,
    identities: Vec<Arc<Identity>>,
    seen: Seen,
}

impl Reading {
    /// Reads them.
    ///
    /// # Errors
    /// A line for each listener and each authority that can't be used.
    pub fn of(wanted: &Wanted) -> Result<Self, String> {
        // Versions first: a file that changes meanwhile is found newer at the next look.
        let mut reading = Self { wanted: wanted.clone(), seen: seen(wanted), ..Self::default() };
        let mut wrong = Vec::new();
        match Outgoing::with(wanted.authorities.iter().map(PathBuf::as_path)) {
            Ok(outgoing) => reading.outgoing = Arc::new(outgoing),
            Err(why) => wrong.push(why),
        }
        for listener in wanted.listeners.iter().filter(|listener| !listener.certificates.is_empty()) {
            let side = reading.certificates(listener).and_then(|own| match own[..] {
                [] => Ok(None),
                _ => Side::new(listener, own).map(Some),
            });
            match side {
                // None: the only one that it has is still to come.
                Ok(side) => drop(side.map(|side| reading.sides.insert(Arc::clone(&listener.name), Arc::new(side)))),
                Err(why) => wrong.push(format!("listener \"{}\": {why}", listener.name)),
            }
        }
        if wrong.is_empty() { Ok(reading) } else { Err(wrong.join("\n")) }
    }

    fn certificates(&mut self, listener: &Listener) -> Result<Vec<Arc<Identity>>, String> {
        let is_there = |path: &Path| self.seen.iter().any(|(seen, version)| seen == path && version.is_some());
        let named = listener.certificates.iter();
        let named: Vec<_> =
            named.filter(|files| self.wanted.awaited.as_ref() != Some(&files.cert) || is_there(&files.cert)).collect();
        let read = named.into_iter().map(|files| {
            if let Some(known) = self.identities.iter().find(|known| known.files == *files) {
                return Ok(Arc::clone(known));
            }
            let fresh = Arc::new(identity::read(files)?);
            self.identities.push(Arc::clone(&fresh));
            Ok(fresh)
        });
        read.collect()
    }

    /// What an operator should know of the certificates, a line for each that is not valid or soon will not be.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let now = wall();
        self.identities.iter().filter_map(|identity| warning(identity, now)).collect()
    }

    fn tell(&self, observe: &dyn Observe) {
        let now = wall();
        for identity in &self.identities {
            let path = identity.files.cert.display().to_string();
            let names = identity.names.join(" ");
            let expires = u64::try_from(identity.until).unwrap_or(0).saturating_mul(1000);
            let expires = UnixMillis(expires).to_string();
            observe.event(Event::CertificateLoaded { path: &path, names: &names, expires: &expires });
            if let Some(why) = warning(identity, now) {
                observe.event(Event::CertificateExpiring { path: &path, expires: &expires, why: &why });
            }
        }
    }
}

fn warning(identity: &Identity, now: UnixMillis) -> Option<String> {
    let path = identity.files.cert.display();
    match identity.left(now) {
        None => Some(format!("{path} is not valid yet: is the clock right?")),
        Some(left) if left < 0 => Some(format!("{path} has expired: clients that verify it will not send mail")),
        Some(left) if left < SOON.min(identity.until.saturating_sub(identity.from) / 4) => {
            Some(format!("{path} expires within {} days: renew it", left / 86_400 + 1))
        }
        Some(_) => None,
    }
}

/// Every file that is named, with its present version.
fn seen(wanted: &Wanted) -> Seen {
    let named = |listener: &Arc<Listener>| {
        let pairs = listener.certificates.iter().flat_map(|files| [files.cert.clone(), files.key.clone()]);
        pairs.chain(listener.client_ca.clone()).collect::<Vec<_>>()
    };
    let with_tls = wanted.listeners.iter().filter(|listener| !listener.certificates.is_empty());
    let mut paths: Vec<_> = with_tls.flat_map(named).chain(wanted.authorities.iter().cloned()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter().map(|path| (path.clone(), file::version_of(&path))).collect()
}

impl Keyring {
    /// Puts in force what was read, and tells of each certificate.
    pub fn put(&self, reading: Reading, observe: &dyn Observe) {
        reading.tell(observe);
        let mut in_force = self.in_force();
        let generation = in_force.generation + 1;
        *in_force = InForce { generation, reading: Arc::new(reading), changing: None, refused: None };
    }

    /// Looks at the files, for as long as it is polled.
    pub async fn watch(self: Arc<Self>, observe: Arc<dyn Observe>) {
        loop {
            tokio::time::sleep(LOOK).await;
            let (keyring, observe) = (Arc::clone(&self), Arc::clone(&observe));
            // Disks may be slow: not on the threads that serve.
            if tokio::task::spawn_blocking(move || keyring.look(&*observe)).await.is_err() {
                return;
            }
        }
    }

    /// Looks once. A reload meanwhile wins: it has read the files later.
    fn look(&self, observe: &dyn Observe) {
        let (generation, wanted) = {
            let in_force = self.in_force();
            (in_force.generation, in_force.reading.wanted.clone())
        };
        let now = seen(&wanted);
        {
            let mut in_force = self.in_force();
            let known = now == in_force.reading.seen || in_force.refused.as_ref() == Some(&now);
            if in_force.generation != generation || known {
                in_force.changing = None;
                return;
            }
            // A certificate and its key are two files, and are written one after the other.
            if in_force.changing.as_ref() != Some(&now) {
                in_force.changing = Some(now);
                return;
            }
        }
        let read = Reading::of(&wanted);
        if self.in_force().generation != generation {
            return;
        }
        match read {
            Ok(reading) => {
                let certificates = reading.identities.len() as u64;
                self.put(reading, observe);
                observe.event(Event::CertificatesReloaded { certificates });
            }
            Err(why) => {
                self.in_force().refused = Some(now);
                observe.event(Event::CertificatesRefused { why: &why });
            }
        }
    }

    fn side(&self, listener: &str) -> Option<Arc<Side>> {
        self.in_force().reading.sides.get(listener).cloned()
    }

    /// No change panics half-way, so what a poisoned lock guards is whole.
    fn in_force(&self) -> MutexGuard<'_, InForce> {
        self.in_force.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ServerTls for Keyring {
    fn is_ready(&self, listener: &str) -> bool {
        self.in_force().reading.sides.contains_key(listener)
    }

    fn accept(&self, listener: &str, socket: Box<dyn Socket>) -> Answer<'static, Result<Secured, String>> {
        let side = self.side(listener);
        Box::pin(async move {
            match side {
                Some(side) => side.accept(socket).await,
                None => Err("there is no certificate".to_owned()),
            }
        })
    }
}

impl ClientTls for Keyring {
    fn connect(
        &self,
        socket: Box<dyn Socket>,
        host: &str,
        trust: &Trust,
    ) -> Answer<'static, Result<Secured, Unsecured>> {
        let outgoing = Arc::clone(&self.in_force().reading.outgoing);
        let (host, trust) = (host.to_owned(), trust.clone());
        Box::pin(async move { outgoing.connect(socket, &host, &trust).await })
    }
}

impl Measure for Keyring {
    fn measure(&self, into: &mut Vec<Family>) {
        let reading = Arc::clone(&self.in_force().reading);
        if reading.identities.is_empty() {
            return;
        }
        let help = "When a certificate of ours expires, in seconds since 1970.";
        let mut family = Family::new("mailwright_certificate_expires_seconds", Kind::Gauge, help);
        for identity in &reading.identities {
            let path = identity.files.cert.display().to_string();
            family.push(&[("certificate", &path)], Value::Real(identity.until as f64));
        }
        into.push(family);
    }
}
