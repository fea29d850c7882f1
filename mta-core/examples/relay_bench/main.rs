//! Measures the program end to end on loopback: accept-and-queue, relay, the example plugin's cost, idle sessions.
//!
//! `cargo xtask bench` builds and runs it; by hand: `relay_bench [--messages N] [--runs N] [--program PATH] [--only NAMES]`,
//! where the names are of workloads, with commas between. Sender, sink and server share the machine, so rates are of the three
//! together; the columns of times are the server's alone. That of calls is by the clock: how long plugins were asked.

mod calls;
mod every;
mod load;
mod server;
mod sink;
mod tls;

use load::Load;
use server::{Mode, Server};
use sink::Sink;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tls::Tls;

/// How long one case may take before its figure is given up.
const CASE_TIME_MAX: Duration = Duration::from_secs(60);
/// Runs of each case, if not said; the median is printed.
const RUNS: usize = 3;
/// The most runs that may be said.
const RUNS_MAX: usize = 100;
/// Idle sessions held open at once.
const IDLE_SESSIONS: usize = 5000;

const USAGE: &str = "usage: relay_bench [--messages N] [--runs N] [--program PATH] [--only NAME,NAME...]";

struct Case {
    mode: Mode,
    load: Load,
}

/// One run's figures.
struct Figures {
    rate: f64,
    cpu_micros: f64,
    called_micros: f64,
    lost: usize,
    repeated: usize,
}

