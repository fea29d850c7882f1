//! The wiring: the only file that knows every part. It builds the stages from the outside in, hands each the doors
//! that it needs, serves until a signal ends it, and drains in the direction in which mail flows.

#[cfg(test)]
mod pair_tests;
mod ports;
pub mod promised;
mod queue_task;
mod reloads;
mod stages;
mod threads;
pub mod trial;

use crate::base::event::Event;
use crate::base::flow::attempt::Deliver;
use crate::base::flow::operator::Operate;
use crate::base::flow::operator::reports::OperateReports;
use crate::base::flow::operator::suppression::Suppress;
use crate::base::flow::policy::Policy;
use crate::base::mail::tie::Key;
use crate::base::world::Observe;
use crate::base::world::store::{Journal, Store, StoreFault};
use crate::config::model::{Config, Engine};
use crate::edge::config_file::ConfigFile;
use crate::edge::control::server::{ControlSocket, Operations};
use crate::edge::control::socket_path;
use crate::edge::http::{self, Web};
use crate::edge::observe::exposition::Metrics;
use crate::edge::observe::tally::Tally;
use crate::edge::observe::{EventLog, Unheard};
use crate::edge::plugins;
use crate::edge::plugins::compiler::Compiler;
use crate::edge::store;
use crate::edge::supplies::{self, Shelf};
use crate::edge::tls::acme;
use crate::edge::tls::{Keyring, Reading as Certificates, Wanted};
use crate::edge::world::clock::SystemClock;
use crate::edge::world::signals::{Signal, Signals, raise_open_files_limit};
use crate::path::auth::driver::Secrets;
use crate::path::deliver::driver::Deliverer;
use crate::path::policy::Host;
use crate::path::queue::driver as queue;
use crate::path::receive::doors::Doors;
use crate::path::receive::driver::{self as receive, Phase};
use crate::path::spool::driver as spool;
use crate::path::suppress::driver::Suppressor;
use crate::report::driver::Reporter;
use ports::{AcmePort, PublicPort, bind, bind_acme, bind_public, serve_mail, serve_metrics};
use queue_task::QueueTask;
use reloads::Reloads;
use stages::{Guards, Promised, World, deliverer, host, mask, queue_doors, receive_doors, reporter, standing};
use std::pin::pin;
use std::slice;
use std::sync::Arc;
use std::time::Duration;
use threads::Threads;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Accepted messages on their way from the spool to the queue.
const ADMISSIONS_MAX: usize = 1024;

/// Where plugins' buckets are kept, in the data directory.
const PLUGIN_DATA: &str = "plugins";

/// Where suppression lists are kept, in the data directory.
const SUPPRESSION: &str = "suppression";

/// Where what is counted for reports is kept, in the data directory.
const REPORTS: &str = "reports";

/// The journal of MTA-STS policies, in the data directory.
const POLICIES: &str = "mta-sts";

/// The size of a file of one of these, in octets.
const PLUGIN_SEGMENT_BYTES: u64 = 4 * 1024 * 1024;

/// How long sessions may take to say 421 when the drain's limit has passed.
const CUT_LIMIT: Duration = Duration::from_secs(2);

/// How long plugins may take for the last that they are told.
const TELL_LIMIT: Duration = Duration::from_secs(2);

/// How long the last log lines may take.
const LOG_FLUSH_LIMIT: Duration = Duration::from_secs(2);

/// What the command line says about serving.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The configuration; read again at each reload.
    pub config: ConfigFile,
}

/// Serves mail until a signal ends it. Returns when all is drained.
///
/// # Errors
/// Lines for people: the configuration is wrong, a port is taken, the spool can't be opened, or mail went out no longer.
pub fn serve(options: ServeOptions) -> Result<(), String> {
    let ServeOptions { config: file } = options;
    let config = file.load()?;
    // Fewer descriptors mean fewer sessions, not none.
    let _ = raise_open_files_limit();
    let log = Arc::new(open_log(&config)?);
    let threads = Threads::start(config.threads)?;
    let result = threads.run(async {
        let mut signals = Signals::new().map_err(|error| format!("signals can't be taken over: {error}"))?;
        let server = Server::start(file, config, Arc::clone(&log), threads.deliver()).await?;
        server.run(&mut signals).await
    });
    // A reader too slow for the last lines has lost them; the mail does not depend on it.
    let _ = log.flush(LOG_FLUSH_LIMIT);
    result
}

