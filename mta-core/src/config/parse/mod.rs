//! From TOML text to the checked configuration: all of its problems are found at once and told with their places.

mod plugin;
pub(in crate::config) mod problem;
pub(in crate::config) mod scalar;
mod section;
mod sections;
mod supplies;
#[cfg(test)]
mod tests;
mod tree;
mod users;

pub use problem::Problems;
pub(in crate::config) use sections::unset;

use super::model::{Config, Network};
use problem::Gathered;
use section::{Key, Value};

/// Reads a configuration: `name` is the file's for messages, `text` its content, `sets` the `key=value` overrides of
/// the command line in their order. Reads no file itself.
///
/// # Errors
/// Everything that is wrong with it, with file, line, column and key.
pub fn parse(name: &str, text: &str, sets: &[String]) -> Result<Config, Problems> {
    let mut gathered = Gathered::new(name, text, sets, sections_with);
    let mut config = unset();
    if let Some(root) = tree::read(text, sets, &mut gathered) {
        sections::config(&mut config, &mut Value { node: &root, path: String::new(), gathered: &mut gathered });
    }
    gathered.unless_any(config)
}

/// A network as the configuration writes it, `192.0.2.0/24`; none where it is none.
#[must_use]
pub fn network(text: &str) -> Option<Network> {
    scalar::network(text).ok()
}

/// Every key that is read, as `section.key`; in lists of tables without the number. The reference page must name each.
#[must_use]
pub fn keys() -> Vec<String> {
    fn names<T>(section: &str, keys: &[Key<T>]) -> Vec<String> {
        let dot = if section.is_empty() { "" } else { "." };
        keys.iter().map(|key| format!("{section}{dot}{}", key.name)).collect()
    }
    [
        names("", sections::CONFIG),
        names("listener", sections::LISTENER),
        names("listener.certificate", sections::CERTIFICATE),
        names("tls", sections::TLS),
        names("tls.certificate", sections::CERTIFICATE),
        names("acme", sections::acme::ACME),
        names("http", sections::HTTP),
        names("relay", sections::RELAY),
        names("auth", users::AUTH),
        names("auth.oauth", users::oauth::OAUTH),
        names("auth.http", users::remote::HTTP),
        names("auth.ldap", users::remote::LDAP),
        names("route", sections::ROUTE),
        names("pool", sections::POOL),
        names("delivery", sections::DELIVERY),
        names("delivery.timeouts", sections::TIMEOUTS),
        names("queue", sections::QUEUE),
        names("storage", sections::STORAGE),
        names("limits", sections::LIMITS),
        names("threads", sections::threads::KEYS),
        names("secret", supplies::SECRET),
        names("table", supplies::TABLE),
        names("dkim", supplies::DKIM),
        names("arc", supplies::ARC),
        names("tenant", users::TENANT),
        names("feedback", sections::feedback::FEEDBACK),
        names("srs", sections::srs::SRS),
        names("plugin", plugin::PLUGIN),
        names("plugin.mode", plugin::MODE),
        names("plugin.budget", plugin::BUDGET),
        names("plugin.compile", plugin::COMPILE),
        names("plugin.submit", plugin::SUBMIT),
        names("plugin.on_failure", plugin::ON_FAILURE),
        names("log", sections::LOG),
        names("metrics", sections::METRICS),
        names("verify", sections::verify::VERIFY),
        names("report", sections::report::REPORT),
    ]
    .concat()
}

/// The sections that have a key of this name, for keys that stand in the wrong one.
fn sections_with(key: &str) -> Vec<String> {
    let own =
        |path: String| path.rsplit_once('.').filter(|(_, name)| *name == key).map(|(section, _)| section.to_owned());
    let found = keys().into_iter().filter_map(own).map(|section| match section.as_str() {
        "listener"
        | "http"
        | "tenant"
        | "route"
        | "pool"
        | "plugin"
        | "secret"
        | "table"
        | "listener.certificate"
        | "tls.certificate" => {
            format!("[[{section}]]")
        }
        _ => format!("[{section}]"),
    });
    found.collect()
}
