//! The doors of the sandbox: the functions that guests call, one file for each kind.

mod clock;
mod kv;
mod log;
pub(crate) mod message;
mod network;
mod secrets;
mod session;
mod submit;
mod suppression;
mod tenants;

use super::host::bindings::mailwright::plugin as imports;
use super::host::call::Call;
use wasmtime::Engine;
use wasmtime::component::{HasSelf, Linker};

/// The linker with all that this version offers. What a plugin may not use is refused before it is linked.
///
/// # Errors
/// Two interfaces of one name: a bug.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Call>> {
    let mut linker = Linker::new(engine);
    imports::types::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::session::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::message::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::patterns::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::setup::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::delivery::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::log::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::metrics::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::clock::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::kv::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::random::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::secrets::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::suppression::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::tenants::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::tables::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::dns::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::http::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    imports::submit::add_to_linker::<Call, HasSelf<Call>>(&mut linker, |call| call)?;
    Ok(linker)
}

impl imports::types::Host for Call {}