/// Reads and checks the configuration, and loads its plugins as `serve` would: each is compiled, checked against its
/// grants, configured and tested. No port is bound, the spool is not opened, and nothing is logged. With it comes what
/// the operator should know of the certificates.
///
/// # Errors
/// Lines for people: what is wrong with the file, or else with each plugin.
pub fn check(file: &ConfigFile) -> Result<(Config, Vec<String>), String> {
    let config = file.load()?;
    let mut warnings = Certificates::of(&Wanted::of(&config))?.warnings();
    warnings.extend(config.reports_unsigned());
    let wrong = threads::run(async {
        let host =
            host(&World::new(&config, Arc::new(Unheard))?, Compiler::uncached(Arc::new(Unheard)), None, None, None)?;
        let mut wrong = Vec::new();
        let supplies = Shelf::default().read(&config)?.supplies;
        for plugin in &config.plugins {
            wrong.extend(
                host.load(slice::from_ref(plugin), &supplies, &plugins::read)
                    .await
                    .err()
                    .map(|error| error.to_string()),
            );
        }
        Ok::<_, String>(wrong)
    })?;
    if wrong.is_empty() { Ok((config, warnings)) } else { Err(wrong.join("\n")) }
}

/// Rebuilds the spool's index from its journal, while no server runs.
///
/// # Errors
/// Lines for people: a server runs with this data directory, or the disk fails.
pub fn rebuild_spool(options: ServeOptions) -> Result<(), String> {
    let ServeOptions { config: file } = options;
    let config = file.load()?;
    let log = open_log(&config)?;
    let records = threads::run(async {
        let store = open_store(&config)?;
        spool::rebuild(&*store, &log, &SystemClock).await.map_err(|fault| fault.to_string())
    })?;
    let _ = log.flush(LOG_FLUSH_LIMIT);
    println!("{}: the index was made again from {records} records", config.data_dir.display());
    Ok(())
}

fn open_log(config: &Config) -> Result<EventLog, String> {
    EventLog::start(&config.log, mask(config)?).map_err(|error| format!("the log can't be opened: {error}"))
}

fn open_store(config: &Config) -> Result<Arc<dyn Store>, String> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir).map_err(|error| format!("{}: {error}", dir.display()))?;
    match config.storage.engine {
        Engine::Memory => Ok(store::memory::open()),
        Engine::Sled => store::sled::open(dir, &config.storage).map_err(|fault| format!("{}: {fault}", dir.display())),
    }
}

/// A running server.
struct Server {
    reloads: Arc<Reloads>,
    log: Arc<EventLog>,
    host: Host,
    spool: Arc<spool::SpoolDoor>,
    spool_tasks: spool::Tasks,
    deliver: Arc<Deliverer>,
    queue: QueueTask,
    reporter: Arc<Reporter>,
    stop_queue: watch::Sender<bool>,
    doors: Arc<Doors>,
    phase: watch::Sender<Phase>,
    /// Accept loops: they end with the phase.
    listeners: JoinSet<()>,
    /// The public HTTP ports.
    web: Web,
    /// What runs beside the mail and is dropped with the server: operators, sweeps, the plugins' pulse.
    beside: JoinSet<()>,
}

