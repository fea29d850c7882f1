//! The host function of the grant `tenants`: whose mail a request or a tick is about.

use super::super::host::bindings::mailwright::plugin::tenants::{Error, Host};
use super::super::host::call::Call;
use crate::base::flow::policy::Hook;

impl Host for Call {
    /// The tenant is the server's to say wherever it knows: a hook about mail keeps its own.
    fn act_for(&mut self, tenant: Option<String>) -> Result<(), Error> {
        if !matches!(self.hook, Hook::Http | Hook::Tick) {
            return Err(Error::NotHere);
        }
        self.scene.tenant = self.plugin.grants.tenant(tenant.as_deref()).ok_or(Error::NoSuchTenant)?;
        Ok(())
    }
}
