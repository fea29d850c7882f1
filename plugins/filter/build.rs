//! Room for what unpacks archives, which builds its tables on the stack before they go where they belong.

/// The linker takes the last that it is told: this, instead of what fits most plugins.
fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg-cdylib=-zstack-size={}", 24 * 1024);
}