impl Server {
    /// Starts it on the threads that this is called on, and mail that goes out on those.
    async fn start(file: ConfigFile, config: Config, log: Arc<EventLog>, outward: &Handle) -> Result<Self, String> {
        let world = World::new(&config, Arc::<EventLog>::clone(&log))?;
        let mut beside = JoinSet::new();
        // What can be refused is tried first, before the first port is open. The store keeps other servers out of
        // the directory.
        let store = open_store(&config)?;
        let shelf = Arc::new(Shelf::default());
        let suppressor = Arc::new(open_suppression(&config, &world).await?);
        let reporter = open_reports(&config, &world).await?;
        let key = supplies::key(&config.data_dir, &*world.dice)?;
        let host = load_plugins(&config, &world, &shelf, &suppressor, &key).await?;
        beside.spawn(Arc::clone(&shelf).watch(Arc::clone(&world.observe)));
        let keyring = open_keyring(&config, &world, &mut beside)?;
        let (users, secrets) = (shelf.users(), shelf.secrets());
        let domains = Promised { kept: open_journal(&config, POLICIES)?, results: Arc::<Reporter>::clone(&reporter) };
        let control = ControlSocket::bind(&socket_path(&config.data_dir)).map_err(|error| error.to_string())?;
        let (ports, public) = (bind(&config, &*world.net)?, bind_public(&config, &*world.net)?);
        let acme = bind_acme(&config, &*world.net)?;
        let metrics = Arc::new(Metrics(vec![
            Arc::<Tally>::clone(log.tally()),
            Arc::<Suppressor>::clone(&suppressor),
            Arc::<Keyring>::clone(&keyring),
            Arc::<Reporter>::clone(&reporter),
            Arc::new(host.clone()),
        ]));
        serve_metrics(&config, &*world.net, &*world.observe, &metrics, &mut beside)?;

        let (admit, admitted) = mpsc::channel(ADMISSIONS_MAX);
        let (spool, spool_tasks) =
            spool::open(store, Arc::clone(&world.observe), Arc::clone(&world.clock), config.storage.clone(), admit)
                .await
                .map_err(|fault| format!("{}: {fault}", config.data_dir.display()))?;
        let config = watch::Sender::new(Arc::new(config));
        issue_certificates(acme, &config, &secrets, &world, &mut beside);
        out_by(&spool, &host, &reporter, &config, (&world, &*shelf))?;
        let policy: Arc<dyn Policy> = Arc::new(host.clone());
        let deliver = deliverer(&world, &keyring, &config, &policy, &shelf, &key, domains).await?;
        run_beside(&host, &deliver, &reporter, &mut beside);

        let (stop_queue, stopped) = watch::channel(false);
        let parts = queue_doors(&spool, &deliver, &policy, &config, &world, &key);
        let (operate, queue) = queue::start(outward, parts, config.subscribe(), admitted, stopped);
        let reloads =
            Arc::new(Reloads::new(file, config.clone(), host.clone(), shelf, Arc::clone(&keyring), Arc::clone(&log)));
        let operations =
            operations(operate, &reloads, (suppressor, Arc::<Reporter>::clone(&reporter)), &world, metrics);
        serve_operators(control, operations, &reloads, &mut beside);

        let web = serve_public(public, &policy, &world);
        let guards = Guards { key, keyring, users, secrets, reporter: Arc::clone(&reporter) };
        let doors = receive_doors(&spool, policy, &config, &world, guards)?;
        let phase = watch::Sender::new(Phase::Serving);
        let listeners = serve_mail(ports, &doors, &phase);
        Ok(Self {
            reloads,
            log,
            host,
            spool,
            spool_tasks,
            deliver,
            queue: QueueTask::new(queue),
            reporter,
            stop_queue,
            doors,
            phase,
            listeners,
            web,
            beside,
        })
    }

    /// Serves until a signal asks for the end, then drains. A server that takes mail and delivers none would look well, so it
    /// ends too.
    async fn run(mut self, signals: &mut Signals) -> Result<(), String> {
        let hostname = self.reloads.present().hostname.clone();
        self.log.event(Event::Started { version: env!("CARGO_PKG_VERSION"), hostname: &hostname });
        let result = loop {
            let signal = tokio::select! {
                signal = signals.next() => signal,
                fault = self.queue.fault() => break Err(fault),
            };
            if signal == Signal::Terminate || self.reload_until_terminated(signals).await {
                break Ok(());
            }
        };
        tokio::select! {
            () = self.drain() => {}
            // Whoever asks twice means now: what was acknowledged is on disk in any case.
            () = asked_again(signals) => {}
        }
        result
    }

