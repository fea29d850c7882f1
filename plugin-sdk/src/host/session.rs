//! The SMTP session that a hook belongs to, and its notes. No grant needed.

use super::backend;

pub use crate::bindings::mailwright::plugin::session::{Certificate, Error, Info, Note, TlsInfo};

/// The session.
///
/// # Errors
/// `NotHere` where the hook has no session, as in `on_pre_send`.
pub fn current() -> Result<Info, Error> {
    backend::session::current()
}

/// The client's address alone, which costs less than all of [`current`].
///
/// # Errors
/// `NotHere` where the hook has no session.
pub fn peer_ip() -> Result<String, Error> {
    backend::session::peer_ip()
}

/// How TLS protects the session; none while it is in clear. A client's certificate is there if it showed one; whether it
/// is worth anything, its `verified` says.
///
/// # Errors
/// `NotHere` where the hook has no session.
pub fn tls() -> Result<Option<TlsInfo>, Error> {
    backend::session::tls()
}

/// A note. Notes outlive the instance: they last as long as the session, and are the plugin's own unless the key
/// begins with `shared/`.
///
/// # Errors
/// `NotHere` where the hook has no session.
pub fn note(key: &str) -> Result<Option<Note>, Error> {
    backend::session::get_note(key)
}

/// Writes a note.
///
/// # Errors
/// `NotHere` where the hook has no session; `TooLarge` beyond 4 KiB a note or 64 notes.
pub fn set_note(key: &str, value: &Note) -> Result<(), Error> {
    backend::session::set_note(key, value)
}

/// How many recipients the client was refused for good (5xx) in this session so far: by the server's own rules, of which
/// `on_rcpt` does not hear, or by plugins.
///
/// # Errors
/// `NotHere` where the hook has no session.
pub fn rejected_recipients() -> Result<u32, Error> {
    backend::session::rejected_recipients()
}

/// Adds to a note that is a number (absent ones count as 0) and returns the sum.
///
/// # Errors
/// As [`set_note`].
pub fn count(key: &str, by: i64) -> Result<i64, Error> {
    let before = match note(key)? {
        Some(Note::Number(number)) => number,
        _ => 0,
    };
    let sum = before.saturating_add(by);
    set_note(key, &Note::Number(sum))?;
    Ok(sum)
}
