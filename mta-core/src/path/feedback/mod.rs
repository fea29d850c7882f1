//! Feedback: mail that comes back about mail that went out. It is durable like all mail, becomes due, is read and tied to
//! what it is about here, and has ended when plugins were told.
//!
//! `report` finds the report in the message (RFC 6522), `fields` reads its fields (RFC 3464 2, RFC 5965 3), `judge` ties it to
//! what we sent, or does not. These are pure. What can't be tied is counted and ends here: nobody's word is taken for
//! somebody else's mail.

pub mod driver;
mod fields;
mod judge;
mod report;
#[cfg(test)]
mod tests;

/// For the fuzzer: reads a message as a report, whatever it is made of; how many groups of fields were found.
#[must_use]
pub fn read_anything(head: &[u8], body: &[u8]) -> usize {
    match report::read(head, body).map(|report| report.form) {
        Some(report::Form::Status(groups)) => groups.len(),
        Some(report::Form::Complaint(_)) => 1,
        None => 0,
    }
}
