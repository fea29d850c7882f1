//! Names in records: which can be asked about, and what a macro may make of them (RFC 7208 4.3, 7.3).

use crate::path::verify::answers::NAME_BYTES_MAX;

/// Whether there can be a record: at least two labels of 1 to 63 letters, digits, hyphens and underscores, of which the
/// last is no number (RFC 7208 4.3; an address is no domain).
pub(super) fn is_domain(name: &str) -> bool {
    let is_label = |label: &str| {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(plain)
    };
    let Some((_, last)) = name.rsplit_once('.') else { return false };
    name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label) && !last.bytes().all(|octet| octet.is_ascii_digit())
}

/// A name that became too long loses labels from the left (RFC 7208 7.3).
pub(super) fn shortened(name: &str) -> &str {
    let mut rest = name;
    while rest.len() > NAME_BYTES_MAX {
        match rest.split_once('.') {
            Some((_, behind)) => rest = behind,
            None => break,
        }
    }
    rest
}

/// The same, or below it; both are in lower case.
pub(super) fn is_below(name: &str, domain: &str) -> bool {
    name.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}