    /// Reloads for as long as that is asked for; whether the end was asked for meanwhile, which does not wait for a
    /// compiler.
    async fn reload_until_terminated(&self, signals: &mut Signals) -> bool {
        let mut again = true;
        while again {
            again = false;
            let mut reload = pin!(self.reloads.all());
            loop {
                tokio::select! {
                    signal = signals.next() => match signal {
                        Signal::Terminate => return true,
                        Signal::Reload => again = true,
                    },
                    () = &mut reload => break,
                }
            }
        }
        false
    }

    /// Mail in first, then mail out, then the spool: nothing is handed to a stage that has ended.
    async fn drain(mut self) {
        let limit = self.reloads.present().limits.drain;
        let sessions = self.doors.slots.open() as u64;
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.log.event(Event::Draining { sessions, limit_ms });
        self.phase.send_replace(Phase::Draining);
        self.stop_queue.send_replace(true);
        let (sessions_cut, ()) = tokio::join!(receive::drained(&self.doors, limit), self.web.drain(limit));
        let sessions_cut = sessions_cut as u64;
        self.phase.send_replace(Phase::Cutting);
        receive::drained(&self.doors, CUT_LIMIT).await;
        while self.listeners.join_next().await.is_some() {}
        self.web.close().await;
        let attempts_cut = self.queue.ended().await;
        self.deliver.close_idle().await;
        // What can't be told in time is lost to the plugins; the mail does not wait for it.
        let _ = tokio::time::timeout(TELL_LIMIT, self.host.told()).await;
        if let Err(fault) = self.host.save().await {
            self.log.event(Event::PluginDataUnkept { why: &fault.to_string() });
        }
        if let Err(fault) = self.reporter.save().await {
            self.log.event(Event::ReportsUnkept { why: &fault.to_string() });
        }
        self.spool.close().await;
        self.spool_tasks.ended().await;
        self.beside.shutdown().await;
        self.log.event(Event::Stopped { sessions_cut, attempts_cut });
    }
}

async fn asked_again(signals: &mut Signals) {
    while signals.next().await != Signal::Terminate {}
}

/// A journal of its own in the data directory, where anything is kept; and how its faults are told.
fn open_journal(config: &Config, name: &str) -> Result<Option<Arc<dyn Journal>>, String> {
    let dir = config.data_dir.join(name);
    match config.storage.engine {
        Engine::Memory => Ok(None),
        Engine::Sled => {
            let journal = store::journal::open(&dir, PLUGIN_SEGMENT_BYTES);
            Ok(Some(journal.map_err(|fault| unread(config, name, &fault))?))
        }
    }
}

fn unread(config: &Config, name: &str, fault: &StoreFault) -> String {
    format!("{}: {fault}", config.data_dir.join(name).display())
}

async fn open_suppression(config: &Config, world: &World) -> Result<Suppressor, String> {
    let journal = open_journal(config, SUPPRESSION)?;
    let opened = Suppressor::open(journal, Arc::clone(&world.clock), Arc::clone(&world.observe)).await;
    opened.map_err(|fault| unread(config, SUPPRESSION, &fault))
}

async fn open_reports(config: &Config, world: &World) -> Result<Arc<Reporter>, String> {
    let opened = reporter(world, open_journal(config, REPORTS)?).await;
    opened.map_err(|fault| unread(config, REPORTS, &fault))
}

/// The listeners' certificates, which are followed from here on.
fn open_keyring(config: &Config, world: &World, beside: &mut JoinSet<()>) -> Result<Arc<Keyring>, String> {
    let keyring = Arc::new(Keyring::default());
    keyring.put(Certificates::of(&Wanted::of(config))?, &*world.observe);
    beside.spawn(Arc::clone(&keyring).watch(Arc::clone(&world.observe)));
    Ok(keyring)
}

