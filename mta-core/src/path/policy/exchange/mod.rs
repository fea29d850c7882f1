//! What guests are asked, what their answers mean, and what they say of themselves.

pub(super) mod address;
pub(super) mod manifest;
pub(super) mod question;
pub(super) mod verdict;
