//! Fuzzing: programs made at random against the Stylus VM, requests made at random against the node.
//!
//! ```sh
//! cargo run --release -p inkling-devnode --example fuzz -- vm --minutes 30
//! cargo run --release -p inkling-devnode --example fuzz -- rpc --minutes 30
//! ```
//!
//! A case is made from its seed alone, so that a failure can be had again with `--seed N --cases 1`. What counts as a
//! failure, with exit code 1 and the seed: a panic on any thread, a case that takes longer than [`PATIENCE`], more
//! memory than [`MOST_MEMORY`], and whatever [`vm`] and [`rpc`] find wrong with an answer. The last line has the figures.
//!
//! | file | what it holds |
//! |---|---|
//! | [`vm`] | programs into the VM, and what must be true of their runs |
//! | [`program`] | programs that keep Stylus's rules |
//! | [`host`] | a chain of whims for them to run on |
//! | [`rpc`] | requests into a node and its server, and what must be true of the answers |
//! | [`requests`] | methods, and parameters right, nearly right and wrong |

mod host;
mod program;
mod requests;
mod rpc;
mod vm;

use clap::{Parser, ValueEnum};
use rand::{SeedableRng, rngs::StdRng};
use std::{
    panic::{self, AssertUnwindSafe},
    process::{ExitCode, exit},
    sync::{Mutex, MutexGuard},
    thread,
    time::{Duration, Instant},
};

/// How long a case may take. The slowest that is no bug executes a few hundred million ink under a debugger's load.
const PATIENCE: Duration = Duration::from_secs(120);

/// Resident memory that the process may reach, in MiB.
const MOST_MEMORY: u64 = 2_048;

/// Programs or requests at random.
#[derive(Parser)]
struct Args {
    /// What to fuzz.
    target: Target,
    /// How long.
    #[arg(long, default_value_t = 1.0)]
    minutes: f64,
    /// Seed of the first case; the next has the next number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Stop after so many cases.
    #[arg(long, default_value_t = u64::MAX)]
    cases: u64,
}

/// What can be fuzzed.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    /// The Stylus VM: checks, instrumentation, compilation, execution.
    Vm,
    /// JSON-RPC: the methods, and the server in front of them.
    Rpc,
}

/// What all cases together did.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    cases: u64,
    /// Programs; requests.
    tries: u64,
    /// Programs admitted; requests answered with a result.
    accepted: u64,
    /// Runs of programs.
    runs: u64,
    slowest: Duration,
    slowest_seed: u64,
}

/// Tries one case; an error says what is wrong with it.
type Case = fn(&mut StdRng, &mut Figures) -> Result<(), String>;

/// The case that is being tried, for the watchdog, and the last panic of any thread.
struct Watch {
    case: Mutex<Option<(u64, Instant)>>,
    panicked: Mutex<Option<String>>,
}

static WATCH: Watch = Watch { case: Mutex::new(None), panicked: Mutex::new(None) };

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn main() -> ExitCode {
    let args = Args::parse();
    let worker = thread::spawn(move || {
        let time = Duration::from_secs_f64(args.minutes * 60.);
        match args.target {
            Target::Vm => fuzz("vm", vm::case, time, args.seed, args.cases),
            Target::Rpc => fuzz("rpc", rpc::case, time, args.seed, args.cases),
        }
    });
    while !worker.is_finished() {
        thread::sleep(Duration::from_millis(100));
        if let Some(seed) = overdue() {
            println!("seed {seed}: no end after {PATIENCE:?}");
            exit(1);
        }
    }
    match worker.join() {
        Ok(Ok(_)) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// The seed of a case that takes too long.
fn overdue() -> Option<u64> {
    let case = *lock(&WATCH.case);
    case.filter(|(_, begun)| begun.elapsed() > PATIENCE).map(|(seed, _)| seed)
}

/// Tries cases until the time or their number is up, or one fails; prints the figures.
fn fuzz(
    target: &str,
    case: Case,
    time: Duration,
    first: u64,
    cases: u64,
) -> Result<Figures, String> {
    panic::set_hook(Box::new(|info| *lock(&WATCH.panicked) = Some(info.to_string())));
    let begun = Instant::now();
    let mut figures = Figures::default();
    let mut failure = None;
    while begun.elapsed() < time && figures.cases < cases && failure.is_none() {
        let seed = first.wrapping_add(figures.cases);
        failure =
            attempt(case, seed, &mut figures).err().map(|what| format!("seed {seed}: {what}"));
    }
    let _ = panic::take_hook();
    let (seconds, memory) = (begun.elapsed().as_secs_f64(), peak_memory());
    let Figures { cases, tries, accepted, runs, slowest, slowest_seed } = figures;
    println!(
        "{target}: {cases} cases in {seconds:.0} s from seed {first}: {tries} tried, {accepted} accepted, {runs} runs; \
         slowest case {} ms (seed {slowest_seed}), peak memory {memory} MiB",
        slowest.as_millis()
    );
    match failure {
        Some(failure) => {
            println!("{failure}");
            Err(failure)
        }
        None => Ok(figures),
    }
}

/// Tries the case of a seed.
fn attempt(case: Case, seed: u64, figures: &mut Figures) -> Result<(), String> {
    let begun = Instant::now();
    *lock(&WATCH.case) = Some((seed, begun));
    let mut rng = StdRng::seed_from_u64(seed);
    let result = panic::catch_unwind(AssertUnwindSafe(|| case(&mut rng, figures)));
    *lock(&WATCH.case) = None;
    figures.cases += 1;
    if begun.elapsed() > figures.slowest {
        (figures.slowest, figures.slowest_seed) = (begun.elapsed(), seed);
    }
    // also of a thread whose panic was caught, as the server's are
    if let Some(panic) = lock(&WATCH.panicked).take() {
        return Err(panic);
    }
    if peak_memory() > MOST_MEMORY {
        return Err(format!("the process took {} MiB", peak_memory()));
    }
    result.unwrap_or_else(|_| Err("panic".into()))
}

/// Most memory that the process has had resident, in MiB; 0 where the system does not say.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or_default() >> 10
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One test, since all share the watch.
    #[test]
    fn a_few_cases_of_each() {
        let minute = Duration::from_secs(60);
        let vm = fuzz("vm", vm::case, minute, 1, 60).unwrap();
        assert!(vm.cases == 60 && vm.accepted > 20, "{vm:?}");
        let rpc = fuzz("rpc", rpc::case, minute, 1, 5).unwrap();
        assert!(rpc.cases == 5 && rpc.accepted > 80, "{rpc:?}");

        let failure = fuzz("panic", |_, _| panic!("of a test"), minute, 7, 9).unwrap_err();
        assert!(failure.starts_with("seed 7: ") && failure.ends_with("of a test"), "{failure}");
        let refuses = |_: &mut StdRng, figures: &mut Figures| match figures.cases {
            2 => Err("the third".to_owned()),
            _ => Ok(()),
        };
        assert_eq!(fuzz("error", refuses, minute, 7, 9).unwrap_err(), "seed 9: the third");

        assert_eq!(overdue(), None);
        let begun = Instant::now().checked_sub(PATIENCE + Duration::from_secs(1)).unwrap();
        *lock(&WATCH.case) = Some((11, begun));
        assert_eq!(overdue(), Some(11));
    }
}
