//! The host that benches run plugins in, a session of it, and the envelope that they ask about.

use mta_core::base::event::Event;
use mta_core::base::flow::operator::suppression::Suppress;
use mta_core::base::flow::policy::{Policy, SessionInfo, SessionPolicy};
use mta_core::base::mail::address::Address;
use mta_core::base::mail::envelope::{BodyType, Envelope, Recipient};
use mta_core::base::world::Observe;
use mta_core::edge::world::clock::SystemClock;
use mta_core::edge::world::dice::SystemDice;
use mta_core::edge::world::dns::HickoryDns;
use mta_core::edge::world::http::HyperClient;
use mta_core::edge::world::net::SystemNet;
use mta_core::edge::world::ticker;
use mta_core::path::policy::{Host, HostSettings};
use mta_core::sandbox::Reach;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Says when a figure is worthless, because its plugin failed.
pub(crate) struct Faults;

impl Observe for Faults {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::PluginFault { .. }) {
            println!("a figure below is worthless: {event:?}");
        }
    }
}

/// A host without plugins.
pub(crate) fn without_plugins(suppress: Option<Arc<dyn Suppress>>) -> Result<Host, Box<dyn Error>> {
    let reach = Reach {
        dice: Arc::new(SystemDice::new()?),
        dns: Arc::new(HickoryDns::new(&[])?),
        http: Arc::new(HyperClient::new(Arc::new(SystemNet))),
    };
    let settings = HostSettings::new(Arc::new(SystemClock), Arc::new(Faults), reach);
    let host = Host::new(HostSettings { suppress, ..settings })?;
    ticker::spawn(host.pulse())?;
    Ok(host)
}

/// A session of a client on this machine.
pub(crate) fn session(host: &Host) -> Box<dyn SessionPolicy> {
    host.session(SessionInfo {
        id: "bench".into(),
        listener: "mx".into(),
        peer: SocketAddr::from((Ipv4Addr::LOCALHOST, 4711)),
        helo: None,
        tls: None,
        user: None,
    })
}

/// A message to one recipient.
pub(crate) fn envelope() -> Result<Envelope, Box<dyn Error>> {
    let recipient = Recipient { address: Address::parse("a@example.net")?, notify: None, orcpt: None };
    Ok(Envelope {
        sender: Some(Address::parse("from@example.org")?),
        recipients: vec![recipient],
        body: BodyType::SevenBit,
        smtputf8: false,
        ret: None,
        envid: None,
    })
}
