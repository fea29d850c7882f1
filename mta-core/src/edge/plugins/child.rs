//! Compiles in a process of its own, both sides: the parent starts the program again and reads the code from it; the child
//! bounds itself and compiles. A hostile component can cost a processor for minutes and memory by the gigabyte: here it
//! costs what the operator allows, and the threads that serve mail don't notice.

use super::COMPONENT_BYTES_MAX;
use super::code::OwnCode;
use crate::config::model::CompileLimits;
use crate::sandbox::{NotCompiled, Profile, compiling_engine};
use bytes::Bytes;
use rustix::process::{Resource, Rlimit, Signal, setrlimit};
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// The most code that one component may become, in octets.
pub(super) const CODE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// What the child may be given, in octets: a component, and in it the memory that `configure` left.
const INPUT_BYTES_MAX: u64 = COMPONENT_BYTES_MAX + 1024 * 1024 * 1024;

/// What is kept of the child's words when it fails, in octets.
const WORDS_BYTES_MAX: u64 = 4096;

/// This program's own file, also when another version lies at its path by now.
const SELF: &str = "/proc/self/exe";

/// The hidden subcommand.
const SUBCOMMAND: &str = "compile-plugin";

/// Mail goes before compiling.
const NICENESS: i32 = 10;

/// Compiles a component in a child process.
///
/// # Errors
/// What the compiler said, or which limit was passed.
pub(super) async fn compile(octets: &Bytes, profile: Profile, limits: &CompileLimits) -> Result<OwnCode, NotCompiled> {
    let Ok(ended) = tokio::time::timeout(limits.wall, converse(octets, profile, limits)).await else {
        // The child was killed when its handle was dropped.
        return Err(beyond(&format!("{:?} by the clock", limits.wall), "wall"));
    };
    let Ended { status, code, words } = ended.map_err(|error| unstarted(&error))?;
    let words = String::from_utf8_lossy(&words);
    if status.success() {
        return match code {
            Some(code) => Ok(OwnCode::from_child(code)),
            None => Err(beyond_code()),
        };
    }
    Err(failed(status, words.trim(), code.is_none(), limits))
}

/// How the child ended, and what it said; without code it was more than [`CODE_BYTES_MAX`].
struct Ended {
    status: ExitStatus,
    code: Option<Vec<u8>>,
    words: Vec<u8>,
}

async fn converse(octets: &Bytes, profile: Profile, limits: &CompileLimits) -> io::Result<Ended> {
    let mut command = Command::new(SELF);
    command.arg0("mailwright").arg(SUBCOMMAND);
    command.args(["--cpu-seconds", &limits.cpu.as_secs().max(1).to_string()]);
    command.args(["--memory-bytes", &limits.memory_bytes_max.to_string()]);
    if profile == Profile::Wide {
        command.arg("--wide");
    }
    command.env_clear().current_dir("/").kill_on_drop(true);
    // The allocator takes a gibibyte to write to at its start, before anything of it is needed: that would count.
    command.env("MIMALLOC_ARENA_EAGER_COMMIT", "0");
    // A build that counts for the compiler writes its counts to a file at its end, which the child may not.
    command.env("LLVM_PROFILE_FILE", "/dev/null");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let unpiped = || io::Error::other("it has no pipes");
    let mut input = child.stdin.take().ok_or_else(unpiped)?;
    let output = child.stdout.take().ok_or_else(unpiped)?;
    let complaints = child.stderr.take().ok_or_else(unpiped)?;
    let feed = async {
        // A child that ended early did not read it all: its status says why.
        let _ = input.write_all(octets).await;
        drop(input);
    };
    let ((), code, words) = tokio::join!(feed, read(output, CODE_BYTES_MAX), read(complaints, WORDS_BYTES_MAX));
    let (code, words) = (code?, words?);
    let status = child.wait().await?;
    Ok(Ended { status, code: (code.len() as u64 <= CODE_BYTES_MAX).then_some(code), words })
}

/// All that is said, or one octet more than `bytes_max`.
async fn read(from: impl AsyncRead + Unpin, bytes_max: u64) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    from.take(bytes_max + 1).read_to_end(&mut octets).await?;
    Ok(octets)
}

