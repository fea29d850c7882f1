//! `on-http`: a request to a plugin's own path, of no session and no message.

use super::shared::Shared;
use crate::base::flow::policy::Hook;
use crate::base::flow::policy::public::{PublicAnswer, PublicRequest};
use crate::sandbox::exchange::response;
use crate::sandbox::host::bindings::exports::mailwright::plugin::on_http::Request;
use crate::sandbox::host::stock::Lease;
use crate::sandbox::scene::Scene;

/// Asks the plugin of that name, in an instance as fresh as that of any transaction. For which listeners' sessions it is
/// asked does not matter here.
pub(super) async fn http(host: &Shared, request: PublicRequest) -> PublicAnswer {
    let generation = host.serving.load_full();
    let named = generation.all(Hook::Http).find(|(_, loaded)| *loaded.code.plugin.name == *request.plugin);
    let Some((_, loaded)) = named else { return PublicAnswer::Absent };
    let wire = Request {
        method: request.method.into(),
        path: request.path.into(),
        query: request.query.into(),
        headers: request.fields,
        body: request.body.into(),
        peer_ip: request.peer.to_string(),
    };
    let scene = Scene { tenant: loaded.only_tenant(), ..Scene::default() };
    let tenant = host.pool.ledger.tenant(scene.tenant.as_ref());
    let call = host.call(generation.number, loaded, Hook::Http, tenant);
    let answer = async {
        host.admit(loaded)?;
        let mut lease = Lease::begin(&host.pool, loaded, scene.tenant.as_ref()).await?;
        let said = lease.live()?.http(&host.pool, &loaded.code.hooks, scene, &wire).await?;
        response::checked(said)
    };
    match call.noted(answer.await, None, None) {
        Ok(response) => PublicAnswer::Answered(response),
        Err(fault) => {
            host.failed(loaded, Hook::Http, &fault, None, None);
            PublicAnswer::Unable
        }
    }
}
