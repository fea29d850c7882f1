//! One message to one next hop: exchangers, connections, the client's side of SMTP and LMTP, and Maildirs.

pub mod client;
pub mod copies;
pub mod driver;
pub mod maildir;
pub mod mx;
pub mod pool;
#[cfg(test)]
pub(crate) mod scripted;
pub mod sign;
pub mod trust;
