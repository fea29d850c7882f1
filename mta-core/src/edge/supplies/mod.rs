//! What the operator supplies plugins with: read at the start and at each reload.

mod file;
mod secrets;

use crate::config::model::Config;
use crate::path::policy::Supplies;

/// Reads all that the configuration names.
///
/// # Errors
/// A line for each that can't be had.
pub fn read(config: &Config) -> Result<Supplies, String> {
    let mut wrong = Vec::new();
    let mut secrets = Vec::with_capacity(config.secrets.len());
    for secret in &config.secrets {
        match secrets::read(&secret.source) {
            Ok(value) => secrets.push((secret.name.clone(), value)),
            Err(why) => wrong.push(format!("secret \"{}\": {why}", secret.name)),
        }
    }
    if wrong.is_empty() { Ok(Supplies { secrets }) } else { Err(wrong.join("\n")) }
}
