//! A certificate that an authority issues and renews (ACME, RFC 8555). It is put into a file of the data directory, and the
//! keyring, which looks at the files, takes it from there: to the listeners it is one like any other.
//!
//! `schedule` says when, `order` speaks with the authority by `transport`, `port` shows it the `answers` that it wants to
//! see, and `kept` is the data directory. See docs/decisions/0042-acme-writes-files-that-the-keyring-reads.md.

mod answers;
mod kept;
mod order;
mod port;
pub(super) mod schedule;
#[cfg(test)]
mod tests;
mod transport;

use crate::base::event::Event;
use crate::base::time::UnixMillis;
use crate::base::world::dns::Dns;
use crate::base::world::net::{Listener, Net};
use crate::base::world::{Clock, Dice, Observe};
use crate::config::model::Config;
use crate::config::model::acme as model;
use crate::path::auth::driver::Secrets;
use answers::Answers;
use order::blocking;
use schedule::{Next, Schedule, Term};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use transport::Transport;

/// A whole order, with all names.
const ORDER_TOTAL: Duration = Duration::from_secs(600);

/// What orders need of the rest.
pub struct Doors {
    /// The configuration in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// The secrets in force: the key that binds our account may be among them.
    pub secrets: Arc<Secrets>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How waits are spread.
    pub dice: Arc<dyn Dice>,
    /// How the authority is reached.
    pub net: Arc<dyn Net>,
    /// How its name is looked up.
    pub dns: Arc<dyn Dns>,
    /// Who is told.
    pub observe: Arc<dyn Observe>,
}

/// Orders certificates as the configuration wants them, and answers at the port, for as long as it is polled. A reload may
/// change all but the port.
pub async fn serve(doors: Doors, port: Box<dyn Listener>, challenge: model::Challenge) {
    let (answers, observe) = (Arc::new(Answers::default()), Arc::clone(&doors.observe));
    observe.event(Event::Listening { listener: "acme", address: port.local() });
    let asked = port::Asked { answers: Arc::clone(&answers), observe };
    tokio::join!(port::serve(port, challenge, asked), follow(doors, &answers));
}

/// Orders as the schedule says.
async fn follow(mut doors: Doors, answers: &Answers) {
    let mut schedule = Schedule::default();
    let mut known = None;
    loop {
        let present = doors.config.borrow_and_update().acme.clone();
        if present != known {
            // An operator has changed something, perhaps what made it fail.
            schedule = Schedule::default();
        }
        known.clone_from(&present);
        let rest = match present {
            Some(acme) => step(&doors, &Arc::new(acme), &mut schedule, answers).await,
            None => None,
        };
        let rested = async {
            match rest {
                Some(rest) => doors.clock.sleep_until(doors.clock.mono() + rest).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = rested => {}
            changed = doors.config.changed() => if changed.is_err() { return },
        }
    }
}

/// Does what is to be done now. How long to rest then.
async fn step(doors: &Doors, acme: &Arc<model::Acme>, schedule: &mut Schedule, answers: &Answers) -> Option<Duration> {
    let has = match term(acme).await {
        Ok(has) => has,
        // Nobody knows what would be overwritten.
        Err(why) => return Some(failed(doors, acme, schedule, &why)),
    };
    let why = match schedule.next(has.as_ref(), &acme.names, doors.clock.now()) {
        Next::Rest(rest) => return Some(rest),
        Next::Order(why) => why,
    };
    let names = acme.names.join(" ");
    doors.observe.event(Event::AcmeOrdered { names: &names, directory: &acme.directory, why });
    let began = doors.clock.mono();
    match ordered(doors, acme, answers).await {
        Ok(term) => {
            schedule.succeeded();
            let expires = UnixMillis(u64::try_from(term.until).unwrap_or(0).saturating_mul(1000)).to_string();
            let renewed = schedule::renewal(&term).to_string();
            let took = doors.clock.mono().saturating_duration_since(began);
            let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            doors.observe.event(Event::AcmeIssued { names: &names, expires: &expires, renewed: &renewed, took_ms });
            Some(Duration::ZERO)
        }
        Err(why) => Some(failed(doors, acme, schedule, &why)),
    }
}

/// Orders, and says what came.
async fn ordered(doors: &Doors, acme: &Arc<model::Acme>, answers: &Answers) -> Result<Term, String> {
    let (of, net, dns) = (Arc::clone(acme), Arc::clone(&doors.net), Arc::clone(&doors.dns));
    let transport = blocking(move || Transport::new(&of, net, dns)).await?;
    let external = acme.external.as_ref().map(|external| order::binding(external, &doors.secrets.load()));
    let ordered = tokio::time::timeout(ORDER_TOTAL, order::order(acme, transport, external, answers)).await;
    ordered.unwrap_or_else(|_| {
        answers.clear();
        Err("the order took too long".to_owned())
    })?;
    let term = term(acme).await?.ok_or("the certificate is gone again")?;
    match Schedule::default().next(Some(&term), &acme.names, doors.clock.now()) {
        Next::Rest(_) => Ok(term),
        // To order the next at once would never end.
        Next::Order(why) => Err(format!("the certificate that came is of no use, {why}: is the clock right?")),
    }
}

async fn term(acme: &Arc<model::Acme>) -> Result<Option<Term>, String> {
    let of = Arc::clone(acme);
    blocking(move || kept::term(&of)).await
}

/// Tells of a failure. How long to rest then.
fn failed(doors: &Doors, acme: &model::Acme, schedule: &mut Schedule, why: &str) -> Duration {
    let (failures, rest) = schedule.failed(doors.clock.now(), doors.dice.roll());
    let again_in_ms = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
    let names = acme.names.join(" ");
    doors.observe.event(Event::AcmeFailed { names: &names, directory: &acme.directory, why, failures, again_in_ms });
    rest
}
