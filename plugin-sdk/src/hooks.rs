//! The hooks: one generated module each, so that a component exports the ones that a plugin has and no other.

use crate::bindings::mailwright::plugin::types::{Address, Disposition, Fault, Gate};
use std::fmt;

pub use on_feedback::exports::mailwright::plugin::on_feedback::{Bounce, Feedback, Kind as FeedbackKind};
pub use on_outcome::exports::mailwright::plugin::on_outcome::Outcome;
pub use on_password::exports::mailwright::plugin::on_password::{Account, Admission};
pub use on_pre_send::exports::mailwright::plugin::on_pre_send::Sending;
pub use on_route::exports::mailwright::plugin::on_route::{Route, Routing};

/// How one AUTH command ended (RFC 4954).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The mechanism, as `PLAIN`.
    pub mechanism: String,
    /// Who the client says it is.
    pub user: String,
    /// Whether it could show it.
    pub succeeded: bool,
}

/// A name and a password, as a client showed them.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The mechanism, as `PLAIN`.
    pub mechanism: String,
    /// Who the client says it is: prepared (RFC 4013), in lower case.
    pub user: String,
    /// What it shows: prepared. Printing the whole does not show it.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanism, user, .. } = self;
        f.debug_struct("Credentials").field("mechanism", mechanism).field("user", user).finish_non_exhaustive()
    }
}

/// One MAIL command.
#[derive(Clone, Debug, PartialEq)]
pub struct Mail {
    /// The reverse path; none is the null sender.
    pub sender: Option<Address>,
    /// The parameters that came with it, as `("SIZE", "4711")`: SIZE, BODY, SMTPUTF8, RET and ENVID.
    pub params: Vec<(String, String)>,
}

/// One RCPT command.
#[derive(Clone, Debug, PartialEq)]
pub struct Rcpt {
    /// The transaction's reverse path; none is the null sender.
    pub sender: Option<Address>,
    /// The recipient.
    pub to: Address,
    /// The parameters of RFC 3461 that came with it, as `("NOTIFY", "SUCCESS,FAILURE")`.
    pub params: Vec<(String, String)>,
}

/// What a hook may return for its verdict `T`: the verdict, or a result whose error becomes a fault.
///
/// After a fault the operator's `on_failure` decides what SMTP answers.
#[diagnostic::on_unimplemented(
    message = "this hook answers with `{T}`, not with `{Self}`",
    label = "no answer of this hook",
    note = "return the verdict, or a `Result` of it with an error that becomes a `Fault`"
)]
pub trait Answer<T> {
    /// The verdict or the fault.
    ///
    /// # Errors
    /// The plugin could not decide.
    fn answer(self) -> Result<T, Fault>;
}

macro_rules! answers {
    ($($verdict:ty),*) => {$(
        impl Answer<$verdict> for $verdict {
            fn answer(self) -> Result<$verdict, Fault> {
                Ok(self)
            }
        }
    )*};
}
answers!(Gate, Admission, Disposition, Routing, Sending, crate::host::outside::web::Response);

impl<T, E: Into<Fault>> Answer<T> for Result<T, E> {
    fn answer(self) -> Result<T, Fault> {
        self.map_err(Into::into)
    }
}

/// What `configure` may return: the plugin, or a result.
#[diagnostic::on_unimplemented(
    message = "`configure` makes a `{P}`, not `{Self}`",
    note = "return `Self`, or `Result<Self, Fault>`"
)]
pub trait Configured<P> {
    /// The plugin, ready for hooks.
    ///
    /// # Errors
    /// The configuration can't be used; the plugin is not loaded.
    fn configured(self) -> Result<P, Fault>;
}

impl<P, E: Into<Fault>> Configured<P> for Result<P, E> {
    fn configured(self) -> Result<P, Fault> {
        self.map_err(Into::into)
    }
}

/// A plugin that begins by itself, without `configure`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` begins with nothing",
    label = "it has no `configure`, and is not `Default`",
    note = "put `#[derive(Default)]` on it, or give it `fn configure(config: Config) -> Result<Self, Fault>`"
)]
pub trait Begin: Sized {
    /// The plugin as each transaction finds it.
    fn begin() -> Self;
}

impl<P: Default> Begin for P {
    fn begin() -> Self {
        Self::default()
    }
}

/// The plugin as it begins without `configure`.
#[must_use]
pub fn begin<P: Begin>() -> P {
    P::begin()
}

/// Has the compiler check how a plugin without `configure` begins.
pub const fn begins<P: Begin>() {}

/// Has the compiler check a hook that is asked and handed nothing.
pub const fn asked<P, R: Answer<V>, V>(_hook: fn(&mut P) -> R) {}

/// Has the compiler check a hook that is asked about something.
pub const fn asked_with<P, A: ?Sized, R: Answer<V>, V>(_hook: fn(&mut P, &A) -> R) {}

/// Has the compiler check a hook that is told, and handed nothing.
pub const fn told<P>(_hook: fn(&mut P)) {}

/// Has the compiler check a hook that is told something.
pub const fn told_with<P, A: ?Sized>(_hook: fn(&mut P, &A)) {}

/// Has the compiler check `configure`.
pub const fn configured_with<C: crate::config::Setting, R>(_configure: fn(C) -> R) {}

