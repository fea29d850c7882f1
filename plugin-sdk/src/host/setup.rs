//! What `configure` has to say to the server. No grant needed.

use super::backend;

pub use crate::bindings::mailwright::plugin::setup::{Hook, OutcomeKind};

/// With this configuration there is nothing to do at these hooks. The plugin has them and is not called there, which costs
/// nothing: a call that does nothing costs about a microsecond, for each message.
///
/// ```
/// use mailwright_plugin::{Config, Gate, Rcpt, setup};
///
/// /// Who gets no mail.
/// #[derive(Config)]
/// struct Config {
///     /// Local parts.
///     #[config(default)]
///     closed: Vec<String>,
/// }
///
/// struct Closed(Vec<String>);
///
/// #[mailwright_plugin::plugin]
/// impl Closed {
///     fn configure(config: Config) -> Self {
///         if config.closed.is_empty() {
///             setup::skip(&[setup::Hook::Rcpt]);
///         }
///         Self(config.closed)
///     }
///
///     fn on_rcpt(&mut self, rcpt: &Rcpt) -> Gate {
///         match self.0.contains(&rcpt.to.local) {
///             true => Gate::reject("this mailbox is closed"),
///             false => Gate::Next,
///         }
///     }
/// }
/// # fn main() {
/// // Natively, as a test would:
/// use mailwright_plugin::testing::scene;
/// Closed::configure(Config { closed: Vec::new() });
/// assert_eq!(scene(|scene| scene.skipped.clone()), [setup::Hook::Rcpt]);
/// # }
/// ```
pub fn skip(hooks: &[Hook]) {
    backend::setup::skip(hooks);
}

/// With this configuration `on-outcome` has nothing to do where that is what became of a recipient, and is not called. Most mail
/// is delivered: a plugin that looks for bounces alone spares each message a call.
///
/// ```
/// use mailwright_plugin::setup::{self, OutcomeKind};
/// use mailwright_plugin::{Outcome, metrics};
///
/// struct Bounces;
///
/// #[mailwright_plugin::plugin]
/// impl Bounces {
///     fn configure(_config: ()) -> Self {
///         setup::skip_outcomes(&[OutcomeKind::Delivered, OutcomeKind::Deferred, OutcomeKind::Cancelled]);
///         Self
///     }
///
///     fn on_outcome(&mut self, _outcome: &Outcome) {
///         metrics::add("lost", &[], 1);
///     }
/// }
/// # fn main() {
/// // Natively, as a test would:
/// use mailwright_plugin::testing::scene;
/// Bounces::configure(());
/// assert_eq!(scene(|scene| scene.skipped_outcomes.len()), 3);
/// # }
/// ```
pub fn skip_outcomes(kinds: &[OutcomeKind]) {
    backend::setup::skip_outcomes(kinds);
}
