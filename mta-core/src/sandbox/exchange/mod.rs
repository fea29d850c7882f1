//! What guests are asked, what their answers mean, and what they say of themselves.

pub(crate) mod address;
pub(crate) mod admission;
pub(crate) mod compare;
pub(crate) mod manifest;
pub(crate) mod question;
pub(crate) mod response;
pub(crate) mod routing;
pub(crate) mod said;
pub(crate) mod verdict;
