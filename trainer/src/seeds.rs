//! Several runs of one configuration, and which of them is shipped.
//!
//! One run says little: seeds differ by a tenth of a point and more. A shipped model is the median of its runs by
//! validation accuracy, so that its accuracy is what a reader can expect to get again, and its card has them all.
//!
//! Every finished run is kept in a folder under a name that holds a hash of its configuration: a run that is there is
//! not made again, so that a command that was stopped continues.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;

use inkling_data::model::{self, Run};
use inkling_data::{Card, DataSet, TrainedModel};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::config::Config;
use crate::exact;
use crate::report::median;
use crate::samples::Samples;
use crate::training::{self, Event, Outcome, train};

/// Why there is no model.
#[derive(Debug, Error)]
pub enum Error {
    /// A run came to no network.
    #[error("seed {seed}: {source}")]
    Training {
        /// The seed.
        seed: u64,
        /// Why.
        source: training::Error,
    },
    /// A trained file cannot be read or written.
    #[error(transparent)]
    Model(#[from] model::Error),
    /// Another file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A run ended before its last epoch.
    #[error("seed {seed} ended early: {failure}")]
    Failed {
        /// The seed.
        seed: u64,
        /// Why.
        failure: String,
    },
    /// No runs were asked for.
    #[error("no runs: at least one seed is needed")]
    NoRuns,
}

/// A finished run.
#[derive(Debug, Clone, PartialEq)]
pub struct Finished {
    /// Its network, with a card of its own.
    pub model: TrainedModel,
    /// How long it took.
    pub wall_seconds: f64,
    /// Why there are fewer epochs than configured, where one failed.
    pub failure: Option<String>,
}

/// What all runs have in common.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// What is trained; the seed is the first of those that are tried.
    pub config: &'a Config,
    /// The training images.
    pub set: &'a DataSet,
    /// The test images, looked at once a run, when its network has been chosen.
    pub test_set: &'a DataSet,
    /// The command on the card.
    pub command: &'a str,
    /// Where finished runs are kept.
    pub folder: &'a Path,
    /// Ends the runs when it is set.
    pub stop: &'a AtomicBool,
}

/// One run.
///
/// # Errors
/// [`training::Error`], as long as no epoch is complete.
pub fn run(
    job: &Job<'_>,
    seed: u64,
    observe: impl FnMut(Event),
) -> Result<Finished, training::Error> {
    let mut config = job.config.clone();
    config.training.seed = seed;
    let begin = Instant::now();
    let Outcome { trained, failure } = train(&config, job.set, job.stop, observe)?;
    let wall_seconds = begin.elapsed().as_secs_f64();
    let test = Samples::new(job.test_set, &(0..job.test_set.len()).collect::<Vec<_>>());
    let test_accuracy = exact::accuracy(&trained.network, &test.inputs(), &test.labels);
    let validation_accuracy = trained.validation_accuracy;
    let card = Card {
        name: config.name,
        command: job.command.into(),
        trainer_version: env!("CARGO_PKG_VERSION").into(),
        seed,
        data: config.data.set.name().into(),
        data_sha256: job.set.sha256.clone(),
        training_samples: trained.training_samples,
        validation_samples: trained.validation_samples,
        test_samples: job.test_set.len(),
        epochs: trained.epochs,
        best_epoch: trained.best_epoch,
        validation_accuracy,
        test_accuracy,
        runs: vec![Run { seed, validation_accuracy, test_accuracy }],
    };
    let model = TrainedModel { network: trained.network, card };
    Ok(Finished { model, wall_seconds, failure: failure.map(|error| error.to_string()) })
}

/// Runs with `count` seeds from the configuration's on, `threads` at a time, and what is made of them: the median run,
/// its card with all runs, and the wall time of each.
///
/// # Errors
/// [`Error`] of a run that came to no network, was stopped or ended early; the others are kept.
pub fn median_of(
    job: &Job<'_>,
    count: u64,
    threads: usize,
    observe: impl Fn(u64, Event) + Sync,
) -> Result<(TrainedModel, Vec<f64>), Error> {
    let first = job.config.training.seed;
    let next = AtomicU64::new(0);
    let (sender, receiver) = mpsc::channel();
    std::thread::scope(|scope| {
        for sender in std::iter::repeat_n(sender, threads.max(1)) {
            let (next, observe) = (&next, &observe);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let seed = first.wrapping_add(index);
                    let result = kept(job, seed, |event| observe(seed, event));
                    if sender.send((index, result)).is_err() {
                        break;
                    }
                }
            });
        }
    });
    let mut results: Vec<_> = receiver.into_iter().collect();
    results.sort_by_key(|&(index, _)| index);
    let finished: Vec<Finished> =
        results.into_iter().map(|(_, result)| result).collect::<Result<_, _>>()?;
    let runs: Vec<Run> = finished.iter().flat_map(|run| run.model.card.runs.clone()).collect();
    let mut model = match median(&runs).and_then(|index| finished.get(index)) {
        Some(run) => run.model.clone(),
        None => return Err(Error::NoRuns),
    };
    model.card.runs = runs;
    model.card.command = job.command.into();
    Ok((model, finished.iter().map(|run| run.wall_seconds).collect()))
}

