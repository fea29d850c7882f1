//! Small guests in WebAssembly text for the benches, and the host that they run in.

mod component;

use bytes::Bytes;
use component::component;
use mta_core::base::event::Event;
use mta_core::base::mail::address::Address;
use mta_core::base::mail::envelope::{BodyType, Envelope, Recipient};
use mta_core::base::world::Observe;
use mta_core::config::model::Plugin;
use mta_core::edge::world::clock::SystemClock;
use mta_core::edge::world::dice::SystemDice;
use mta_core::edge::world::dns::HickoryDns;
use mta_core::edge::world::http::HyperClient;
use mta_core::edge::world::net::SystemNet;
use mta_core::edge::world::ticker;
use mta_core::path::policy::{Host, HostSettings};
use mta_core::sandbox::{Reach, Supplies};
use std::error::Error;
use std::sync::Arc;

/// Says when a figure is worthless, because its plugin failed.
struct Faults;

impl Observe for Faults {
    fn event(&self, event: Event<'_>) {
        if matches!(event, Event::PluginFault { .. }) {
            println!("a figure below is worthless: {event:?}");
        }
    }
}

/// A host that serves these plugins.
pub(crate) async fn host(plugins: Vec<(Plugin, Bytes)>) -> Result<Host, Box<dyn Error>> {
    let reach = Reach {
        dice: Arc::new(SystemDice::new()?),
        dns: Arc::new(HickoryDns::new(&[])?),
        http: Arc::new(HyperClient::new(Arc::new(SystemNet))),
    };
    let host = Host::new(HostSettings::new(Arc::new(SystemClock), Arc::new(Faults), reach))?;
    ticker::spawn(host.pulse())?;
    let (plugins, octets): (Vec<Plugin>, Vec<Bytes>) = plugins.into_iter().unzip();
    let sources: Vec<_> = plugins.iter().map(|plugin| plugin.source.clone()).zip(octets).collect();
    let read = move |wanted: &_| {
        let found = sources.iter().find(|(source, _)| source == wanted);
        found.map(|(_, octets)| octets.clone()).ok_or_else(|| "not in this bench".to_owned())
    };
    host.load(&plugins, &Supplies::default(), &read).await?;
    Ok(host)
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

/// A component with one hook, that imports these functions; see [`component`].
pub(crate) fn guest(
    imports: &[(&str, &str, &str)],
    head: &str,
    (hook, parameters): (&str, &str),
    body: &str,
) -> Result<Bytes, Box<dyn Error>> {
    let body = format!("{body} (i32.const 1024)");
    component(imports, head, &[(hook, "handle", &format!("{parameters} (result i32)"), &body)])
}
