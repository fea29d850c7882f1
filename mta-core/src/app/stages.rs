//! What each stage is built of: the other stages' doors and the outside.

use crate::base::flow::operator::suppression::Suppress;
use crate::base::flow::policy::Policy;
use crate::base::flow::spool::Spool;
use crate::base::flow::tls_result::TlsResults;
use crate::base::mail::tie::Key;
use crate::base::sasl::stored;
use crate::base::world::dns::{Dns, SignedDns};
use crate::base::world::net::Net;
use crate::base::world::store::{Journal, StoreFault};
use crate::base::world::{Clock, Dice, Observe};
use crate::config::model::{Config, Delivery};
use crate::edge::observe::mask::Mask;
use crate::edge::plugins::compiler::Compiler;
use crate::edge::supplies::{self, Shelf};
use crate::edge::tls::Keyring;
use crate::edge::world::clock::SystemClock;
use crate::edge::world::dice::SystemDice;
use crate::edge::world::dns::HickoryDns;
use crate::edge::world::dns::signed::ValidatingDns;
use crate::edge::world::http::HyperClient;
use crate::edge::world::maildir::FileMaildirs;
use crate::edge::world::net::SystemNet;
use crate::edge::world::ticker;
use crate::path::auth::driver::{Authenticator, Parts as AuthParts, Secrets, Users};
use crate::path::deliver::driver::{Deliverer, Parts};
use crate::path::deliver::sign::driver::Signer;
use crate::path::deliver::trust::driver::{Doors as PromiseDoors, Promises};
use crate::path::feedback::driver::Teller;
use crate::path::policy::{Host, HostSettings};
use crate::path::queue::driver as queue;
use crate::path::receive::doors::Doors;
use crate::path::settle::Settler;
use crate::path::spool::driver as spool;
use crate::path::verify::driver::Verifier;
use crate::report::driver::{self as report, Reporter};
use crate::sandbox::{Reach, Standing};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::watch;

/// What the stages share of the outside.
pub(super) struct World {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) dice: Arc<dyn Dice>,
    pub(super) net: Arc<dyn Net>,
    pub(super) dns: Arc<dyn Dns>,
    pub(super) signed: Arc<dyn SignedDns>,
    pub(super) observe: Arc<dyn Observe>,
}

impl World {
    /// The real one.
    pub(super) fn new(config: &Config, observe: Arc<dyn Observe>) -> Result<Self, String> {
        let Delivery { dns_servers, dns_trust_anchor, .. } = &config.delivery;
        let signed = ValidatingDns::new(dns_servers, dns_trust_anchor.as_deref(), Arc::clone(&observe))?;
        Ok(Self {
            clock: Arc::new(SystemClock),
            dice: Arc::new(SystemDice::new().map_err(|error| format!("no randomness: {error}"))?),
            net: Arc::new(SystemNet),
            dns: Arc::new(HickoryDns::new(dns_servers)?),
            signed: Arc::new(signed),
            observe,
        })
    }
}

/// What the log may show, as the configuration wants it.
pub(super) fn mask(config: &Config) -> Result<Mask, String> {
    Mask::of(config.log.addresses, || {
        let dice = SystemDice::new().map_err(|error| format!("no randomness: {error}"))?;
        supplies::log_key(&config.data_dir, &dice)
    })
}

/// What clients and their mail are judged by.
pub(super) struct Guards {
    /// What tells addresses that lead back to our mail.
    pub(super) key: Arc<Key>,
    /// The certificates.
    pub(super) keyring: Arc<Keyring>,
    /// The users.
    pub(super) users: Arc<Users>,
    /// Ours at those who know users too.
    pub(super) secrets: Arc<Secrets>,
    /// Who tells authors' domains.
    pub(super) reporter: Arc<Reporter>,
}

/// A host with its pulse, and no plugins yet.
pub(super) fn host(
    world: &World,
    compiler: Compiler,
    journal: Option<Arc<dyn Journal>>,
    suppress: Option<Arc<dyn Suppress>>,
    key: Option<Arc<Key>>,
) -> Result<Host, String> {
    let reach = Reach {
        dice: Arc::clone(&world.dice),
        dns: Arc::clone(&world.dns),
        http: Arc::new(HyperClient::new(Arc::clone(&world.net))),
    };
    let settings = HostSettings::new(Arc::clone(&world.clock), Arc::clone(&world.observe), reach);
    let host = Host::new(HostSettings { journal, suppress, key, compiler: Arc::new(compiler), ..settings })?;
    ticker::spawn(host.pulse()).map_err(|error| format!("no thread for plugins: {error}"))?;
    Ok(host)
}

/// Who knows how mail that leaves looks to others. Must be called within the runtime.
pub(super) fn standing(world: &World, shelf: &Shelf, config: watch::Receiver<Arc<Config>>) -> Result<Standing, String> {
    let (dns, clock, observe) = (Arc::clone(&world.dns), Arc::clone(&world.clock), Arc::clone(&world.observe));
    Ok(Standing {
        signers: Arc::new(Signer::new(shelf.keys(), Arc::clone(&world.clock), Handle::current())),
        sender_policy: Arc::new(Verifier::new(config.clone(), dns, clock, observe)?),
        config,
    })
}

