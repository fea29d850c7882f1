//! What plugins may use up: instances, reports that wait, processor time.

pub(crate) mod permits;
pub(crate) mod pulse;
pub(crate) mod reports;
