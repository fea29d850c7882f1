//! What the log and the domain itself are told of a host's TLS (RFC 8460 4).

use super::parts::Parts;
use crate::base::event::Event;
use crate::base::flow::tls_result::{PolicyFound, TlsFailure, TlsResult};
use crate::path::deliver::mx::Target;
use crate::path::deliver::trust::demand::{By, Demand, Promise, Refused};
use std::net::IpAddr;

impl Parts {
    /// A connection was made for this demand, from that address, and it ended so.
    pub(super) fn tell_tried(
        &self,
        promise: &Promise,
        demand: &Demand,
        (target, local): (&Target, IpAddr),
        outcome: Result<(), (TlsFailure, String)>,
    ) {
        let outcome = match (outcome, demand.flaw) {
            (Ok(()), Some((failure, why))) => Err((failure, why.to_owned())),
            (outcome, _) => outcome,
        };
        self.tell(promise, demand.by, demand.found.clone(), Some((target, local)), &target.host, outcome);
    }

    /// A host gets no connection.
    pub(super) fn tell_refused(&self, promise: &Promise, host: &str, refused: &Refused) {
        let outcome = Err((refused.failure, refused.why.clone()));
        self.tell(promise, refused.by, refused.found.clone(), None, host, outcome);
    }

    fn tell(
        &self,
        promise: &Promise,
        by: By,
        policy: PolicyFound,
        tried: Option<(&Target, IpAddr)>,
        host: &str,
        outcome: Result<(), (TlsFailure, String)>,
    ) {
        let Some(domain) = &promise.domain else { return };
        if let (Err((_, why)), true) = (&outcome, by != By::Operator) {
            let (domain, policy) = (domain.to_string(), by.name());
            self.observe.event(Event::TlsPolicyFailed { domain: &domain, policy, host: Some(host), why });
        }
        self.results.tell(TlsResult {
            domain: domain.clone(),
            policy,
            mx: Some(host.into()),
            remote: tried.map(|(target, _)| target.address.ip()),
            local: tried.map(|(_, local)| local),
            outcome: outcome.map_err(|(failure, why)| (failure, why.into())),
        });
    }
}
