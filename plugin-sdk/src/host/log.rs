//! The server's log; needs the grant `log`.

use super::backend;

pub use crate::bindings::mailwright::plugin::log::Level;

/// Writes a line with fields. The host cuts a line at 1 KiB and drops what exceeds 100 lines a second.
pub fn write(level: Level, message: &str, fields: &[(String, String)]) {
    backend::log::write(level, message, fields);
}

/// Writes a line: `log!(Info, "seen {count} times")`.
#[macro_export]
macro_rules! log {
    ($level:ident, $($format:tt)+) => {
        $crate::log::write($crate::log::Level::$level, &::std::format!($($format)+), &[])
    };
}
