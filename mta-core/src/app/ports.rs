//! The ports: all are opened before the first is served, so that one that is taken refuses the start.

use crate::base::event::Event;
use crate::base::world::Observe;
use crate::base::world::net::{Listener, Net};
use crate::config::model::acme::Challenge;
use crate::config::model::listener as model;
use crate::config::model::{Config, HttpListener};
use crate::edge::observe::exposition::Metrics;
use crate::edge::observe::scrape;
use crate::path::receive::doors::Doors;
use crate::path::receive::driver::{self as receive, Phase};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A listener, and its open port.
pub(super) type Port = (Arc<model::Listener>, Box<dyn Listener>);

pub(super) fn bind(config: &Config, net: &dyn Net) -> Result<Vec<Port>, String> {
    let bind = |listener: &Arc<model::Listener>| {
        let port = net.listen(listener.bind);
        let port = port.map_err(|error| format!("listener `{}`: {}: {error}", listener.name, listener.bind))?;
        Ok((Arc::clone(listener), port))
    };
    config.listeners.iter().map(bind).collect()
}

/// Opens the port for what gathers metrics, if there is to be one.
pub(super) fn serve_metrics(
    config: &Config,
    net: &dyn Net,
    observe: &dyn Observe,
    metrics: &Arc<Metrics>,
    beside: &mut JoinSet<()>,
) -> Result<(), String> {
    let Some(at) = config.metrics.bind else { return Ok(()) };
    let port = net.listen(at).map_err(|error| format!("metrics.bind: {at}: {error}"))?;
    observe.event(Event::Listening { listener: "metrics", address: port.local() });
    let metrics = Arc::clone(metrics);
    beside.spawn(async move { scrape::serve(port, metrics).await });
    Ok(())
}

/// A public HTTP listener, and its open port.
pub(super) type PublicPort = (HttpListener, Box<dyn Listener>);

/// The public HTTP ports, open.
pub(super) fn bind_public(config: &Config, net: &dyn Net) -> Result<Vec<PublicPort>, String> {
    let bind = |http: &HttpListener| {
        let port = net.listen(http.bind);
        let port = port.map_err(|error| format!("http `{}`: {}: {error}", http.name, http.bind))?;
        Ok((http.clone(), port))
    };
    config.http.iter().map(bind).collect()
}

/// The port at which an authority asks whether our names are ours, and how it asks; none where no certificate is issued.
pub(super) type AcmePort = Option<(Challenge, Box<dyn Listener>)>;

/// Opens that port.
pub(super) fn bind_acme(config: &Config, net: &dyn Net) -> Result<AcmePort, String> {
    let Some(acme) = &config.acme else { return Ok(None) };
    let port = net.listen(acme.bind).map_err(|error| format!("acme.bind: {}: {error}", acme.bind))?;
    Ok(Some((acme.challenge, port)))
}

/// Serves SMTP at these ports.
pub(super) fn serve_mail(ports: Vec<Port>, doors: &Arc<Doors>, phase: &watch::Sender<Phase>) -> JoinSet<()> {
    let mut listeners = JoinSet::new();
    for (listener, port) in ports {
        receive::announce(&*port, &listener.name, doors);
        listeners.spawn(receive::serve(port, listener, Arc::clone(doors), phase.subscribe()));
    }
    listeners
}
