//! The linkers of both profiles: a component is linked for the engine that it was compiled for.

use super::super::host::call::Call;
use super::needs::Profile;
use super::stubs;
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

/// What plugins are offered, once for each engine.
pub(crate) struct Linkers {
    narrow: Linker<Call>,
    wide: Linker<Call>,
}

impl Linkers {
    pub(crate) fn new(narrow: Linker<Call>, wide: Linker<Call>) -> Self {
        Self { narrow, wide }
    }

    /// The engine of the profile.
    pub(crate) fn engine(&self, profile: Profile) -> &Engine {
        match profile {
            Profile::Narrow => self.narrow.engine(),
            Profile::Wide => self.wide.engine(),
        }
    }

    /// Links a component, whose imports were checked.
    ///
    /// # Errors
    /// A function that it asks for is of another type than ours.
    pub(crate) fn linked(&self, profile: Profile, component: &Component) -> wasmtime::Result<InstancePre<Call>> {
        match profile {
            Profile::Narrow => self.narrow.instantiate_pre(component),
            Profile::Wide => {
                // What it asks for of WASI is named by its own version of it, so the names are defined for it alone.
                let mut linker = self.wide.clone();
                stubs::link(&mut linker, component)?;
                linker.instantiate_pre(component)
            }
        }
    }
}
