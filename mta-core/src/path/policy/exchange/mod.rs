//! What guests are asked, what their answers mean, and what they say of themselves.

pub(super) mod address;
pub(super) mod differences;
pub(super) mod manifest;
pub(super) mod question;
pub(super) mod response;
pub(super) mod routing;
pub(super) mod said;
pub(super) mod trail;
pub(super) mod verdict;
pub mod words;
