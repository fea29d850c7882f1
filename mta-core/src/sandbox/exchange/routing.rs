//! Answers of `on-route` made fit for the queue, and what a failure answers instead.

use super::super::fault::{Fault, Kind};
use super::super::host::bindings::exports::mailwright::plugin::on_route as wire;
use super::super::host::bindings::mailwright::plugin::types;
use super::verdict::{CLOSED, Class, UNDECIDED, reason, reply};
use crate::base::flow::attempt::Routes;
use crate::base::flow::placement::{Placement, Priority};
use crate::base::flow::policy::Routing;
use crate::base::time::UnixMillis;
use crate::config::model::OnFailure;

/// Longest name of a campaign, in octets.
const CAMPAIGN_BYTES_MAX: usize = 128;

/// The verdict on a recipient's way. What it names must be there: nothing is kept that could not be followed.
pub(crate) fn routing(said: wire::Routing, plugin: &str, routes: &dyn Routes) -> Result<Routing, Fault> {
    Ok(match said {
        wire::Routing::Next => Routing::Next,
        wire::Routing::Place(route) => {
            let not_before = route.not_before_ms.map(UnixMillis);
            Routing::Place(placement(route, plugin, routes)?, not_before)
        }
        wire::Routing::Hold(why) => Routing::Hold(reason(&why)),
        wire::Routing::Fail(said) => Routing::Fail(reply(&said, Class::Failing)?),
    })
}

fn placement(route: wire::Route, plugin: &str, routes: &dyn Routes) -> Result<Placement, Fault> {
    let wrong = |what: String| Fault::new(Kind::Answer, what);
    if let Some(name) = route.via.as_deref().filter(|name| routes.named(name).is_none()) {
        let name = reason(name);
        return Err(wrong(format!("it placed a recipient via \"{name}\": no [[route]] has name = \"{name}\"")));
    }
    if let Some(name) = route.pool.as_deref().filter(|name| !routes.has_pool(name)) {
        let name = reason(name);
        return Err(wrong(format!("it placed a recipient in the pool \"{name}\": no [[pool]] has name = \"{name}\"")));
    }
    if let Some(campaign) = &route.campaign {
        let fits = (1..=CAMPAIGN_BYTES_MAX).contains(&campaign.len()) && !campaign.contains(char::is_control);
        if !fits {
            let expected = format!("expected 1 to {CAMPAIGN_BYTES_MAX} octets without control characters");
            return Err(wrong(format!("it named a campaign of {} octets: {expected}", campaign.len())));
        }
    }
    Ok(Placement {
        plugin: Some(plugin.into()),
        via: route.via.map(Into::into),
        pool: route.pool.map(Into::into),
        campaign: route.campaign.map(Into::into),
        priority: route.priority.map_or_else(Priority::default, from_wire),
        expires: route.expires_ms.map(UnixMillis),
    })
}

fn from_wire(priority: types::Priority) -> Priority {
    match priority {
        types::Priority::Bulk => Priority::Bulk,
        types::Priority::Normal => Priority::Normal,
        types::Priority::Transactional => Priority::Transactional,
    }
}

/// The priority, as guests are told.
pub(crate) fn to_wire(priority: Priority) -> types::Priority {
    match priority {
        Priority::Bulk => types::Priority::Bulk,
        Priority::Normal => types::Priority::Normal,
        Priority::Transactional => types::Priority::Transactional,
    }
}

/// What a failure answers for a recipient's way: it is asked again later, by the configuration's routes, or a bounce.
pub(crate) fn failed_routing(on_failure: OnFailure) -> Routing {
    match on_failure {
        OnFailure::Tempfail => Routing::Fail(UNDECIDED),
        OnFailure::Open => Routing::Next,
        OnFailure::Closed => Routing::Fail(CLOSED),
    }
}
