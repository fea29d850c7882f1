//! One message to one next hop: exchangers, connections, the client's side of SMTP and LMTP, and Maildirs.

pub mod client;
pub mod mx;
#[cfg(test)]
mod scripted;
