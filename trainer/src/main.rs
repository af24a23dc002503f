//! `inkling-train`: trains a model from its TOML file and writes the trained file and its card beside it.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Parser, Subcommand};
use indicatif::{ProgressBar, ProgressStyle};
use inkling_data::{Set, TrainedModel, mnist};
use inkling_trainer::seeds::{self, Job};
use inkling_trainer::sweep::{self, Trial};
use inkling_trainer::training::{self, Event};
use inkling_trainer::{Config, config, report};
use thiserror::Error;

/// Trains a quantized network and writes it as safetensors, with its card as Markdown beside it.
///
/// Ctrl-C ends the training and writes the best network so far; before the first epoch is complete there is none, and
/// nothing is written, as after a second Ctrl-C. Where a later epoch fails, the best network before it is written and
/// the exit code is 1.
///
/// With --seeds, several networks are trained and the median of them by validation accuracy is written. Finished ones
/// are kept in build/seeds, so that the command continues where it was stopped.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    train: Option<TrainArguments>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Args)]
struct TrainArguments {
    /// The model's TOML file, for instance models/mlp-64.toml
    config: PathBuf,
    /// The folder of the set's training files, gzip or not [default: data/mnist or data/fashion-mnist, made by
    /// tools/setup-data.sh]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Seed of initialization, shuffling and augmentation [default: the TOML file's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Train with so many seeds, from this one on, and ship the median
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000))]
    seeds: Option<u64>,
    /// Networks trained at a time, one thread each
    #[arg(long, value_name = "N", default_value_t = 1, requires = "seeds")]
    jobs: usize,
    /// The trained file [default: the TOML file's path with .safetensors]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Trains every combination of settings, one line of CSV each, and continues where it was stopped
    Sweep {
        /// The sweep's TOML file, for instance sweeps/nano.toml; the CSV lies beside it
        sweep: PathBuf,
        /// Networks trained at a time, one thread each
        #[arg(long, value_name = "N", default_value_t = 1)]
        jobs: usize,
    },
}

