//! Small guests in WebAssembly text for the benches, and the host that they run in.

mod component;
mod host;

use bytes::Bytes;
use component::component;
pub(crate) use host::{envelope, session};
use mta_core::config::model::Plugin;
use mta_core::path::policy::Host;
use mta_core::sandbox::Supplies;
use std::error::Error;

/// A host that serves these plugins.
pub(crate) async fn host(plugins: Vec<(Plugin, Bytes)>) -> Result<Host, Box<dyn Error>> {
    let host = host::without_plugins(None)?;
    let (plugins, octets): (Vec<Plugin>, Vec<Bytes>) = plugins.into_iter().unzip();
    let sources: Vec<_> = plugins.iter().map(|plugin| plugin.source.clone()).zip(octets).collect();
    let read = move |wanted: &_| {
        let found = sources.iter().find(|(source, _)| source == wanted);
        found.map(|(_, octets)| octets.clone()).ok_or_else(|| "not in this bench".to_owned())
    };
    host.load(&plugins, &Supplies::default(), &read).await?;
    Ok(host)
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
