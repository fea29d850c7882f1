//! Where components come from, the program itself or a file; and where their code does, a child process or our own cache.

mod cache;
pub mod child;
mod code;
pub mod compiler;
pub mod watch;

use crate::config::model::PluginSource;
use crate::sandbox::WIDE_COMPONENT_BYTES_MAX;
use bytes::Bytes;
use std::fs::File;
use std::io::Read;

/// Largest component, in octets. One for the narrow engine may be no larger than a quarter of it: that is known when its
/// imports are.
pub const COMPONENT_BYTES_MAX: u64 = WIDE_COMPONENT_BYTES_MAX as u64;

/// Plugins that are compiled into the program, by the name behind `builtin:` (built by build.rs).
const BUILTINS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/builtins.rs"));

/// The plugins that the program carries: what follows `builtin:`, and the component.
pub fn builtins() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    BUILTINS.iter().copied()
}

/// The octets of a component.
///
/// # Errors
/// There is no such builtin or file, or it is too large; in words for the operator.
pub fn read(source: &PluginSource) -> Result<Bytes, String> {
    match source {
        PluginSource::Builtin(name) => {
            let found = BUILTINS.iter().find(|(known, _)| *known == &**name);
            let known = builtins().map(|(known, _)| known).collect::<Vec<_>>().join(", ");
            found
                .map(|(_, octets)| Bytes::from_static(octets))
                .ok_or_else(|| format!("there is no builtin \"{name}\"; there are {known}"))
        }
        PluginSource::File(path) => {
            let shown = path.display();
            let file = File::open(path).map_err(|error| format!("{shown} can't be read: {error}"))?;
            let mut octets = Vec::new();
            // One more than allowed tells a file that is too large from one that just fits.
            let read = file.take(COMPONENT_BYTES_MAX + 1).read_to_end(&mut octets);
            match read {
                Ok(count) if count as u64 > COMPONENT_BYTES_MAX => {
                    Err(format!("{shown} is larger than {COMPONENT_BYTES_MAX} octets"))
                }
                Ok(_) => Ok(octets.into()),
                Err(error) => Err(format!("{shown} can't be read: {error}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_builtin_is_a_component() {
        let octets = read(&PluginSource::Builtin("hello".into())).expect("it is built in");
        // The header of a component: magic, version 13, layer 1.
        assert_eq!(octets.get(..8), Some(&b"\0asm\x0d\0\x01\0"[..]));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let words = read(&PluginSource::Builtin("helo".into())).expect_err("misspelt");
        assert!(words.starts_with("there is no builtin \"helo\"; there are "), "{words}");
        assert!(words.contains("hello") && words.contains("filter"), "{words}");
        let words = read(&PluginSource::File("no/such.wasm".into())).expect_err("no file");
        assert!(words.starts_with("no/such.wasm can't be read: "), "{words}");
    }

    #[test]
    fn a_file_beyond_the_limit_is_not_read_whole() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.as_file().set_len(COMPONENT_BYTES_MAX + 1).expect("a sparse file");
        let words = read(&PluginSource::File(file.path().to_owned())).expect_err("too large");
        assert!(words.ends_with("is larger than 67108864 octets"), "{words}");
    }
}
