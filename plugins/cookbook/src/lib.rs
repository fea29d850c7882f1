//! Twelve policies that people want, each a whole plugin: docs/plugins/cookbook.md shows them.
//!
//! A component is one plugin, so for WebAssembly a feature chooses it:
//! `cargo build --release --target wasm32-unknown-unknown --features greylist`. The tests have all of them.

/// Declares a recipe: there for every other target, and for WebAssembly if it is chosen.
macro_rules! recipes {
    ($($feature:literal $file:literal $name:ident;)*) => {$(
        #[cfg(any(not(target_arch = "wasm32"), feature = $feature))]
        #[path = $file]
        pub mod $name;
    )*};
}

recipes! {
    "archive" "content/archive.rs" archive;
    "ask" "envelope/ask.rs" ask;
    "attachments" "content/attachments.rs" attachments;
    "dnsbl" "envelope/dnsbl.rs" dnsbl;
    "external" "content/external.rs" external;
    "footer" "content/footer.rs" footer;
    "greylist" "envelope/greylist.rs" greylist;
    "logins" "envelope/logins.rs" logins;
    "mailboxes" "envelope/mailboxes.rs" mailboxes;
    "pace" "outgoing/pace.rs" pace;
    "rate-limit" "envelope/rate_limit.rs" rate_limit;
    "returns" "outgoing/returns.rs" returns;
}
