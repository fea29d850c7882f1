//! The guest's functions at a fault, as its author named them.

use wasmtime::WasmBacktrace;

/// Frames of a fault that are told.
const FRAMES_MAX: usize = 8;
/// The longest that is told of one frame, in octets: generic functions have names without end.
const FRAME_BYTES_MAX: usize = 200;

/// The innermost frames: names without the compiler's marks.
pub(crate) fn frames(trace: &WasmBacktrace) -> Vec<String> {
    trace.frames().iter().filter_map(|frame| frame.func_name()).take(FRAMES_MAX).map(plain).collect()
}

/// `grey::check` for `_ZN4grey5check17h0123456789abcdefE`.
fn plain(name: &str) -> String {
    let mut name = format!("{:#}", rustc_demangle::demangle(name)).replace(char::is_control, " ");
    name.truncate(name.floor_char_boundary(FRAME_BYTES_MAX));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_source() {
        assert_eq!(plain("_ZN4grey5check17h0123456789abcdefE"), "grey::check");
        assert_eq!(plain("_RNvCs1234_4grey5check"), "grey::check");
        assert_eq!(plain("a_c_function"), "a_c_function");
        assert_eq!(plain(&"x".repeat(999)).len(), FRAME_BYTES_MAX);
    }
}