/// Has the compiler check `self_test`.
pub const fn self_tested<P>(_test: fn(&mut P) -> Result<(), String>) {}

/// The plugin is configured: sees to it that some memory is free for its hooks.
#[cfg(target_arch = "wasm32")]
pub fn leave_room() {
    crate::alloc::leave_room();
}

/// The fault of a hook that is called while the plugin is not configured.
#[must_use]
pub fn not_configured() -> Fault {
    Fault::Internal("the hook was called before configure".to_owned())
}

/// `on-connect`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_connect {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-connect { export mailwright:plugin/on-connect@0.1.0; }",
        world: "has-on-connect",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_connect",
        default_bindings_module: "mailwright_plugin::hooks::on_connect",
        additional_derives: [PartialEq],
    });
}

/// `on-helo`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_helo {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-helo { export mailwright:plugin/on-helo@0.1.0; }",
        world: "has-on-helo",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_helo",
        default_bindings_module: "mailwright_plugin::hooks::on_helo",
        additional_derives: [PartialEq],
    });
}

/// `on-auth`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_auth {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-auth { export mailwright:plugin/on-auth@0.1.0; }",
        world: "has-on-auth",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_auth",
        default_bindings_module: "mailwright_plugin::hooks::on_auth",
        additional_derives: [PartialEq],
    });
}

/// `on-password`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_password {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-password { export mailwright:plugin/on-password@0.1.0; }",
        world: "has-on-password",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_password",
        default_bindings_module: "mailwright_plugin::hooks::on_password",
        additional_derives: [PartialEq],
    });
}

/// `on-mail`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_mail {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-mail { export mailwright:plugin/on-mail@0.1.0; }",
        world: "has-on-mail",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_mail",
        default_bindings_module: "mailwright_plugin::hooks::on_mail",
        additional_derives: [PartialEq],
    });
}

/// `on-rcpt`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_rcpt {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-rcpt { export mailwright:plugin/on-rcpt@0.1.0; }",
        world: "has-on-rcpt",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_rcpt",
        default_bindings_module: "mailwright_plugin::hooks::on_rcpt",
        additional_derives: [PartialEq],
    });
}

/// `on-data`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_data {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-data { export mailwright:plugin/on-data@0.1.0; }",
        world: "has-on-data",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_data",
        default_bindings_module: "mailwright_plugin::hooks::on_data",
        additional_derives: [PartialEq],
    });
}

/// `on-route`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_route {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-route { export mailwright:plugin/on-route@0.1.0; }",
        world: "has-on-route",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_route",
        default_bindings_module: "mailwright_plugin::hooks::on_route",
        additional_derives: [PartialEq],
    });
}

/// `on-pre-send`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_pre_send {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-pre-send { export mailwright:plugin/on-pre-send@0.1.0; }",
        world: "has-on-pre-send",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_pre_send",
        default_bindings_module: "mailwright_plugin::hooks::on_pre_send",
        additional_derives: [PartialEq],
    });
}

/// `on-outcome`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_outcome {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-outcome { export mailwright:plugin/on-outcome@0.1.0; }",
        world: "has-on-outcome",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_outcome",
        default_bindings_module: "mailwright_plugin::hooks::on_outcome",
        additional_derives: [PartialEq],
    });
}

/// `on-feedback`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_feedback {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-feedback { export mailwright:plugin/on-feedback@0.1.0; }",
        world: "has-on-feedback",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_feedback",
        default_bindings_module: "mailwright_plugin::hooks::on_feedback",
        additional_derives: [PartialEq],
    });
}

/// `on-http`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_http {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-http { export mailwright:plugin/on-http@0.1.0; }",
        world: "has-on-http",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_http",
        default_bindings_module: "mailwright_plugin::hooks::on_http",
        additional_derives: [PartialEq],
    });
}

/// `on-tick`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_tick {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-tick { export mailwright:plugin/on-tick@0.1.0; }",
        world: "has-on-tick",
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_tick",
        default_bindings_module: "mailwright_plugin::hooks::on_tick",
        additional_derives: [PartialEq],
    });
}

/// `on-disconnect`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod on_disconnect {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-on-disconnect { export mailwright:plugin/on-disconnect@0.1.0; }",
        world: "has-on-disconnect",
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_on_disconnect",
        default_bindings_module: "mailwright_plugin::hooks::on_disconnect",
        additional_derives: [PartialEq],
    });
}

/// `lifecycle`, as the contract has it.
#[doc(hidden)]
#[allow(missing_docs, unreachable_pub, unused_qualifications, reason = "generated")]
#[allow(unsafe_code, clippy::mem_forget, reason = "generated: the entry from the component boundary")]
pub mod lifecycle {
    wit_bindgen::generate!({
        path: "wit",
        inline: "package mailwright:sdk; world has-lifecycle { export mailwright:plugin/lifecycle@0.1.0; }",
        world: "has-lifecycle",
        with: { "mailwright:plugin/types@0.1.0": crate::bindings::mailwright::plugin::types },
        runtime_path: "crate::hooks::rt",
        pub_export_macro: true,
        export_macro_name: "export_lifecycle",
        default_bindings_module: "mailwright_plugin::hooks::lifecycle",
        additional_derives: [PartialEq],
    });
}

#[doc(hidden)]
pub use wit_bindgen::rt;
