//! Whether the client's address has a name that has the address (RFC 8601 3).

use super::super::answers::{Answers, Sought, Unknown};
use crate::base::flow::policy::verify::Outcome;
use crate::base::world::dns::{DnsFault, RecordKind, reverse_name};
use std::net::IpAddr;

/// Names of an address that are looked at (RFC 8601 3 wants a limit; RFC 7208 5.5 has this one).
const NAMES_MAX: usize = 10;

/// What came of it, and the name that agrees.
pub(in crate::path::verify) fn judge(ip: IpAddr, answers: &Answers) -> Result<(Outcome, Option<Box<str>>), Unknown> {
    // RFC 8601 2.7.3: without a name nothing can be compared, now or later.
    let names = match answers.names(Sought::Records(RecordKind::Ptr), &reverse_name(ip))? {
        Ok(names) => names,
        Err(DnsFault::Failed) => return Ok((Outcome::TempError, None)),
        Err(DnsFault::NoSuchDomain | DnsFault::NoRecord) => return Ok((Outcome::PermError, None)),
    };
    let mut failed = false;
    for name in names.iter().take(NAMES_MAX) {
        match answers.addresses(name, ip.is_ipv4())? {
            Ok(addresses) if addresses.contains(&ip) => return Ok((Outcome::Pass, Some(name.clone()))),
            Ok(_) | Err(DnsFault::NoSuchDomain | DnsFault::NoRecord) => {}
            Err(DnsFault::Failed) => failed = true,
        }
    }
    Ok((if failed { Outcome::TempError } else { Outcome::Fail }, None))
}
