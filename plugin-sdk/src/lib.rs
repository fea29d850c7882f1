//! Write Mailwright plugins in Rust: put hooks into one `impl` block, mark it, build it for WebAssembly.
//!
//! ```
//! use mailwright_plugin::{Config, Disposition, Fault, Gate, Rcpt, Reply, message};
//!
//! /// What the operator may set.
//! #[derive(Config)]
//! struct Config {
//!     /// The header field to add.
//!     #[config(default = "X-Stamp")]
//!     header: String,
//! }
//!
//! struct Stamp {
//!     header: String,
//! }
//!
//! #[mailwright_plugin::plugin]
//! impl Stamp {
//!     fn configure(config: Config) -> Result<Self, Fault> {
//!         Ok(Self { header: config.header })
//!     }
//!
//!     fn on_rcpt(&mut self, rcpt: &Rcpt) -> Gate {
//!         match rcpt.to.local.as_str() {
//!             "nobody" => Gate::Reject(Reply::reject("nobody lives here")),
//!             _ => Gate::Next,
//!         }
//!     }
//!
//!     fn on_data(&mut self) -> Result<Disposition, Fault> {
//!         let length = message::header("Subject")?.map_or(0, |subject| subject.len());
//!         message::add_header(&self.header, &format!("subject={length}"))?;
//!         Ok(Disposition::Next)
//!     }
//! }
//! # fn main() {}
//! ```
//!
//! The component exports exactly the hooks that are written and imports exactly the capabilities that are used.
//! Compiled for another target than WebAssembly, the same functions work on an in-memory stand-in ([`testing`]), so
//! that `cargo test` needs no server. [`guide`] has each hook with a whole plugin, [`config`] the configuration.

// What the macros write names the crate as plugins do, in its own tests too.
#[cfg(test)]
extern crate self as mailwright_plugin;

#[cfg(target_arch = "wasm32")]
mod alloc;
mod bindings;
pub mod config;
pub mod guide;
pub mod hooks;
mod host;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;
mod types;

pub use bindings::mailwright::plugin::types::{Address, Disposition, EnhancedStatus, Fault, Gate, Priority, Reply};
pub use hooks::{
    Account, Admission, Auth, Bounce, Credentials, Feedback, FeedbackKind, Mail, Outcome, Rcpt, Route, Routing, Sending,
};
pub use host::outside::{dns, http, random, secrets, submit, suppression, tables, tenants, web};
pub use host::{clock, delivery, kv, log, message, metrics, patterns, session, setup};
pub use mailwright_plugin_macros::{Config, plugin};
