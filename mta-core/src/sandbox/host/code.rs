//! A plugin's code as instances are made of it: compiled and linked, with the hooks it has.

use super::super::capability::expressions::Expressions;
use super::bindings::exports::mailwright::plugin as exports;
use super::call::{Call, Identity};
use crate::base::flow::policy::Hook;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use wasmtime::component::{ComponentExportIndex, InstancePre};

/// What instances are made of.
pub(crate) struct Code {
    pub(crate) plugin: Arc<Identity>,
    pub(crate) pre: InstancePre<Call>,
    pub(crate) hooks: Hooks,
    /// It may wait for others, and so needs a stack of its own.
    pub(crate) waits: bool,
    pub(crate) ready: Ready,
    /// The pattern sets that the image's numbers stand for.
    pub(crate) sets: Vec<Arc<Expressions>>,
}

impl Code {
    /// Whether its calls are over at once, as far as is known: nobody would wait for long behind one.
    pub(crate) fn is_short(&self) -> bool {
        !self.waits && self.plugin.lasting.load(Ordering::Relaxed) == 0
    }
}

/// How an instance becomes ready for a transaction.
pub(crate) enum Ready {
    /// These functions of its own bring it to the image of the configured plugin: when it is new, and after each use.
    Restored(Vec<ComponentExportIndex>),
    /// It begins as the image.
    Pictured,
    /// By `configure`.
    Configured,
}

/// The exports that the component has; what is absent is never called.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) lifecycle: Option<exports::lifecycle::GuestIndices>,
    pub(crate) connect: Option<exports::on_connect::GuestIndices>,
    pub(crate) helo: Option<exports::on_helo::GuestIndices>,
    pub(crate) auth: Option<exports::on_auth::GuestIndices>,
    pub(crate) password: Option<exports::on_password::GuestIndices>,
    pub(crate) mail: Option<exports::on_mail::GuestIndices>,
    pub(crate) rcpt: Option<exports::on_rcpt::GuestIndices>,
    pub(crate) data: Option<exports::on_data::GuestIndices>,
    pub(crate) route: Option<exports::on_route::GuestIndices>,
    pub(crate) pre_send: Option<exports::on_pre_send::GuestIndices>,
    pub(crate) outcome: Option<exports::on_outcome::GuestIndices>,
    pub(crate) feedback: Option<exports::on_feedback::GuestIndices>,
    pub(crate) http: Option<exports::on_http::GuestIndices>,
    pub(crate) tick: Option<exports::on_tick::GuestIndices>,
    pub(crate) disconnect: Option<exports::on_disconnect::GuestIndices>,
    /// The hooks that leave their instance restored.
    pub(crate) restoring: Vec<Hook>,
}

/// The hook of an interface, where no other hook of its transaction follows: its instance is done with then.
pub(crate) fn last_hook(interface: &str) -> Option<Hook> {
    let (name, _version) = interface.strip_prefix("mailwright:plugin/on-")?.split_once('@')?;
    let hook = Hook::named(name)?;
    match hook {
        // The instance of a password ends with its call.
        Hook::Mail | Hook::Rcpt | Hook::Password => None,
        Hook::Connect | Hook::Helo | Hook::Auth | Hook::Data | Hook::Http => Some(hook),
        Hook::Route | Hook::PreSend | Hook::Outcome | Hook::Feedback | Hook::Tick | Hook::Disconnect => Some(hook),
    }
}

impl Hooks {
    /// Whether the component has the hook.
    pub(crate) fn has(&self, hook: Hook) -> bool {
        match hook {
            Hook::Connect => self.connect.is_some(),
            Hook::Helo => self.helo.is_some(),
            Hook::Auth => self.auth.is_some(),
            Hook::Password => self.password.is_some(),
            Hook::Mail => self.mail.is_some(),
            Hook::Rcpt => self.rcpt.is_some(),
            Hook::Data => self.data.is_some(),
            Hook::Route => self.route.is_some(),
            Hook::PreSend => self.pre_send.is_some(),
            Hook::Outcome => self.outcome.is_some(),
            Hook::Feedback => self.feedback.is_some(),
            Hook::Http => self.http.is_some(),
            Hook::Tick => self.tick.is_some(),
            Hook::Disconnect => self.disconnect.is_some(),
        }
    }
}
