//! What a component takes to run, as its binary tells it, and which profile that is.
//!
//! Most plugins are small: one memory, a few core instances, nothing of a system. Thousands of their instances live at
//! once. An interpreter is a dozen modules over megabytes of memory, and asks for WASI: it gets an engine of its own, with
//! room for few.

use wasmparser::{Instance, MemoryType, Parser, Payload};

/// The engine that a component runs in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// Thousands of small instances.
    #[default]
    Narrow,
    /// Few large ones, one for each call.
    Wide,
}

/// What the narrow profile has room for.
const NARROW: Needs = Needs {
    // A component has its own core instance and two of the adapter that `wit-component` puts round it. The image takes one
    // more to tell its state.
    core_instances: 3,
    memories: 1,
    memory_bytes: NARROW_MEMORY_BYTES,
    tables: 4,
    table_elements: 16_384,
    wasi: false,
};

/// What an instance may grow to, unless its configuration says otherwise.
const NARROW_MEMORY_BYTES: u64 = 16 * 1024 * 1024;
/// CPython begins with 13 MiB; what a script makes of a message of some MiB takes several times as much.
const WIDE_MEMORY_BYTES: u64 = 128 * 1024 * 1024;

/// The largest component, in octets. A plugin of one's own making has some hundred KiB.
const NARROW_COMPONENT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// CPython with its standard library is 18 MiB, and scripts bring libraries with them.
pub const WIDE_COMPONENT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A page, as a power of two, where a memory does not say that it counts in octets.
const PAGE_LOG2: u32 = 16;

/// What a memory begins with, in octets.
pub(crate) fn initial_bytes(memory: &MemoryType) -> u64 {
    let page_bytes = 1 << memory.page_size_log2.unwrap_or(PAGE_LOG2).min(PAGE_LOG2);
    memory.initial.saturating_mul(page_bytes)
}

/// What a component takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    core_instances: usize,
    memories: usize,
    /// All memories together, as they begin.
    pub(crate) memory_bytes: u64,
    tables: usize,
    /// Of the largest table.
    table_elements: u64,
    /// It asks for interfaces of a system.
    wasi: bool,
}

impl Profile {
    /// The profile that a component needs. What is no component is not told apart here: compiling it says what it is.
    #[must_use]
    pub fn of(octets: &[u8]) -> Self {
        Needs::read(octets).map_or(Self::Narrow, |needs| needs.profile())
    }

    /// What an instance's memory may grow to, unless its configuration says otherwise.
    pub(crate) fn memory_bytes_max(self) -> usize {
        let bytes = match self {
            Self::Narrow => NARROW_MEMORY_BYTES,
            Self::Wide => WIDE_MEMORY_BYTES,
        };
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// The largest component.
    pub(crate) fn component_bytes_max(self) -> usize {
        match self {
            Self::Narrow => NARROW_COMPONENT_BYTES_MAX,
            Self::Wide => WIDE_COMPONENT_BYTES_MAX,
        }
    }

    /// As operators read it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Wide => "wide",
        }
    }
}

impl Needs {
    /// Reads a component. Each module counts once: one that is instantiated twice is counted by its instances, and the
    /// engine's pool has the last word.
    pub(crate) fn read(octets: &[u8]) -> wasmparser::Result<Self> {
        let mut needs = Self::default();
        for payload in Parser::new(0).parse_all(octets) {
            match payload? {
                Payload::InstanceSection(instances) => {
                    for instance in instances {
                        needs.core_instances += usize::from(matches!(instance?, Instance::Instantiate { .. }));
                    }
                }
                Payload::MemorySection(memories) => {
                    for memory in memories {
                        needs.memories += 1;
                        needs.memory_bytes = needs.memory_bytes.saturating_add(initial_bytes(&memory?));
                    }
                }
                Payload::TableSection(tables) => {
                    for table in tables {
                        needs.tables += 1;
                        needs.table_elements = needs.table_elements.max(table?.ty.initial);
                    }
                }
                Payload::ComponentImportSection(imports) => {
                    for import in imports {
                        needs.wasi |= import?.name.name.starts_with(WASI);
                    }
                }
                _ => {}
            }
        }
        Ok(needs)
    }

    pub(crate) fn profile(&self) -> Profile {
        let fits = self.core_instances <= NARROW.core_instances
            && self.memories <= NARROW.memories
            && self.memory_bytes <= NARROW.memory_bytes
            && self.tables <= NARROW.tables
            && self.table_elements <= NARROW.table_elements
            && !self.wasi;
        if fits { Profile::Narrow } else { Profile::Wide }
    }
}

/// How interfaces of a system begin.
const WASI: &str = "wasi:";

/// The packages of WASI whose interfaces are answered for, and the versions: all of 0.2 are one another's subsets.
pub(crate) const WASI_PACKAGES: [&str; 7] = ["cli", "clocks", "filesystem", "http", "io", "random", "sockets"];
pub(crate) const WASI_VERSION: &str = "0.2.";

/// The interface of WASI that an import names, as `cli/environment`, where it is answered for.
pub(crate) fn stubbed(import: &str) -> Option<&str> {
    let (interface, version) = import.strip_prefix(WASI)?.split_once('@')?;
    let (package, _) = interface.split_once('/')?;
    (version.starts_with(WASI_VERSION) && WASI_PACKAGES.contains(&package)).then_some(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(parts: &str) -> Profile {
        Profile::of(&wat::parse_str(format!("(component {parts})")).expect("the text is a component"))
    }

    #[test]
    fn what_fits_is_narrow_and_each_larger_need_is_wide() {
        let module = "(core module $m (memory 4) (table 8 funcref))";
        let instances = |count: usize| format!("{module} {}", "(core instance (instantiate $m))".repeat(count));
        assert_eq!(of(&instances(3)), Profile::Narrow);
        assert_eq!(of(&instances(4)), Profile::Wide);
        assert_eq!(of("(core module (memory 256))"), Profile::Narrow);
        assert_eq!(of("(core module (memory 257))"), Profile::Wide);
        assert_eq!(of("(core module (memory 1)) (core module (memory 1))"), Profile::Wide);
        assert_eq!(of("(core module (table 16385 funcref))"), Profile::Wide);
        assert_eq!(of(&"(core module (table 1 funcref))".repeat(5)), Profile::Wide);
        assert_eq!(of(r#"(import "wasi:cli/environment@0.2.3" (instance))"#), Profile::Wide);
        assert_eq!(Profile::of(b"hello"), Profile::Narrow, "compiling says what it is");
    }

    #[test]
    fn known_interfaces_of_the_version_are_answered_for() {
        assert_eq!(stubbed("wasi:cli/environment@0.2.9"), Some("cli/environment"));
        for other in ["wasi:cli/environment@0.3.0", "wasi:cli/environment", "wasi:nn/graph@0.2.0", "mail:cli/x@0.2.0"] {
            assert_eq!(stubbed(other), None, "{other}");
        }
    }
}
