//! `tls policy`: what a domain promises of its hosts now, asked as deliver asks before an attempt (RFC 7672, RFC 8461).

use super::stages::{World, promises};
use super::threads;
use crate::base::flow::attempt::NextHop;
use crate::base::flow::tls_result::{PolicyFound, TlsResult, TlsResults};
use crate::base::mail::domain::Domain;
use crate::base::world::dns::{DnsFault, SignedFault};
use crate::base::world::tls::{Outgoing, Trust};
use crate::edge::config_file::ConfigFile;
use crate::edge::observe::Unheard;
use crate::path::deliver::trust::demand::{Demand, Promise, Refused};
use crate::path::deliver::trust::sts::Policy;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// Why the policy could not be fetched.
#[derive(Default)]
struct Failures(Mutex<Vec<String>>);

impl TlsResults for Failures {
    fn tell(&self, result: TlsResult) {
        let why = result.outcome.err().map(|(_, why)| format!(" ({why})"));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(why);
    }
}

/// Asks for what the domain promises, by the name servers of this configuration; no mail is sent and nothing is kept.
///
/// # Errors
/// Lines for people: the configuration is wrong, or the domain's exchangers can't be known.
pub fn tls_policy(file: &ConfigFile, domain: &str) -> Result<Vec<String>, String> {
    let domain = Domain::parse(domain).map_err(|error| format!("{domain}: {error}"))?;
    let name = domain.dns_name().ok_or("an address literal promises nothing")?.into_owned();
    let config = file.load()?;
    threads::run(async {
        let world = World::new(&config, Arc::new(Unheard))?;
        let config = watch::Sender::new(Arc::new(config));
        let failures = Arc::new(Failures::default());
        let promises = promises(&world, &config, None, Arc::<Failures>::clone(&failures));
        let present = Arc::clone(&config.borrow());
        let promise = promises.of(&NextHop::Mx(domain.clone()), &present).await;
        let (found, signed) = promises.exchangers(&promise, &name).await;
        let mut exchangers: Vec<(Option<u16>, Box<str>)> = match found {
            Ok(records) => records.into_iter().map(|mx| (Some(mx.preference), mx.host)).collect(),
            Err(SignedFault::Dns(DnsFault::NoRecord)) => vec![(None, name.clone().into())],
            Err(fault) => return Err(format!("{name}: {fault}")),
        };
        exchangers.sort();
        let failed = failures.0.lock().unwrap_or_else(PoisonError::into_inner).concat();
        let mut lines = vec![of_policy(promise.sts.as_deref()) + &failed, of_zone(&promise, signed)];
        for (preference, host) in exchangers {
            let (addresses, demand) = promises.host(&promise, signed, &host).await;
            let preference = preference.map_or_else(|| "no MX".to_owned(), |preference| format!("MX {preference}"));
            let absent = addresses.err().map_or_else(String::new, |fault| format!(" ({fault})"));
            lines.push(format!("{preference} {host}{absent}: {}", of_host(demand)));
        }
        Ok(lines)
    })
}

fn of_policy(policy: Option<&Policy>) -> String {
    match policy {
        None => "MTA-STS: no policy".to_owned(),
        Some(policy) => {
            let (mode, seconds) = (policy.mode.name(), policy.max_age.as_secs());
            format!("MTA-STS: {mode}, for {seconds} s, hosts {}", policy.hosts.join(" "))
        }
    }
}

fn of_zone(promise: &Promise, signed: bool) -> String {
    let zone = match (promise.dane, signed) {
        (false, _) => "not asked: it is off, or the name servers pass no signatures on",
        (true, false) => "none: the domain's zone is not signed",
        (true, true) => "the domain's zone is signed",
    };
    format!("DANE: {zone}")
}

fn of_host(demand: Result<Demand, Refused>) -> String {
    let demand = match demand {
        Ok(demand) => demand,
        Err(refused) => return format!("no mail, by {}: {}", refused.by.name(), refused.why),
    };
    let wanted = match &demand.tls {
        Outgoing::Off => "in clear",
        Outgoing::Opportunistic => "TLS where it is offered",
        Outgoing::Required => "TLS with whomever",
        Outgoing::Verify(Trust::Dane(_)) => "TLS with whom its TLSA records know",
        Outgoing::Verify(_) => "TLS with a valid certificate for its name",
    };
    let flaw = demand.flaw.map_or_else(String::new, |(_, flaw)| format!(" ({flaw})"));
    let records = match &demand.found {
        PolicyFound::Tlsa { records } => records.iter().map(|record| format!("\n    TLSA {record}")).collect(),
        PolicyFound::Sts { .. } | PolicyFound::None => String::new(),
    };
    format!("{wanted}, by {}{flaw}{records}", demand.by.name())
}
