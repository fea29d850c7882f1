//! The name by which a client calls itself (RFC 5321 4.1.1.1, 4.1.4).

use super::error::CommandError;

/// The client's name. RFC 5321 4.1.4 forbids to refuse mail because the name is wrong, and many are; so whatever has
/// only the characters of names and literals passes (underscores too), and what could break a header does not.
pub(super) fn client_name(rest: &str, error: CommandError) -> Result<Box<str>, CommandError> {
    let name = rest.trim_start_matches(' ');
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    // RFC 5321 4.5.3.1.2.
    let wrong = name.is_empty() || name.len() > 255 || !name.chars().all(fits);
    if wrong { Err(error) } else { Ok(name.into()) }
}
