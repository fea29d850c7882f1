//! Auth: who a client is. Knows the users and what their passwords must fit, and holds back those who guess.
//!
//! [`accounts`] is the file of users as it was read, [`throttle`] the table of failures, both without a clock;
//! [`driver`] checks passwords on threads of their own, a few at once.

pub mod accounts;
pub mod driver;
pub mod line;
#[cfg(test)]
mod tests;
pub mod throttle;
