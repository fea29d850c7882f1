//! What a component says of itself: JSON in its custom section `mailwright:manifest`, which the SDK writes.
//!
//! Hooks and wanted grants are not in it: they are what the component exports and imports, and can't be told wrong.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wasmparser::{Parser, Payload};

/// The section's name.
const SECTION: &str = "mailwright:manifest";

/// Its length, at most, in octets.
const MANIFEST_BYTES_MAX: usize = 256 * 1024;

/// A manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The plugin's name where it is made; the operator's may be another.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The version of the contract that its SDK is of.
    pub contract: String,
    /// The JSON Schema of its configuration; none where it says nothing of it.
    #[serde(default)]
    pub config: Option<Value>,
}

impl Manifest {
    /// Reads the manifest of a component, of its own or of a module within; none where it has none.
    ///
    /// # Errors
    /// It is none, in words.
    pub(crate) fn read(octets: &[u8]) -> Result<Option<Self>, String> {
        let Some(json) = section(octets) else { return Ok(None) };
        if json.len() > MANIFEST_BYTES_MAX {
            return Err(format!("its manifest has {} bytes; {MANIFEST_BYTES_MAX} are allowed", json.len()));
        }
        let read = serde_json::from_slice(json);
        read.map(Some).map_err(|error| format!("its manifest (custom section {SECTION}) is not understood: {error}"))
    }
}

/// The section of the component itself, or else the first of a module in it: tools that make components of modules leave
/// it there. What can't be parsed has none; the loader says what is wrong with it.
fn section(octets: &[u8]) -> Option<&[u8]> {
    let mut within = None;
    let mut depth: u32 = 0;
    for payload in Parser::new(0).parse_all(octets) {
        match payload.ok()? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(custom) if custom.name() == SECTION => match depth {
                0 => return Some(custom.data()),
                _ => {
                    within.get_or_insert(custom.data());
                }
            },
            _ => {}
        }
    }
    within
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasm_encoder::{Component, CustomSection, Module, ModuleSection};

    fn with(own: Option<&str>, inner: Option<&str>) -> Vec<u8> {
        let custom = |data: &'static str| CustomSection { name: SECTION.into(), data: data.as_bytes().into() };
        let mut component = Component::new();
        let mut module = Module::new();
        if let Some(inner) = inner {
            module.section(&custom(String::leak(inner.to_owned())));
        }
        component.section(&ModuleSection(&module));
        if let Some(own) = own {
            component.section(&custom(String::leak(own.to_owned())));
        }
        component.finish()
    }

    fn manifest(name: &str) -> String {
        format!(r#"{{"contract":"0.1.0","name":"{name}","version":"1.0.0","later":1}}"#)
    }

    #[test]
    fn the_components_own_manifest_comes_before_that_of_a_module() {
        let name = |octets: &[u8]| Manifest::read(octets).expect("it is sound").map(|manifest| manifest.name);
        assert_eq!(name(&with(None, None)), None);
        assert_eq!(name(&with(None, Some(&manifest("inner")))).as_deref(), Some("inner"));
        assert_eq!(name(&with(Some(&manifest("own")), Some(&manifest("inner")))).as_deref(), Some("own"));
        assert_eq!(name(b"no component"), None);
    }

    #[test]
    fn a_manifest_that_is_none_is_told() {
        let words = Manifest::read(&with(Some("{}"), None)).expect_err("it has no name");
        assert!(words.contains("mailwright:manifest") && words.contains("missing field"), "{words}");
        let long = " ".repeat(MANIFEST_BYTES_MAX + 1);
        assert!(Manifest::read(&with(Some(&long), None)).expect_err("too long").contains("262144 are allowed"));
    }
}
