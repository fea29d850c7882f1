//! WASI, of which nothing is there: each function that a component asks for is answered here, without a file, a socket, an
//! environment or a stream of the host's.
//!
//! No code of this program stands behind these names but what is in this file. Time is told where `clock` is granted, and
//! does not pass otherwise; randomness is drawn where `random` is granted, and is fixed numbers otherwise. What a guest prints becomes lines of its log where `log`
//! is granted. What can't be answered so ends the call, with words that name the function.

use super::super::host::bindings::mailwright::plugin as wire;
use super::super::host::call::Call;
use super::needs::stubbed;
use super::said::Stream;
use crate::base::event::Event;
use std::sync::atomic::Ordering;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{StoreContextMut, bail};

/// What a guest is told that it may print at once, in octets.
const WRITE_BYTES_MAX: u64 = 4096;
/// What one call of `get-random-bytes` gives at most: as the contract's own `random`.
const RANDOM_BYTES_MAX: u32 = 64 * 1024;
/// Where clocks stand that are not granted.
const NO_TIME: u64 = 0;
const MS_PER_SECOND: u64 = 1000;
const NS_PER_MS: u64 = 1_000_000;

// Resources have a number and nothing behind it.
struct Input;
struct Output;
struct Pollable;
struct IoError;
struct TerminalInput;
struct TerminalOutput;
struct Descriptor;
struct Other;

#[derive(ComponentType, Lift, Lower)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    Failed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

#[derive(Clone, Copy, ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    seconds: u64,
    nanoseconds: u32,
}

type Store<'a> = StoreContextMut<'a, Call>;
type Written = (Result<(), StreamError>,);
type Linked = wasmtime::Result<()>;

/// The numbers of the streams; pollables have none that matters.
const STDIN: u32 = 0;
const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// Defines what the component asks for of WASI, under the very names that it uses.
///
/// # Errors
/// Two imports of one name.
pub(crate) fn link(linker: &mut Linker<Call>, component: &Component) -> Linked {
    let engine = linker.engine().clone();
    for (import, item) in component.component_type().imports(&engine) {
        let (Some(interface), ComponentItem::ComponentInstance(instance)) = (stubbed(import), item.ty) else {
            continue;
        };
        let mut into = linker.instance(import)?;
        for (name, item) in instance.exports(&engine) {
            match item.ty {
                ComponentItem::Resource(_) => into.resource(name, resource(name), |_, _| Ok(()))?,
                ComponentItem::ComponentFunc(_) => function(&mut into, interface, name)?,
                _ => {}
            }
        }
    }
    Ok(())
}

/// Resources have the same name wherever they are used.
fn resource(name: &str) -> ResourceType {
    match name {
        "input-stream" => ResourceType::host::<Input>(),
        "output-stream" => ResourceType::host::<Output>(),
        "pollable" => ResourceType::host::<Pollable>(),
        "error" => ResourceType::host::<IoError>(),
        "terminal-input" => ResourceType::host::<TerminalInput>(),
        "terminal-output" => ResourceType::host::<TerminalOutput>(),
        "descriptor" => ResourceType::host::<Descriptor>(),
        _ => ResourceType::host::<Other>(),
    }
}

