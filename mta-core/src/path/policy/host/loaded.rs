//! A plugin of one generation: its code, the hooks it has, what it may use and what its failure means.

use super::bindings::exports::mailwright::plugin as exports;
use super::call::{Call, Identity};
use super::pulse::TICK;
use crate::base::flow::policy::Hook;
use crate::config::model::OnFailure;
use std::collections::HashMap;
use std::sync::Arc;
use wasmtime::component::InstancePre;

/// A plugin of one generation.
pub(crate) struct Loaded {
    pub(crate) plugin: Arc<Identity>,
    pub(crate) pre: InstancePre<Call>,
    pub(crate) hooks: Hooks,
    pub(crate) config_json: String,
    pub(crate) sha256: String,
    pub(crate) on_failure: HashMap<Hook, OnFailure>,
}

/// The exports that the component has; what is absent is never called.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) lifecycle: Option<exports::lifecycle::GuestIndices>,
    pub(crate) connect: Option<exports::on_connect::GuestIndices>,
    pub(crate) rcpt: Option<exports::on_rcpt::GuestIndices>,
    pub(crate) data: Option<exports::on_data::GuestIndices>,
    pub(crate) pre_send: Option<exports::on_pre_send::GuestIndices>,
}

/// Every hook with the name that configurations and logs give it.
pub(crate) const HOOKS: [(Hook, &str); 4] =
    [(Hook::Connect, "connect"), (Hook::Rcpt, "rcpt"), (Hook::Data, "data"), (Hook::PreSend, "pre-send")];

impl Loaded {
    /// Whether it has the hook.
    pub(crate) fn has(&self, hook: Hook) -> bool {
        match hook {
            Hook::Connect => self.hooks.connect.is_some(),
            Hook::Rcpt => self.hooks.rcpt.is_some(),
            Hook::Data => self.hooks.data.is_some(),
            Hook::PreSend => self.hooks.pre_send.is_some(),
        }
    }

    /// What its failure at that hook means.
    pub(crate) fn on_failure(&self, hook: Hook) -> OnFailure {
        self.on_failure.get(&hook).copied().unwrap_or_default()
    }

    /// The processor time of a call, in ticks.
    pub(crate) fn ticks(&self, hook: Hook, message_bytes: u64) -> u64 {
        let budget = &self.plugin.budget;
        let time = match hook {
            Hook::Connect | Hook::Rcpt => budget.cpu_envelope,
            Hook::Data | Hook::PreSend => {
                let mib = u32::try_from(message_bytes.div_ceil(1 << 20)).unwrap_or(u32::MAX);
                budget.cpu_message.saturating_add(budget.cpu_message_per_mib.saturating_mul(mib))
            }
        };
        u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX).max(1)
    }
}
