//! The configuration in force, and what changes it while the server runs: SIGHUP all of it, an operator the plugins alone.

use super::stages::mask;
use crate::base::event::Event;
use crate::base::flow::Answer;
use crate::base::flow::operator::buckets::{BucketPage, BucketQuery};
use crate::base::flow::operator::trial::Differences;
use crate::base::flow::operator::{OperatePlugins, Recording, Serving};
use crate::base::world::Observe;
use crate::config::model::acme::Challenge;
use crate::config::model::{Config, Plugin, PluginSource};
use crate::edge::config_file::ConfigFile;
use crate::edge::observe::EventLog;
use crate::edge::plugins;
use crate::edge::plugins::watch::Watch;
use crate::edge::supplies::Shelf;
use crate::edge::tls::{Keyring, Reading as Certificates, Wanted};
use crate::path::policy::Host;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, watch};

/// How often the files of watched plugins are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// What a reload reads, and what it changes.
pub(super) struct Reloads {
    file: ConfigFile,
    /// The stages read it when they need it, and the queue is told of a change.
    config: watch::Sender<Arc<Config>>,
    host: Host,
    /// The files that plugins are supplied from.
    shelf: Arc<Shelf>,
    /// The listeners' certificates.
    keyring: Arc<Keyring>,
    log: Arc<EventLog>,
    /// One at a time, in the order in which they were asked for.
    turn: Mutex<()>,
}

impl Reloads {
    pub(super) fn new(
        file: ConfigFile,
        config: watch::Sender<Arc<Config>>,
        host: Host,
        shelf: Arc<Shelf>,
        keyring: Arc<Keyring>,
        log: Arc<EventLog>,
    ) -> Self {
        Self { file, config, host, shelf, keyring, log, turn: Mutex::new(()) }
    }

    /// The configuration in force.
    pub(super) fn present(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    /// Where it says what became of them.
    pub(super) fn log(&self) -> &Arc<EventLog> {
        &self.log
    }

    /// Puts the file's present configuration in force, whole or not at all, and says which.
    pub(super) async fn all(&self) {
        let path = self.file.path.display().to_string();
        match self.try_all().await {
            Ok(()) => self.log.event(Event::Reloaded { path: &path }),
            Err(why) => self.log.event(Event::ReloadRefused { path: &path, why: &why }),
        }
    }

    async fn try_all(&self) -> Result<(), String> {
        let _turn = self.turn.lock().await;
        let next = self.file.load()?;
        let present = self.present();
        if ports(&next) != ports(&present) || next.metrics != present.metrics {
            return Err(
                "a `bind` of `listener`, or `metrics`, changed: ports are opened at the start alone; restart the server".to_owned()
            );
        }
        if next.http != present.http {
            return Err("`http` changed: ports are opened at the start alone; restart the server".to_owned());
        }
        if challenge(&next) != challenge(&present) {
            return Err(
                "`acme.bind` or `acme.challenge` changed, or `[acme]` came or went: its port is opened at the start alone; restart the server".to_owned()
            );
        }
        if next.data_dir != present.data_dir || next.storage != present.storage {
            return Err(
                "`data_dir` or `storage` changed: they are read at the start alone; restart the server".to_owned()
            );
        }
        if next.threads != present.threads {
            return Err("`threads` changed: they are started once; restart the server".to_owned());
        }
        // Certificates are put in force with the rest: their files are read first, so that a bad one refuses the reload.
        let wanted = Wanted::of(&next);
        let certificates = tokio::task::spawn_blocking(move || Certificates::of(&wanted)).await;
        let certificates = certificates.map_err(|error| error.to_string())??;
        let mask = mask(&next)?;
        self.load(&next).await?;
        self.keyring.put(certificates, &*self.log);
        self.log.configure(&next.log, mask);
        self.config.send_replace(Arc::new(next));
        Ok(())
    }

    /// Of the file, the plugins with their secrets and tables come into force and nothing else: who reloads plugins need
    /// not look for what else was changed in it.
    async fn try_plugins(&self) -> Result<Serving, String> {
        let _turn = self.turn.lock().await;
        let Config { plugins, secrets, tables, .. } = self.file.load()?;
        let next = Config { plugins, secrets, tables, ..Config::clone(&self.present()) };
        self.load(&next).await?;
        self.config.send_replace(Arc::new(next));
        Ok(self.host.serving())
    }

    /// Reloads the plugins when the file of one changes whose operator wants it. Never ends.
    pub(super) async fn follow(&self) {
        let mut watch = Watch::default();
        loop {
            let watched: Vec<_> = self.present().plugins.iter().filter_map(watched).collect();
            let looked = tokio::task::spawn_blocking(move || (watch.look(&watched), watch)).await;
            let Ok((changed, again)) = looked else { return };
            watch = again;
            if changed {
                // The log says what became of it.
                let _ = self.reload().await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The plugins of a configuration, all or none.
    async fn load(&self, next: &Config) -> Result<(), String> {
        // Tables may be large, and this thread serves mail.
        let (shelf, wanted) = (Arc::clone(&self.shelf), next.clone());
        let reading = tokio::task::spawn_blocking(move || shelf.read(&wanted)).await;
        let reading = reading.map_err(|error| error.to_string())??;
        let loaded = self.host.load(&next.plugins, &reading.supplies, &plugins::read).await;
        loaded.map_err(|error| error.to_string())?;
        self.shelf.put(reading);
        Ok(())
    }
}

/// The ports that mail comes in by; what they are for may change while they are open.
fn ports(config: &Config) -> Vec<(&str, SocketAddr)> {
    config.listeners.iter().map(|listener| (&*listener.name, listener.bind)).collect()
}

/// The port at which an authority asks, and how it asks.
fn challenge(config: &Config) -> Option<(SocketAddr, Challenge)> {
    config.acme.as_ref().map(|acme| (acme.bind, acme.challenge))
}

/// The file of a plugin that is watched.
fn watched(plugin: &Plugin) -> Option<PathBuf> {
    match &plugin.source {
        PluginSource::File(path) if plugin.watch => Some(path.into()),
        _ => None,
    }
}

impl OperatePlugins for Reloads {
    fn serving(&self) -> Serving {
        self.host.serving()
    }

    fn reload(&self) -> Answer<'_, Result<Serving, String>> {
        Box::pin(async move {
            let began = Instant::now();
            let reloaded = self.try_plugins().await;
            match &reloaded {
                Ok(Serving { generation, plugins, .. }) => self.log.event(Event::PluginsReloaded {
                    generation: *generation,
                    plugins: plugins.len() as u64,
                    took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
                }),
                Err(why) => self.log.event(Event::PluginsReloadRefused { why }),
            }
            reloaded
        })
    }

    fn roll_back(&self) -> Answer<'_, Result<Serving, String>> {
        Box::pin(async move {
            let _turn = self.turn.lock().await;
            self.host.roll_back()
        })
    }

    fn differences(&self, plugin: Option<&str>) -> Result<Vec<Differences>, String> {
        self.host.differences(plugin)
    }

    fn buckets(&self, query: &BucketQuery) -> Result<BucketPage, String> {
        self.host.buckets(query)
    }

    fn record(&self, plugin: &str, calls: u64) -> Result<Box<dyn Recording>, String> {
        self.host.record(plugin, calls)
    }
}
