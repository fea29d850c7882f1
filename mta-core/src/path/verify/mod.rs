//! Verification of mail from outside: who sent it, and does the author's domain stand behind it (RFC 7208, RFC 6376,
//! RFC 8617, RFC 9989).
//!
//! Every judge is a function of the message and of what the DNS has answered so far: an answer that is missing is noted,
//! the driver asks for it, and the judge is called again. So no judge waits, and a test needs no name server.

mod answers;
mod client;
mod consequence;
pub mod driver;
mod judged;
mod message;
mod results;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod zones;
