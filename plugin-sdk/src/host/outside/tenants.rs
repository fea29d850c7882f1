//! Whose mail a request or a tick is about; needs the grant `tenants`.

use super::super::backend;

pub use crate::bindings::mailwright::plugin::tenants::Error;

/// From here on to the end of the call, buckets and suppression lists are those of this tenant, and mail that is sent is
/// its. None is nobody's. At `on_http` and `on_tick` alone: other hooks know whose mail they are about.
///
/// Whoever asks by HTTP can say anything: act for a tenant that a token of your own names.
///
/// # Errors
/// `NotHere` in other hooks; `NoSuchTenant` where the configuration has none of that name, or the plugin is not for it.
pub fn act_for(tenant: Option<&str>) -> Result<(), Error> {
    backend::tenants::act_for(tenant)
}