/// The run with this seed, from the folder where it is there.
fn kept(job: &Job<'_>, seed: u64, observe: impl FnMut(Event)) -> Result<Finished, Error> {
    let stem = format!("{}-{}-{seed}", job.config.name, hash(job.config, &job.set.sha256));
    let path = job.folder.join(format!("{stem}.safetensors"));
    // The wall time is not part of the trained file: written first, so that there is one for every trained file.
    let seconds = path.with_extension("seconds");
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Io { path, source }
    };
    if path.exists() {
        let text = std::fs::read_to_string(&seconds).map_err(io(&seconds))?;
        let wall_seconds = text.trim().parse().unwrap_or(f64::NAN);
        return Ok(Finished { model: TrainedModel::load(&path)?, wall_seconds, failure: None });
    }
    let finished = run(job, seed, observe).map_err(|source| Error::Training { seed, source })?;
    if let Some(failure) = finished.failure {
        return Err(Error::Failed { seed, failure });
    }
    if finished.model.card.epochs < job.config.training.epochs {
        return Err(Error::Training { seed, source: training::Error::Stopped });
    }
    std::fs::create_dir_all(job.folder).map_err(io(job.folder))?;
    std::fs::write(&seconds, format!("{:.1}\n", finished.wall_seconds)).map_err(io(&seconds))?;
    finished.model.save(&path)?;
    Ok(finished)
}

/// A hash of all that a run depends on but its seed: 16 hex digits.
pub fn hash(config: &Config, data_sha256: &str) -> String {
    let mut config = config.clone();
    config.training.seed = 0;
    let text = format!("{} {data_sha256} {config:?}", env!("CARGO_PKG_VERSION"));
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::TINY;
    use crate::samples::tests::stripes;

    #[test]
    fn ships_the_median_and_keeps_what_is_finished() {
        let config = Config::parse(TINY).unwrap();
        let (set, test_set) = (stripes(240, 1), stripes(100, 2));
        let folder = std::env::temp_dir().join(format!("inkling-seeds-{}", std::process::id()));
        let go = |stop: bool, count, threads| {
            let job = Job {
                config: &config,
                set: &set,
                test_set: &test_set,
                command: "train",
                folder: &folder,
                stop: &AtomicBool::new(stop),
            };
            median_of(&job, count, threads, |_, _| ())
        };
        let stopped = go(true, 3, 2);
        assert!(matches!(stopped, Err(Error::Training { source: training::Error::Stopped, .. })));
        assert!(matches!(go(false, 0, 2), Err(Error::NoRuns)));

        let (model, wall_seconds) = go(false, 3, 2).unwrap();
        let card = &model.card;
        assert_eq!(card.runs.iter().map(|run| run.seed).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(wall_seconds.len(), 3);
        let shipped = &card.runs[median(&card.runs).unwrap()];
        assert_eq!(
            (card.seed, card.validation_accuracy, card.test_accuracy),
            (shipped.seed, shipped.validation_accuracy, shipped.test_accuracy)
        );
        assert_eq!((card.name.as_str(), card.data.as_str()), ("tiny", "mnist"));
        let inputs = test_set.inputs().unwrap();
        let right = inputs.iter().zip(&test_set.labels).filter(|&(input, &label)| {
            let logits = inkling_network::reference::forward(&model.network, input).unwrap();
            inkling_network::argmax(&logits) == usize::from(label)
        });
        assert_eq!(right.count() as f64 / 100.0, card.test_accuracy);

        // Nothing is trained again: not even a stop matters.
        assert_eq!(go(true, 3, 1).unwrap().0, model);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 6);
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn a_hash_is_of_all_but_the_seed() {
        let config = Config::parse(TINY).unwrap();
        let mut other = config.clone();
        other.training.seed += 1;
        assert_eq!(hash(&config, "c5"), hash(&other, "c5"));
        assert_ne!(hash(&config, "c5"), hash(&config, "c6"));
        other.training.epochs += 1;
        assert_ne!(hash(&config, "c5"), hash(&other, "c5"));
    }
}
