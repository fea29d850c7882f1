//! Values that several sections about users have: files, URLs, names of users.

use crate::base::world::http::{HttpHost, Origin};
use crate::config::matching::UserPattern;
use crate::config::model::auth::oauth::Url;
use crate::config::parse::section::Value;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const FILE_PEM: &str = "the path of a file in PEM";
pub(super) const SECOND: Duration = Duration::from_secs(1);
const USERS: &str = "a list of users' names: \"ann\", \"*@example.org\" (all whose name ends so) or \"*\"";

pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    if text.trim().is_empty() || text.contains('\0') { Err(String::new()) } else { Ok(text.into()) }
}

/// A URL that secrets may go to: by TLS, or on this machine.
pub(super) fn url(text: &str) -> Result<Url, String> {
    let (origin, target) = Origin::of_url(text).map_err(str::to_owned)?;
    let here = matches!(origin.host, HttpHost::Address(ip) if ip.is_loopback());
    match origin.secure || here {
        true => Ok(Url { origin, target }),
        false => Err("without TLS secrets go to loopback addresses alone: did you mean https?".to_owned()),
    }
}

pub(super) fn patterns(value: &mut Value<'_, '_>) -> Option<Vec<UserPattern>> {
    value.list(USERS, |item| item.text(USERS, |text| UserPattern::parse(text).ok_or_else(String::new)))
}
