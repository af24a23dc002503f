//! `inkling-train`: trains one model from its TOML file and writes the trained file and its card beside it.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use inkling_data::{Card, TrainedModel, mnist};
use inkling_trainer::training::{self, Event};
use inkling_trainer::{Config, Outcome, config, mlp, report, train};
use thiserror::Error;

/// Trains a quantized network on MNIST and writes it as safetensors, with its card as Markdown beside it.
///
/// Ctrl-C ends the training and writes the best network so far; before the first epoch is complete there is none, and
/// nothing is written, as after a second Ctrl-C. Where a later epoch fails, the best network before it is written and
/// the exit code is 1.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The model's TOML file, for instance models/mlp-64.toml
    config: PathBuf,
    /// The folder of MNIST's training files, gzip or not [default: data/mnist, made by tools/setup-data.sh]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Seed of initialization, shuffling and augmentation [default: the TOML file's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The trained file [default: the TOML file's path with .safetensors]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Error)]
enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error(transparent)]
    Data(#[from] mnist::Error),
    #[error(transparent)]
    Preprocess(#[from] inkling_data::preprocess::Error),
    #[error("cannot catch Ctrl-C: {0}")]
    Signal(#[from] ctrlc::Error),
    #[error(transparent)]
    Training(#[from] training::Error),
    #[error(transparent)]
    Model(#[from] inkling_data::model::Error),
    #[error("cannot write {}: {source}", path.display())]
    Card { path: PathBuf, source: std::io::Error },
    #[error("{source}; {} holds the best network before that, of epoch {epoch}", path.display())]
    Late { path: PathBuf, epoch: u32, source: training::Error },
}

fn main() -> std::process::ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Error> {
    // More threads would not be repeatable, and OpenMP's spin on a busy machine.
    tch::set_num_threads(1);
    let mut config = Config::load(&arguments.config)?;
    config.training.seed = arguments.seed.unwrap_or(config.training.seed);
    let seed = config.training.seed;
    let dir = arguments.data.clone().unwrap_or_else(|| mnist::TRAINING_DIR.into());
    let set = mnist::training_set(&dir)?;
    let test_set = mnist::test_set()?;
    let test_inputs = test_set.inputs()?;

    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    ctrlc::set_handler(move || {
        if stopped.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    })?;
    let begin = Instant::now();
    let Outcome { trained, failure } = train(&config, &set, &stop, observer(&config))?;
    let wall_seconds = begin.elapsed().as_secs_f64();

    let test_accuracy = training::accuracy(&trained.network, &test_inputs, &test_set.labels)
        .map_err(training::Error::from)?;
    let model = TrainedModel {
        card: Card {
            name: config.name.clone(),
            command: format!(
                "cargo run --release -p inkling-trainer -- {} --seed {seed}",
                arguments.config.display()
            ),
            trainer_version: env!("CARGO_PKG_VERSION").into(),
            seed,
            data_sha256: set.sha256.clone(),
            training_samples: trained.training_samples,
            validation_samples: trained.validation_samples,
            test_samples: test_set.len(),
            epochs: trained.epochs,
            best_epoch: trained.best_epoch,
            validation_accuracy: trained.validation_accuracy,
            test_accuracy,
            input_scale: mlp::INPUT_SCALE,
            scales: trained.scales,
        },
        network: trained.network,
    };
    let path =
        arguments.out.clone().unwrap_or_else(|| arguments.config.with_extension("safetensors"));
    model.save(&path)?;
    let card = path.with_extension("md");
    std::fs::write(&card, report::markdown(&model, wall_seconds))
        .map_err(|source| Error::Card { path: card, source })?;
    println!(
        "{}: validation {:.2} %, test {:.2} %, epoch {} of {}, {wall_seconds:.0} s: {}",
        config.name,
        100.0 * trained.validation_accuracy,
        100.0 * test_accuracy,
        trained.best_epoch,
        trained.epochs,
        path.display()
    );
    match failure {
        Some(source) => Err(Error::Late { path, epoch: trained.best_epoch, source }),
        None => Ok(()),
    }
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