#[derive(Debug, Error)]
enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Data(#[from] mnist::Error),
    #[error("cannot catch Ctrl-C: {0}")]
    Signal(#[from] ctrlc::Error),
    #[error(transparent)]
    Training(#[from] training::Error),
    #[error(transparent)]
    Seeds(#[from] seeds::Error),
    #[error(transparent)]
    Sweep(#[from] sweep::Error),
    #[error(transparent)]
    Model(#[from] inkling_data::model::Error),
    #[error("cannot write {}: {source}", path.display())]
    Card { path: PathBuf, source: std::io::Error },
    #[error("{failure}; {} holds the best network before that, of epoch {epoch}", path.display())]
    Late { path: PathBuf, epoch: u32, failure: String },
}

fn main() -> std::process::ExitCode {
    // More threads would not be repeatable, and OpenMP's spin on a busy machine.
    tch::set_num_threads(1);
    keep_freed_memory();
    let result = match Arguments::parse() {
        Arguments { command: Some(Command::Sweep { sweep, jobs }), .. } => run_sweep(&sweep, jobs),
        Arguments { train: Some(arguments), .. } => run(&arguments),
        Arguments { train: None, command: None } => {
            unreachable!("clap asks for a file or a command")
        }
    };
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(arguments: &TrainArguments) -> Result<(), Error> {
    let mut config = Config::load(&arguments.config)?;
    config.training.seed = arguments.seed.unwrap_or(config.training.seed);
    let seed = config.training.seed;
    let data = config.data.set;
    let dir = arguments.data.clone().unwrap_or_else(|| data.training_dir().into());
    let (set, test_set) = (data.training_in(&dir)?, data.test_in(data.test_dir().as_ref())?);
    let stop = stop_at_ctrl_c()?;
    let mut command = format!(
        "cargo run --release -p inkling-trainer -- {} --seed {seed}",
        arguments.config.display()
    );
    if let Some(count) = arguments.seeds {
        command += &format!(" --seeds {count}");
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../build/seeds");
    let job = Job {
        config: &config,
        set: &set,
        test_set: &test_set,
        command: &command,
        folder: folder.as_ref(),
        stop: &stop,
    };
    let (model, wall_seconds, failure) = match arguments.seeds {
        None => {
            let run = seeds::run(&job, seed, observer(&config))?;
            (run.model, vec![run.wall_seconds], run.failure)
        }
        Some(count) => {
            let name = &config.name;
            let (model, wall_seconds) =
                seeds::median_of(&job, count, arguments.jobs, |seed, event| {
                    if let Event::Epoch { epoch, loss, validation_accuracy, .. } = event {
                        let percent = 100.0 * validation_accuracy;
                        eprintln!(
                            "{name}, seed {seed}, epoch {epoch}: loss {loss:.4}, {percent:.2} %"
                        );
                    }
                })?;
            (model, wall_seconds, None)
        }
    };

    let path =
        arguments.out.clone().unwrap_or_else(|| arguments.config.with_extension("safetensors"));
    model.save(&path)?;
    let card = path.with_extension("md");
    std::fs::write(&card, report::markdown(&model, &wall_seconds, arguments.jobs))
        .map_err(|source| Error::Card { path: card, source })?;
    let TrainedModel { card, .. } = model;
    println!(
        "{}: validation {:.2} %, test {:.2} %, seed {}, epoch {} of {}, {:.0} s: {}",
        card.name,
        100.0 * card.validation_accuracy,
        100.0 * card.test_accuracy,
        card.seed,
        card.best_epoch,
        card.epochs,
        wall_seconds.iter().sum::<f64>(),
        path.display()
    );
    match failure {
        Some(failure) => Err(Error::Late { path, epoch: card.best_epoch, failure }),
        None => Ok(()),
    }
}

fn run_sweep(path: &Path, jobs: usize) -> Result<(), Error> {
    let trials = sweep::trials(path)?;
    let mut sets = Vec::new();
    for set in Set::ALL {
        if trials.iter().any(|trial| trial.config.data.set == set) {
            sets.push((set, set.training_in(set.training_dir().as_ref())?));
        }
    }
    let of = |trial: &Trial| {
        let found = sets.iter().find(|(set, _)| *set == trial.config.data.set);
        found.map(|(_, images)| images).expect("every trial's set was read")
    };
    let (csv, stop) = (path.with_extension("csv"), stop_at_ctrl_c()?);
    let made = sweep::run(&trials, &csv, jobs, &stop, of, |line| eprintln!("{line}"))?;
    println!("{made} of {} trials made: {}", trials.len(), csv.display());
    let text = std::fs::read_to_string(&csv);
    let text = text.map_err(|source| sweep::Error::Io { path: csv, source })?;
    for (words, accuracy, name) in sweep::frontier(&text) {
        println!("{words} words, validation {:.2} %: {name}", 100.0 * accuracy);
    }
    Ok(())
}

/// Set by the first Ctrl-C; the second ends the program.
fn stop_at_ctrl_c() -> Result<Arc<AtomicBool>, Error> {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if stopped.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?;
    Ok(stop)
}

/// A progress bar on a terminal, a line an epoch elsewhere.
fn observer(config: &Config) -> impl FnMut(Event) + use<> {
    let epochs = config.training.epochs;
    let bar = std::io::stderr().is_terminal().then(|| {
        let template = "{prefix} {wide_bar} {pos}/{len} steps, {eta} left, {msg}";
        let style = ProgressStyle::with_template(template).unwrap_or(ProgressStyle::default_bar());
        ProgressBar::new(0).with_style(style).with_prefix(config.name.clone())
    });
    let mut best = 0.0;
    move |event| match (event, &bar) {
        (Event::Step { step, steps, loss }, Some(bar)) => {
            if step == 1 {
                // The time left is estimated from here on, without the time that preparing the samples took.
                bar.reset();
                bar.set_length(steps as u64);
            }
            bar.set_position(step as u64);
            bar.set_message(format!("loss {loss:.4}, validation {:.2} %", 100.0 * best));
        }
        (Event::Step { .. }, None) => {}
        (Event::Epoch { validation_accuracy, best: better, .. }, Some(_)) => {
            best = if better { validation_accuracy } else { best };
        }
        (Event::Epoch { epoch, loss, validation_accuracy, best }, None) => eprintln!(
            "epoch {epoch}/{epochs}: loss {loss:.4}, validation {:.2} %{}",
            100.0 * validation_accuracy,
            if best { " (best)" } else { "" }
        ),
    }
}

/// Tells the allocator to keep what is freed, instead of giving every large tensor's pages back and asking for them
/// again: a sixth of the time of a training.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        unsafe extern "C" {
            fn mallopt(parameter: std::ffi::c_int, value: std::ffi::c_int) -> std::ffi::c_int;
        }
        const TRIM_THRESHOLD: std::ffi::c_int = -1;
        const MMAP_THRESHOLD: std::ffi::c_int = -3;
        // SAFETY: glibc's mallopt takes any two ints and only changes later allocations (mallopt(3)).
        unsafe {
            mallopt(TRIM_THRESHOLD, std::ffi::c_int::MAX);
            mallopt(MMAP_THRESHOLD, 1 << 30);
        }
    }
}
