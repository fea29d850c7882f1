//! `on-password`: the plugin that `[auth]` names says whether a password is a user's.
//!
//! It is asked alone, in an instance that ends with the call. No shadow is asked the same, nobody records it, and no
//! canary stands in its place: a password is shown to whom the operator named, and kept nowhere.

use super::shared::Shared;
use crate::base::flow::policy::Hook;
use crate::base::flow::policy::password::{PasswordAnswer, PasswordQuestion};
use crate::config::model::Mode;
use crate::sandbox::exchange::admission;
use crate::sandbox::host::stock::Lease;
use crate::sandbox::scene::{Scene, SessionScene};
use std::sync::Arc;

/// Asks the plugin of that name. Of sessions and tenants that it is not for, the name is none of its own.
pub(super) async fn password(host: &Shared, question: PasswordQuestion) -> PasswordAnswer {
    let generation = host.serving.load_full();
    let named = generation
        .all(Hook::Password)
        .map(|(_, loaded)| loaded)
        .find(|loaded| loaded.code.plugin.name == question.plugin && loaded.part.mode == Mode::Full);
    let Some(loaded) = named else {
        return unable(&question, "does not serve now");
    };
    if !loaded.serves(Some(&question.session.listener), question.tenant.as_deref()) {
        return PasswordAnswer::Next;
    }
    let info = &question.session;
    let session = SessionScene::new(info.id.clone(), info.listener.clone(), info.peer.ip().to_canonical(), None);
    if let Some(tls) = &info.tls {
        session.set_tls(tls);
    }
    info.helo.iter().for_each(|name| session.set_helo(name));
    let session = Arc::new(session);
    let scene = Scene { tenant: question.tenant.clone(), session: Some(session.clone()), ..Scene::default() };
    let tenant = host.pool.ledger.tenant(scene.tenant.as_ref());
    let call = host.call(generation.number, loaded, Hook::Password, tenant);
    let answer = async {
        host.admit(loaded)?;
        let mut lease = Lease::begin(&host.pool, loaded, scene.tenant.as_ref()).await?;
        let said = lease.live()?.password(&host.pool, &loaded.code.hooks, scene, &question).await;
        lease.end();
        admission::checked(said?)
    };
    match call.noted(answer.await, Some(&session), None) {
        Ok(answer) => answer,
        Err(fault) => {
            host.failed(loaded, Hook::Password, &fault, Some(&session), None);
            unable(&question, &format!("failed ({})", fault.kind.name()))
        }
    }
}

fn unable(question: &PasswordQuestion, what: &str) -> PasswordAnswer {
    PasswordAnswer::Unable(format!("the plugin {} {what}", question.plugin).into())
}
