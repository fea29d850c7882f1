//! How Rust guests are built: for build.rs, which makes the plugins that the program carries, and for `plugin build`.

/// No system below: what a guest imports is the contract alone.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Memory is counted in octets and not in pages of 64 KiB: all of it is cleared after each transaction, and most guests need
/// little.
const PAGE_BYTES: u32 = 1;

/// What a guest has from the start beside its data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Room {
    /// A call that needs more stack is ended.
    pub(crate) stack_bytes: u32,
    /// A heap that has to grow costs the instance: it is dropped after its transaction, and another is made.
    pub(crate) heap_bytes: u32,
}

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
pub(crate) fn encoded_flags(Room { stack_bytes, heap_bytes }: Room) -> String {
    let link = [
        format!("--page-size={PAGE_BYTES}"),
        format!("--initial-heap={heap_bytes}"),
        format!("-zstack-size={stack_bytes}"),
    ];
    link.iter().map(|flag| format!("-Clink-arg={flag}")).collect::<Vec<_>>().join("\u{1f}")
}

/// What to do where the target is missing.
pub(crate) fn missing_target() -> String {
    format!("plugins need the target {TARGET}; run: rustup target add {TARGET}")
}
