//! Auth: who a client is. Knows the users and what their passwords must fit, and holds back those who guess.
//!
//! [`accounts`] is the file of users as it was read, [`throttle`] the table of failures, `token` what tokens say, `remote`
//! what others say of passwords, all without a clock; [`driver`] checks passwords on threads of their own, a few at once, and asks others about tokens.

pub mod accounts;
pub mod driver;
pub mod line;
mod remote;
#[cfg(test)]
mod tests;
pub mod throttle;
mod token;