fn failed(status: ExitStatus, words: &str, is_too_large: bool, limits: &CompileLimits) -> NotCompiled {
    let ran_out = ["memory allocation of", "Cannot allocate memory", "out of memory"];
    match status.signal() {
        _ if is_too_large => beyond_code(),
        Some(signal) if signal == Signal::XCPU.as_raw() => {
            beyond(&format!("{} s of CPU time", limits.cpu.as_secs()), "cpu")
        }
        _ if ran_out.iter().any(|sign| words.contains(sign)) => {
            beyond(&format!("{} octets of memory", limits.memory_bytes_max), "memory_bytes_max")
        }
        None if status.code() == Some(1) && !words.is_empty() => NotCompiled::refused(words),
        _ => NotCompiled {
            problem: format!("the compiler ended with {status}: {words}"),
            remedy: "please report it with the component, which may be what the compiler can't cope with".to_owned(),
        },
    }
}

fn beyond(what: &str, key: &str) -> NotCompiled {
    NotCompiled {
        problem: format!("compiling it takes more than {what}"),
        remedy: format!(
            "if you trust it, allow more with `compile = {{ {key} = … }}`; else ask its author why it takes so much"
        ),
    }
}

fn beyond_code() -> NotCompiled {
    NotCompiled {
        problem: format!("it becomes more than {CODE_BYTES_MAX} octets of code"),
        remedy: "use a smaller component".to_owned(),
    }
}

fn unstarted(error: &io::Error) -> NotCompiled {
    NotCompiled {
        problem: format!("the process that compiles can't be run ({SELF} {SUBCOMMAND}): {error}"),
        remedy: "/proc must be mounted, and the system must allow one more process".to_owned(),
    }
}

/// The child's side: reads a component, says its code, within these limits.
///
/// # Errors
/// The compiler's words, or those of the system.
pub fn compile_here(cpu_seconds: u64, memory_bytes: u64, profile: Profile) -> Result<(), String> {
    let bound = |what, limit| setrlimit(what, Rlimit { current: Some(limit), maximum: Some(limit) });
    // The soft limit ends the process with a signal that the parent knows.
    let cpu = Rlimit { current: Some(cpu_seconds), maximum: Some(cpu_seconds.saturating_add(1)) };
    let bounded = setrlimit(Resource::Cpu, cpu)
        // Memory that may be written. The engine reserves address space that it never touches.
        .and_then(|()| bound(Resource::Data, memory_bytes))
        // It writes to its pipes alone, also if it crashes.
        .and_then(|()| bound(Resource::Core, 0))
        .and_then(|()| bound(Resource::Fsize, 0));
    bounded.map_err(|error| format!("the limits can't be set: {error}"))?;
    // Only politeness.
    let _ = rustix::process::nice(NICENESS);
    let mut octets = Vec::new();
    let read = io::stdin().lock().take(INPUT_BYTES_MAX).read_to_end(&mut octets);
    read.map_err(|error| format!("standard input: {error}"))?;
    let engine = compiling_engine(profile).map_err(|error| format!("{error:#}"))?;
    let code = engine.precompile_component(&octets).map_err(|error| format!("{error:#}"))?;
    io::stdout().lock().write_all(&code).map_err(|error| format!("standard output: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(status: i32, said: &str) -> String {
        let limits = CompileLimits::default();
        let NotCompiled { problem, remedy } = failed(ExitStatus::from_raw(status), said, false, &limits);
        format!("{problem}; {remedy}")
    }

    #[test]
    fn the_childs_end_is_told_in_words_that_mend() {
        let cpu = words(Signal::XCPU.as_raw(), "");
        assert!(cpu.starts_with("compiling it takes more than 60 s of CPU time; if you trust it"), "{cpu}");
        assert!(cpu.contains("`compile = { cpu = … }`"), "{cpu}");
        let memory = words(Signal::ABORT.as_raw(), "memory allocation of 4096 bytes failed");
        assert!(memory.contains("1073741824 octets of memory") && memory.contains("memory_bytes_max"), "{memory}");
        let refused = words(1 << 8, "unexpected end-of-file");
        assert!(refused.starts_with("it can't be compiled: unexpected end-of-file; a plugin is"), "{refused}");
        let crashed = words(Signal::SEGV.as_raw(), "");
        assert!(crashed.starts_with("the compiler ended with signal: 11"), "{crashed}");
    }
}
