//! Who sent it: judges of the client's address and of the names that it uses (RFC 8601 3, RFC 7208).

pub(super) mod iprev;
mod macros;
mod names;
mod record;
pub(super) mod spf;
#[cfg(test)]
mod tests;
