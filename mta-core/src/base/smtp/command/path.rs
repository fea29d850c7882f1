//! Reverse and forward paths in front of the parameters (RFC 5321 4.1.1.2, 4.1.1.3, 4.1.2).

use super::error::CommandError;
use crate::base::mail::address::Address;
use crate::base::mail::domain::Domain;

/// `FROM:<path>` or `FROM:<>`, and what follows it.
pub(super) fn reverse(text: &str) -> Result<(Option<Address>, &str), CommandError> {
    let (path, rest) = bracketed(text, "FROM:").ok_or(CommandError::MailSyntax)?;
    if path.is_empty() {
        return Ok((None, rest));
    }
    let mailbox = without_route(path).ok_or(CommandError::MailSyntax)?;
    // `<postmaster>` without a domain is a forward path only (RFC 5321 4.1.1.3).
    let sender = Address::parse(mailbox).map_err(CommandError::Sender)?;
    Ok((Some(sender), rest))
}

/// `TO:<path>` or `TO:<postmaster>`, and what follows it.
pub(super) fn forward(text: &str) -> Result<(Address, &str), CommandError> {
    let (path, rest) = bracketed(text, "TO:").ok_or(CommandError::RcptSyntax)?;
    let mailbox = without_route(path).ok_or(CommandError::RcptSyntax)?;
    let to = mailbox.parse().map_err(CommandError::Recipient)?;
    Ok((to, rest))
}

/// What stands between the keyword's brackets, and what follows, which is nothing or begins with a space.
///
/// Spaces behind the colon are let pass: RFC 5321 3.3 forbids clients to send them, old ones do, and they can't be
/// misunderstood.
fn bracketed<'a>(text: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let (start, path) = text.split_at_checked(keyword.len())?;
    if !start.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let path = path.trim_start_matches(' ').strip_prefix('<')?;
    let end = closing_bracket(path)?;
    let rest = &path[end + 1..];
    (rest.is_empty() || rest.starts_with(' ')).then_some((&path[..end], rest))
}

/// Index of the `>` that is not quoted.
fn closing_bracket(path: &str) -> Option<usize> {
    let mut quoted = false;
    let mut escaped = false;
    for (at, octet) in path.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

/// The mailbox behind a source route `@one,@two:`, which is read and ignored (RFC 5321 4.1.2 and appendix C).
fn without_route(path: &str) -> Option<&str> {
    if !path.starts_with('@') {
        return Some(path);
    }
    let mut rest = path;
    loop {
        let hop = rest.strip_prefix('@')?;
        // An IPv6 literal has colons of its own.
        let from = if hop.starts_with('[') { hop.find(']')? } else { 0 };
        let end = from + hop[from..].find([',', ':'])?;
        Domain::parse(&hop[..end]).ok()?;
        rest = &hop[end + 1..];
        if hop[end..].starts_with(':') {
            return Some(rest);
        }
    }
}
