//! Takes up code that was compiled before. This is the only file of the program that allows `unsafe`: the engine can't
//! check machine code, so what comes in here must be known to be ours.

#![allow(unsafe_code, reason = "machine code is taken up on trust; `OwnCode` says where the trust comes from")]

use wasmtime::Engine;
use wasmtime::component::Component;

/// Code that this program made of a component. Only `child` and `cache` can name such octets so.
pub(super) struct OwnCode(Vec<u8>);

impl OwnCode {
    /// What our own child said: this very program, run again, which ends well only after it has compiled.
    pub(super) fn from_child(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// What lay in our own cache, behind a checksum, in a file and a directory that nobody else may write.
    pub(super) fn from_cache(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    /// To keep it.
    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }

    /// The component, ready to be linked.
    ///
    /// # Errors
    /// It was made for an engine with other settings, or for another machine.
    pub(super) fn component(&self, engine: &Engine) -> wasmtime::Result<Component> {
        // SAFETY: the octets must be unchanged output of `Engine::precompile_component`. From the child they come through a
        // pipe that no other process has, and the child is the program's own file with the program's own engine settings.
        // From the cache they come from a directory that is ours with mode 0700, held open since it was checked, out of a
        // regular file that is ours with mode 0600 and not a link, and their sha256 is the one that was written with them:
        // who could forge that can also write to this process. Octets of any other origin have no way to this type.
        unsafe { Component::deserialize(engine, &self.0) }
    }
}