fn main() -> io::Result<()> {
    let options = Options::from_args()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut cases = cases(options.messages, &Tls::new()?);
    if let Some(only) = &options.only {
        cases.retain(|case| only.iter().any(|name| name == case.mode.name()));
    }
    let mut runs: Vec<Vec<Figures>> = cases.iter().map(|_| Vec::new()).collect();
    // In turn: a slow minute, or a disk that is still at what the case before wrote, is everybody's.
    for turn in 1..=options.runs {
        eprintln!("turn {turn} of {}", options.runs);
        for (case, runs) in cases.iter().zip(&mut runs) {
            runs.push(runtime.block_on(run(&options.program, case))?);
        }
    }
    println!(
        "| workload | size | sessions | pipelined | messages/s | server CPU µs a message | plugins' calls µs a message | lost | repeated |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    let mut medians = Vec::new();
    for (case, mut runs) in cases.iter().zip(runs) {
        runs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
        let median = &runs[runs.len() / 2];
        let Case { mode, load } = case;
        println!(
            "| {} | {} KiB | {} | {} | {:.0} | {:.0} | {:.1} | {} | {} |",
            mode.name(),
            load.message_bytes / 1024,
            load.sessions,
            if load.pipelined { "yes" } else { "no" },
            median.rate,
            median.cpu_micros,
            median.called_micros,
            runs.iter().map(|run| run.lost).sum::<usize>(),
            runs.iter().map(|run| run.repeated).sum::<usize>(),
        );
        medians.push((case.mode, case.load.message_bytes, median.rate));
    }
    let compared = |mode: &Mode| matches!(mode, Mode::Hook | Mode::Five | Mode::Standard | Mode::Tls);
    for (mode, bytes, rate) in medians.iter().filter(|(mode, ..)| compared(mode)) {
        // The first of that size is the one of as many sessions.
        let without = medians.iter().find(|(mode, size, _)| *mode == Mode::Relay && size == bytes);
        if let Some((.., without)) = without {
            let less = (1.0 - rate / without) * 100.0;
            println!("{} at {} KiB: {less:.1} % below the relay rate without", mode.name(), bytes / 1024);
        }
    }
    if options.only.is_none() { runtime.block_on(idle(&options.program)) } else { Ok(()) }
}

fn cases(messages: usize, tls: &Tls) -> Vec<Case> {
    let case = |mode, message_bytes, sessions, pipelined, messages| Case {
        mode,
        load: Load {
            messages,
            message_bytes,
            sessions,
            pipelined,
            messages_per_connection: 10,
            tls: (mode == Mode::Tls).then(|| tls.clone()),
        },
    };
    let mut cases = Vec::new();
    for mode in [Mode::Hold, Mode::Relay, Mode::Tls, Mode::Hook, Mode::Five, Mode::Standard] {
        cases.push(case(mode, 4096, 20, false, messages));
        cases.push(case(mode, 65_536, 20, false, messages / 2));
    }
    for mode in [Mode::Hold, Mode::Relay] {
        cases.push(case(mode, 4096, 1, false, messages / 4));
        cases.push(case(mode, 4096, 200, false, messages));
        cases.push(case(mode, 4096, 20, true, messages));
    }
    cases
}

async fn run(program: &Path, case: &Case) -> io::Result<Figures> {
    let sink = Sink::start(case.load.tls.clone()).await?;
    let server = Server::start(program, case.mode, sink.port, case.load.tls.as_ref()).await?;
    let warm = Load { messages: 200, ..case.load.clone() };
    load::send(server.port, &warm, "warm").await?;
    if case.mode != Mode::Hold {
        sink.wait_for(warm.messages, CASE_TIME_MAX).await;
    }
    sink.forget();
    let (cpu_before, called_before) = (server.cpu()?, server.called().await?);
    let began = Instant::now();
    load::send(server.port, &case.load, "run").await?;
    let mut figures = Figures { rate: 0.0, cpu_micros: 0.0, called_micros: 0.0, lost: 0, repeated: 0 };
    if case.mode != Mode::Hold {
        sink.wait_for(case.load.messages, CASE_TIME_MAX).await;
        let seen = sink.seen();
        figures.lost = case.load.messages - seen.distinct.min(case.load.messages);
        figures.repeated = seen.total - seen.distinct;
    }
    let messages = case.load.messages as f64;
    figures.rate = messages / began.elapsed().as_secs_f64();
    figures.cpu_micros = (server.cpu()? - cpu_before).as_secs_f64() * 1e6 / messages;
    let called = server.called().await?.saturating_sub(called_before);
    figures.called_micros = called.as_secs_f64() * 1e6 / messages;
    server.stop().await?;
    Ok(figures)
}

async fn idle(program: &Path) -> io::Result<()> {
    let sink = Sink::start(None).await?;
    let server = Server::start(program, Mode::Hold, sink.port, None).await?;
    let before = server.resident_bytes()?;
    let held = load::hold_idle(server.port, IDLE_SESSIONS).await?;
    let after = server.resident_bytes()?;
    println!();
    println!(
        "{} idle sessions: {:.1} MiB resident in all, {:.1} KiB a session above the {:.1} MiB without any",
        held.len(),
        after as f64 / 1_048_576.0,
        after.saturating_sub(before) as f64 / 1024.0 / held.len() as f64,
        before as f64 / 1_048_576.0,
    );
    drop(held);
    server.stop().await
}

struct Options {
    messages: usize,
    runs: usize,
    program: PathBuf,
    /// The workloads to run; none: all of them, and idle sessions.
    only: Option<Vec<String>>,
}

impl Options {
    fn from_args() -> io::Result<Self> {
        let mut options = Self { messages: 8000, runs: RUNS, program: beside_this_program()?, only: None };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let value = args.next().unwrap_or_default();
            match arg.as_str() {
                "--messages" => options.messages = value.parse().map_err(io::Error::other)?,
                "--runs" => {
                    let runs = value.parse().ok().filter(|runs| (1..=RUNS_MAX).contains(runs));
                    options.runs = runs.ok_or_else(|| io::Error::other(format!("--runs is 1 to {RUNS_MAX}")))?;
                }
                "--program" => options.program = value.into(),
                "--only" => options.only = Some(value.split(',').map(str::to_owned).collect()),
                _ => return Err(io::Error::other(USAGE)),
            }
        }
        Ok(options)
    }
}

/// `target/release/mailwright`, seen from `target/release/examples/relay_bench`.
fn beside_this_program() -> io::Result<PathBuf> {
    let mut path = std::env::current_exe()?;
    path.pop();
    path.pop();
    path.push("mailwright");
    Ok(path)
}
