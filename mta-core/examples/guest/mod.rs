//! Small guests in WebAssembly text for the benches, and the host that they run in.

use bytes::Bytes;
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
use mta_core::path::policy::{Host, HostSettings, Reach, Supplies};
use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

const CONTRACT: &str = include_str!("../../../plugin-sdk/wit/plugin.wit");

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

/// A component with one hook, that imports these functions: interface, name, flattened signature. `head` is what stands in
/// the module besides. The hook's answer lies at 1024, which begins as zeros: `ok(next)`.
pub(crate) fn guest(
    imports: &[(&str, &str, &str)],
    head: &str,
    (hook, parameters): (&str, &str),
    body: &str,
) -> Result<Bytes, Box<dyn Error>> {
    let functions: String = imports
        .iter()
        .map(|(interface, name, kind)| {
            format!(r#"(import "mailwright:plugin/{interface}@0.1.0" "{name}" (func ${name} {kind}))"#)
        })
        .collect();
    let export = format!("mailwright:plugin/{hook}@0.1.0#handle");
    let text = format!(
        r#"(module {functions}
            (memory (export "memory") 1)
            {head}
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 8192))
            (func (export "cabi_post_{export}") (param i32))
            (func (export "{export}") {parameters} (result i32) {body} (i32.const 1024)))"#,
    );
    let mut module = wat::parse_str(text)?;
    let mut resolve = Resolve::default();
    resolve.push_str("plugin.wit", CONTRACT)?;
    let interfaces: BTreeSet<&str> = imports.iter().map(|(interface, ..)| *interface).collect();
    let used: String =
        interfaces.iter().map(|interface| format!("import mailwright:plugin/{interface}@0.1.0;")).collect();
    let world = format!("package mailwright:guest; world guest {{ {used} export mailwright:plugin/{hook}@0.1.0; }}");
    let package = resolve.push_str("guest.wit", &world)?;
    let world = resolve.select_world(&[package], None)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8, false)?;
    Ok(ComponentEncoder::default().module(&module)?.validate(true).encode()?.into())
}
