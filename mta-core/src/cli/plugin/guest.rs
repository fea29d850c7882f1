//! How Rust guests are built: for build.rs, which makes the plugins that the program carries, and for `plugin build`.

/// No system below: what a guest imports is the contract alone.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// All memory that a simple guest needs, there from the start: growing costs the host system calls that serialise
/// threads. It must not exceed what the host's pool keeps resident.
const INITIAL_MEMORY_BYTES: u32 = 64 * 1024;
const STACK_BYTES: u32 = 32 * 1024;

/// Small guests compile faster and load faster; the name section stays, for the frames of a fault.
pub(crate) const PROFILE: [(&str, &str); 6] = [
    ("lto", "true"),
    ("opt-level", "s"),
    ("codegen-units", "1"),
    ("panic", "abort"),
    ("debug", "0"),
    ("strip", "debuginfo"),
];

/// The variable by which cargo takes a setting of the release profile.
pub(crate) fn profile_variable(key: &str) -> String {
    format!("CARGO_PROFILE_RELEASE_{}", key.to_uppercase().replace('-', "_"))
}

/// The linker's flags, as `CARGO_ENCODED_RUSTFLAGS` has them.
pub(crate) fn encoded_flags() -> String {
    let link = [format!("--initial-memory={INITIAL_MEMORY_BYTES}"), format!("-zstack-size={STACK_BYTES}")];
    link.iter().map(|flag| format!("-Clink-arg={flag}")).collect::<Vec<_>>().join("\u{1f}")
}

/// What to do where the target is missing.
pub(crate) fn missing_target() -> String {
    format!("plugins need the target {TARGET}; run: rustup target add {TARGET}")
}
