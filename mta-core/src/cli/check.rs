//! `check-config`: whether a configuration is sound, its plugins with it, and what it comes to.

use super::say;
use mta_core::app;
use mta_core::config::model::auth::AuthOffer;
use mta_core::config::model::listener::{Kind, StartTls};
use mta_core::config::model::{Config, Engine};
use mta_core::edge::config_file::ConfigFile;
use std::fmt::{Display, Write};

/// Checks and summarises.
pub(crate) fn check(file: &ConfigFile) -> Result<(), String> {
    let (config, warnings) = app::check(file)?;
    let mut lines = summary(&config);
    warnings.iter().for_each(|warning| lines.add("warning", warning));
    say(&format!("{}: ok\n{}", file.path.display(), lines.0))
}

/// What an operator would want to see at a glance: who may send what where.
fn summary(config: &Config) -> Lines {
    let mut lines = Lines::default();
    lines.add("hostname", &config.hostname);
    lines.add("data", config.data_dir.display());
    if config.storage.engine == Engine::Memory {
        lines.add("engine", "danger_memory: accepted mail is lost when the program ends");
    }
    for listener in &config.listeners {
        let tls = match (listener.kind, listener.starttls) {
            (Kind::Submissions, _) => "TLS",
            (_, StartTls::Required) => "STARTTLS required",
            (_, StartTls::Offered) => "STARTTLS offered",
            (_, StartTls::Off) => "no TLS",
        };
        let kind = listener.kind.name();
        lines.add("listen", format_args!("{} on {}: {kind}, {tls}", listener.name, listener.bind));
    }
    for listener in config.listeners.iter().filter(|listener| listener.auth == AuthOffer::DangerPlaintext) {
        let what = "takes passwords that can be read on the way (danger_plaintext)";
        lines.add("warning", format_args!("{} {what}", listener.name));
    }
    if let Some(users) = &config.auth.users {
        lines.add("users", format_args!("of {}", users.display()));
    }
    let relay = &config.relay;
    lines.add(
        "relay",
        format_args!("{} networks to anywhere, anyone to {} domains", relay.networks.len(), relay.domains.len()),
    );
    if relay.networks.is_empty() && relay.domains.is_empty() && config.auth.users.is_none() {
        lines.add("warning", "no mail will be accepted: relay.networks and relay.domains are empty");
    }
    if relay.networks.iter().any(|network| network.prefix == 0) {
        lines.add("warning", "relay.networks lets the whole internet send anywhere: this is an open relay");
    }
    for route in &config.routes {
        let to = route.to.as_ref().map_or_else(|| "what plugins send this way".to_owned(), ToString::to_string);
        let name = route.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        lines.add("route", format_args!("{to} by {}{name}", route.via));
    }
    lines.add("route", "everything else by MX");
    for pool in &config.pools {
        let addresses: Vec<String> = pool.addresses.iter().map(ToString::to_string).collect();
        lines.add("pool", format_args!("{} of {}", pool.name, addresses.join(", ")));
    }
    if config.delivery.paused {
        lines.add("delivery", "paused");
    }
    for key in &config.dkim {
        let whose = match &key.tenants[..] {
            [] => String::new(),
            tenants => format!(", for {}", tenants.join(", ")),
        };
        lines.add("dkim", format_args!("{}._domainkey.{}{whose}", key.selector, key.domain));
    }
    if let Some(report) = &config.report {
        lines.add("reports", format_args!("from {}", report.address));
    }
    if let Some(key) = &config.arc {
        lines.add("arc", format_args!("{}._domainkey.{}", key.selector, key.domain));
    }
    if let Some(srs) = &config.srs {
        lines.add("srs", format_args!("in {}", srs.domain));
    }
    for plugin in &config.plugins {
        lines.add("plugin", format_args!("{} from {}", plugin.name, plugin.source));
    }
    lines
}

#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, what: &str, value: impl Display) {
        let end = if self.0.is_empty() { "" } else { "\n" };
        // Writing to memory does not fail.
        let _ = write!(self.0, "{end}  {what:<9} {value}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mta_core::config::parse::parse;

    #[test]
    fn the_summary_says_who_may_send_where() {
        let text = "hostname = \"mx.example.org\"\ndata_dir = \"var\"\n[[listener]]\nname = \"mx\"\nbind = \"[::1]:25\"\n\
            auth = \"danger_plaintext\"\n[auth]\nusers = \"users\"\n[relay]\nnetworks = [\"0.0.0.0/0\"]\n[[route]]\nto = \"*.example.org\"\nlmtp = \"store:24\"\n";
        let config = parse("mx.toml", text, &[]).expect("a good file");
        assert_eq!(
            summary(&config).0,
            "  hostname  mx.example.org
  data      var
  listen    mx on [::1]:25: relay, no TLS
  warning   mx takes passwords that can be read on the way (danger_plaintext)
  users     of users
  relay     1 networks to anywhere, anyone to 0 domains
  warning   relay.networks lets the whole internet send anywhere: this is an open relay
  route     *.example.org by lmtp:store:24
  route     everything else by MX"
        );
    }
}