fn function(into: &mut LinkerInstance<'_, Call>, interface: &str, name: &str) -> Linked {
    match (interface, name) {
        ("cli/environment", "get-environment") => into.func_wrap(name, |_, ()| Ok((Vec::<(String, String)>::new(),))),
        ("cli/environment", "get-arguments") => into.func_wrap(name, |_, ()| Ok((Vec::<String>::new(),))),
        ("cli/environment", "initial-cwd") => into.func_wrap(name, |_, ()| Ok((None::<String>,))),
        ("cli/stdin", "get-stdin") => into.func_wrap(name, |_, ()| Ok((Resource::<Input>::new_own(STDIN),))),
        ("cli/stdout", "get-stdout") => into.func_wrap(name, |_, ()| Ok((Resource::<Output>::new_own(STDOUT),))),
        ("cli/stderr", "get-stderr") => into.func_wrap(name, |_, ()| Ok((Resource::<Output>::new_own(STDERR),))),
        ("cli/terminal-stdin", "get-terminal-stdin") => {
            into.func_wrap(name, |_, ()| Ok((None::<Resource<TerminalInput>>,)))
        }
        ("cli/terminal-stdout", "get-terminal-stdout") | ("cli/terminal-stderr", "get-terminal-stderr") => {
            into.func_wrap(name, |_, ()| Ok((None::<Resource<TerminalOutput>>,)))
        }
        ("filesystem/preopens", "get-directories") => {
            into.func_wrap(name, |_, ()| Ok((Vec::<(Resource<Descriptor>, String)>::new(),)))
        }
        ("io/streams" | "io/poll", _) => stream(into, interface, name),
        ("clocks/wall-clock" | "clocks/monotonic-clock", _) => clock(into, interface, name),
        ("random/random" | "random/insecure" | "random/insecure-seed", _) => random(into, interface, name),
        _ => refused(into, interface, name),
    }
}

/// What is not there ends the call that needs it.
fn refused(into: &mut LinkerInstance<'_, Call>, interface: &str, name: &str) -> Linked {
    let what = format!("{interface}.{name}");
    into.func_new(name, move |_, _, _, _| bail!("it called wasi:{what}, which does not exist here"))
}

fn stream(into: &mut LinkerInstance<'_, Call>, interface: &str, name: &str) -> Linked {
    type Part = (Resource<Input>, u64);
    match name {
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            into.func_wrap(name, |_, _: Part| Ok((Err::<Vec<u8>, _>(StreamError::Closed),)))
        }
        "[method]input-stream.skip" | "[method]input-stream.blocking-skip" => {
            into.func_wrap(name, |_, _: Part| Ok((Err::<u64, _>(StreamError::Closed),)))
        }
        "[method]output-stream.check-write" => {
            into.func_wrap(name, |_, _: (Resource<Output>,)| Ok((Ok::<_, StreamError>(WRITE_BYTES_MAX),)))
        }
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => into.func_wrap(name, print),
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            into.func_wrap(name, |_, _: (Resource<Output>,)| -> wasmtime::Result<Written> { Ok((Ok(()),)) })
        }
        "[method]input-stream.subscribe" => into.func_wrap(name, |_, _: (Resource<Input>,)| Ok((ready(),))),
        "[method]output-stream.subscribe" => into.func_wrap(name, |_, _: (Resource<Output>,)| Ok((ready(),))),
        "[method]pollable.ready" => into.func_wrap(name, |_, _: (Resource<Pollable>,)| Ok((true,))),
        "[method]pollable.block" => into.func_wrap(name, |_, _: (Resource<Pollable>,)| Ok(())),
        "poll" => into.func_wrap(name, |_, (all,): (Vec<Resource<Pollable>>,)| {
            let ready = (0_u32..).zip(all).map(|(place, _)| place);
            Ok((ready.collect::<Vec<u32>>(),))
        }),
        _ => refused(into, interface, name),
    }
}

/// All there is to wait for is ready: what would have to be waited for can't be asked for.
fn ready() -> Resource<Pollable> {
    Resource::new_own(0)
}

/// What it prints becomes lines of its log.
fn print(mut store: Store<'_>, (stream, octets): (Resource<Output>, Vec<u8>)) -> wasmtime::Result<Written> {
    let stream = if stream.rep() == STDERR { Stream::Err } else { Stream::Out };
    let call = store.data_mut();
    call.searched(octets.len() as u64);
    for line in call.said.take(stream, &octets) {
        log(call, stream, line);
    }
    Ok((Ok(()),))
}

fn log(call: &mut Call, stream: Stream, line: String) {
    let level = match stream {
        Stream::Out => wire::log::Level::Info,
        Stream::Err => wire::log::Level::Warn,
    };
    // A line may be cut within a password, so that none is looked through for it.
    if call.plugin.grants.log && call.password.is_none() {
        wire::log::Host::write(call, level, line, vec![("stream".to_owned(), stream.name().to_owned())]);
    }
}

