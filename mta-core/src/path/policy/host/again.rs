//! Asks a plugin what another was asked, and puts into words what it says.

use super::super::exchange::step::{Ask, Step};
use super::super::exchange::{verdict, words};
use super::super::fault::{Fault, Kind};
use super::super::scene::{MessageScene, Scene, SessionScene};
use super::instance::Pool;
use super::stock::{Lease, Loaded};
use crate::base::flow::trial::{Answered, Said};
use std::sync::Arc;

/// Asks a plugin as another was asked.
pub(crate) async fn ask(
    pool: &Pool,
    loaded: &Arc<Loaded>,
    lease: &mut Option<Lease>,
    session: Option<&Arc<SessionScene>>,
    tenant: Option<&Arc<str>>,
    step: &Step,
) -> Result<Answered, Fault> {
    let live = match lease {
        Some(lease) => lease,
        none => none.insert(Lease::begin(pool, loaded).await?),
    };
    let live = live.live()?;
    let delivery = match &step.asked {
        Ask::PreSend(delivery) => Some(delivery.clone()),
        Ask::Gate(_) | Ask::Data => None,
    };
    let message = step.message.as_ref().map(MessageScene::twin);
    let mut scene = Scene { tenant: tenant.cloned(), session: session.cloned(), message, delivery };
    let mark = scene.mark();
    let hooks = &loaded.code.hooks;
    let began = pool.world.clock.now().mono;
    let verdict = match &step.asked {
        Ask::Gate(question) => {
            let gate = live.gate(pool, hooks, std::mem::take(&mut scene), question).await?;
            words::gate(&verdict::gate(gate)?)
        }
        Ask::Data => words::disposition(&verdict::disposition(live.data(pool, hooks, &mut scene).await?)?),
        Ask::PreSend(_) => words::sending(&verdict::sending(live.pre_send(pool, hooks, &mut scene).await?)?),
    };
    let took = pool.world.clock.now().mono.saturating_duration_since(began);
    scene.keep().map_err(|_| Fault::new(Kind::Fault, "its new body ends within a line end"))?;
    let edits = scene.message.as_ref().map_or_else(Vec::new, |message| message.words_since(mark));
    let memory_bytes = live.inside().0.data().memory_bytes as u64;
    Ok(Answered { said: Said { verdict, edits }, took, memory_bytes })
}