/// What receive needs of the other stages.
pub(super) fn receive_doors(
    spool: &Arc<spool::SpoolDoor>,
    policy: Arc<dyn Policy>,
    config: &watch::Sender<Arc<Config>>,
    world: &World,
    guards: Guards,
) -> Result<Arc<Doors>, String> {
    let Guards { key, keyring, users, secrets, reporter } = guards;
    let (clock, observe) = (Arc::clone(&world.clock), Arc::clone(&world.observe));
    let verifier = Verifier::new(config.subscribe(), Arc::clone(&world.dns), clock.clone(), observe.clone())?
        .with_reports(reporter);
    let tls = Arc::<Keyring>::clone(&keyring);
    let users = authenticator(users, secrets, config.subscribe(), Arc::clone(&policy), world, tls);
    let doors = Doors::new(
        config.subscribe(),
        Arc::<spool::SpoolDoor>::clone(spool) as Arc<dyn Spool>,
        policy,
        observe,
        clock,
        Arc::clone(&world.dice),
        key,
    );
    Ok(Arc::new(doors.with_tls(keyring).with_users(users).with_verifier(Arc::new(verifier))))
}

/// What other domains are told, with what was counted before.
pub(super) async fn reporter(world: &World, journal: Option<Arc<dyn Journal>>) -> Result<Arc<Reporter>, StoreFault> {
    let parts = report::Parts {
        dns: Arc::clone(&world.dns),
        http: Arc::new(HyperClient::new(Arc::clone(&world.net))),
        clock: Arc::clone(&world.clock),
        dice: Arc::clone(&world.dice),
        observe: Arc::clone(&world.observe),
    };
    Reporter::open(journal, parts).await.map(Arc::new)
}

/// Who knows the users, and checks what clients say.
fn authenticator(
    users: Arc<Users>,
    secrets: Arc<Secrets>,
    config: watch::Receiver<Arc<Config>>,
    policy: Arc<dyn Policy>,
    world: &World,
    tls: Arc<Keyring>,
) -> Arc<Authenticator> {
    Arc::new(Authenticator::new(AuthParts {
        users,
        secrets,
        config,
        clock: Arc::clone(&world.clock),
        policy,
        dns: Arc::clone(&world.dns),
        http: Arc::new(HyperClient::new(Arc::clone(&world.net))),
        net: Arc::clone(&world.net),
        tls,
        observe: Arc::clone(&world.observe),
        fits: Arc::new(stored::Verifier::fits),
    }))
}

/// What domains promise of their hosts, of which nothing is known yet.
pub(super) fn promises(
    world: &World,
    config: &watch::Sender<Arc<Config>>,
    journal: Option<Arc<dyn Journal>>,
    results: Arc<dyn TlsResults>,
) -> Promises {
    Promises::new(PromiseDoors {
        config: config.subscribe(),
        clock: Arc::clone(&world.clock),
        dns: Arc::clone(&world.dns),
        signed: Arc::clone(&world.signed),
        http: Arc::new(HyperClient::new(Arc::clone(&world.net))),
        journal,
        results,
        observe: Arc::clone(&world.observe),
    })
}

/// What domains promise of the TLS of their hosts: where that is kept, and who tells them what became of it.
pub(super) struct Promised {
    pub(super) kept: Option<Arc<dyn Journal>>,
    pub(super) results: Arc<dyn TlsResults>,
}

/// Deliver, with its keys; it signs on the threads that this is called on.
pub(super) async fn deliverer(
    world: &World,
    keyring: &Arc<Keyring>,
    config: &watch::Sender<Arc<Config>>,
    policy: &Arc<dyn Policy>,
    shelf: &Shelf,
    key: &Arc<Key>,
    promised: Promised,
) -> Result<Arc<Deliverer>, String> {
    let Promised { kept, results } = promised;
    let promises = Arc::new(promises(world, config, kept, Arc::clone(&results)));
    promises.recall().await.map_err(|fault| format!("the journal of MTA-STS policies: {fault}"))?;
    Ok(Arc::new(Deliverer::new(Parts {
        config: config.subscribe(),
        clock: Arc::clone(&world.clock),
        dice: Arc::clone(&world.dice),
        net: Arc::clone(&world.net),
        tls: Arc::<Keyring>::clone(keyring),
        dns: Arc::clone(&world.dns),
        promises,
        results,
        maildirs: Arc::new(FileMaildirs),
        sign: Arc::new(Signer::new(shelf.keys(), Arc::clone(&world.clock), Handle::current())),
        policy: Arc::clone(policy),
        key: Arc::clone(key),
        observe: Arc::clone(&world.observe),
    })))
}

/// What the queue needs of the other stages.
pub(super) fn queue_doors(
    spool: &Arc<spool::SpoolDoor>,
    deliver: &Arc<Deliverer>,
    policy: &Arc<dyn Policy>,
    config: &watch::Sender<Arc<Config>>,
    world: &World,
    key: &Arc<Key>,
) -> queue::Doors {
    let teller = Teller {
        config: config.subscribe(),
        key: Arc::clone(key),
        policy: Arc::clone(policy),
        clock: Arc::clone(&world.clock),
        observe: Arc::clone(&world.observe),
    };
    queue::Doors {
        spool: Arc::<spool::SpoolDoor>::clone(spool),
        deliver: Arc::<Deliverer>::clone(deliver),
        policy: Arc::clone(policy),
        feedback: Arc::new(teller),
        settle: Arc::new(Settler::new(config.subscribe(), Arc::clone(&world.dice))),
        clock: Arc::clone(&world.clock),
        observe: Arc::clone(&world.observe),
    }
}
