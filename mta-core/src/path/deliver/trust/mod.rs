//! What connections to a domain's mail exchangers are held to, in this order: what their signed zones say (DANE,
//! RFC 7672), what the domain publishes (MTA-STS, RFC 8461), what is configured.
//!
//! [`driver::Promises`] finds out what the domain promises; [`demand::Promise`] makes of it what one host is held to.

pub mod dane;
pub mod demand;
pub mod driver;
pub mod policies;
pub mod sts;