/// A call is over: what it began to print is a line.
pub(crate) fn end_lines(call: &mut Call) {
    for stream in [Stream::Out, Stream::Err] {
        if let Some(line) = call.said.end(stream) {
            log(call, stream, line);
        }
    }
}

fn clock(into: &mut LinkerInstance<'_, Call>, interface: &str, name: &str) -> Linked {
    match (interface, name) {
        ("clocks/wall-clock", "now") => into.func_wrap(name, |store: Store<'_>, ()| {
            let call = store.data();
            let ms = if call.plugin.grants.clock { call.now_ms() } else { NO_TIME };
            let nanoseconds = u32::try_from(ms % MS_PER_SECOND * NS_PER_MS).unwrap_or(0);
            Ok((Datetime { seconds: ms / MS_PER_SECOND, nanoseconds },))
        }),
        ("clocks/wall-clock", "resolution") => into.func_wrap(name, |_, ()| {
            Ok((Datetime { seconds: 0, nanoseconds: u32::try_from(NS_PER_MS).unwrap_or(u32::MAX) },))
        }),
        ("clocks/monotonic-clock", "now") => into.func_wrap(name, |mut store: Store<'_>, ()| {
            let call = store.data_mut();
            Ok((if call.plugin.grants.clock { wire::clock::Host::monotonic_ns(call) } else { NO_TIME },))
        }),
        ("clocks/monotonic-clock", "resolution") => into.func_wrap(name, |_, ()| Ok((NS_PER_MS,))),
        // To sleep would be to hold the mail.
        _ => refused(into, interface, name),
    }
}

fn random(into: &mut LinkerInstance<'_, Call>, interface: &str, name: &str) -> Linked {
    match name {
        "get-random-bytes" => {
            into.func_wrap(name, |mut store: Store<'_>, (len,): (u64,)| Ok((drawn(store.data_mut(), len)?,)))
        }
        "get-random-u64" => into.func_wrap(name, |mut store: Store<'_>, ()| {
            let octets = drawn(store.data_mut(), 8)?;
            Ok((octets.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet)),))
        }),
        // What asks for these spreads the entries of its tables by them, and does not need to be surprised.
        "insecure-seed" => into.func_wrap(name, |_, ()| Ok(((INSECURE_SEED, INSECURE_SEED.rotate_left(32)),))),
        _ => refused(into, interface, name),
    }
}

/// Any number: it is the same for all.
const INSECURE_SEED: u64 = 0x6d61_696c_7772_6967;

/// Randomness, where it is granted; else numbers that are the same in every call. CPython seeds its generator in every
/// instance, whether a script asks for it or not, so to end the call would be to want the grant of all of them.
fn drawn(call: &mut Call, len: u64) -> wasmtime::Result<Vec<u8>> {
    let Some(len) = u32::try_from(len).ok().filter(|len| *len <= RANDOM_BYTES_MAX) else {
        bail!("it draws {len} octets of randomness at once, and {RANDOM_BYTES_MAX} is the most");
    };
    if call.plugin.grants.random {
        return wire::random::Host::bytes(call, len);
    }
    tell_of_fixed(call);
    let len = usize::try_from(len)?;
    let octets = std::iter::from_fn(|| {
        call.fixed_numbers += 1;
        Some(mixed(INSECURE_SEED.wrapping_mul(call.fixed_numbers)).to_le_bytes())
    });
    Ok(octets.flatten().take(len).collect())
}

/// Spreads a number's bits over all places.
fn mixed(number: u64) -> u64 {
    let number = (number ^ number >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number ^ number >> 29
}

/// Said once for each load, so that nobody takes those numbers for secrets.
fn tell_of_fixed(call: &Call) {
    if !call.plugin.fixed_told.swap(true, Ordering::Relaxed) {
        call.world.observe.event(Event::PluginLog {
            plugin: &call.plugin.name,
            level: "warn",
            message: "it asks its system for randomness, which is not granted: it gets the same numbers in every call",
            fields: &[],
            session: None,
            id: None,
        });
    }
}