/// Has an authority issue certificates, beside the mail: nothing waits for it.
fn issue_certificates(
    port: AcmePort,
    config: &watch::Sender<Arc<Config>>,
    secrets: &Arc<Secrets>,
    world: &World,
    beside: &mut JoinSet<()>,
) {
    let Some((challenge, port)) = port else { return };
    let doors = acme::Doors {
        config: config.subscribe(),
        secrets: Arc::clone(secrets),
        clock: Arc::clone(&world.clock),
        dice: Arc::clone(&world.dice),
        net: Arc::clone(&world.net),
        dns: Arc::clone(&world.dns),
        observe: Arc::clone(&world.observe),
    };
    beside.spawn(acme::serve(doors, port, challenge));
}

async fn load_plugins(
    config: &Config,
    world: &World,
    shelf: &Shelf,
    suppressor: &Arc<Suppressor>,
    key: &Arc<Key>,
) -> Result<Host, String> {
    let journal = open_journal(config, PLUGIN_DATA)?;
    let compiler = Compiler::cached(&config.data_dir, Arc::clone(&world.observe));
    let suppress = Some(Arc::<Suppressor>::clone(suppressor) as Arc<dyn Suppress>);
    let host = host(world, compiler, journal, suppress, Some(Arc::clone(key)))?;
    host.recall().await.map_err(|fault| unread(config, PLUGIN_DATA, &fault))?;
    let reading = shelf.read(config)?;
    let loaded = host.load(&config.plugins, &reading.supplies, &plugins::read).await;
    loaded.map_err(|error| error.to_string())?;
    shelf.put(reading);
    Ok(host)
}

/// What plugins and deliveries do beside the mail.
fn run_beside(host: &Host, deliver: &Arc<Deliverer>, reporter: &Arc<Reporter>, beside: &mut JoinSet<()>) {
    let (ticking, keeping, sweeper) = (host.clone(), host.clone(), Arc::clone(deliver));
    let reporter = Arc::clone(reporter);
    beside.spawn(async move { reporter.run().await });
    beside.spawn(async move { ticking.tick().await });
    beside.spawn(async move { keeping.keep().await });
    beside.spawn(async move { sweeper.sweep().await });
}

/// Mail that begins here goes out by the spool, and plugins are told how it will look to others.
fn out_by(
    spool: &Arc<spool::SpoolDoor>,
    host: &Host,
    reporter: &Reporter,
    config: &watch::Sender<Arc<Config>>,
    (world, shelf): (&World, &Shelf),
) -> Result<(), String> {
    host.posts_to(Arc::<spool::SpoolDoor>::clone(spool), config.subscribe());
    reporter.posts_to(Arc::<spool::SpoolDoor>::clone(spool), config.subscribe());
    host.stands_by(standing(world, shelf, config.subscribe())?);
    Ok(())
}

/// The public HTTP ports, where plugins answer.
fn serve_public(ports: Vec<PublicPort>, policy: &Arc<dyn Policy>, world: &World) -> Web {
    let (observe, clock) = (Arc::clone(&world.observe), Arc::clone(&world.clock));
    Web::start(http::Doors { policy: Arc::clone(policy), observe, clock }, ports)
}

/// What operators do while it runs: by the socket, and by the files that they change.
fn serve_operators(control: ControlSocket, operations: Operations, reloads: &Arc<Reloads>, beside: &mut JoinSet<()>) {
    let following = Arc::clone(reloads);
    beside.spawn(async move { following.follow().await });
    beside.spawn(async move { control.serve(Arc::new(operations)).await });
}

/// What operators may ask.
fn operations(
    operate: Arc<dyn Operate>,
    reloads: &Arc<Reloads>,
    (suppress, reports): (Arc<dyn Suppress>, Arc<dyn OperateReports>),
    world: &World,
    metrics: Arc<Metrics>,
) -> Operations {
    Operations {
        operate,
        plugins: Arc::<Reloads>::clone(reloads),
        suppress,
        reports,
        clock: Arc::clone(&world.clock),
        metrics,
        log: Arc::clone(reloads.log()),
        hostname: Arc::clone(&reloads.present().hostname),
        started: world.clock.now().wall,
    }
}
