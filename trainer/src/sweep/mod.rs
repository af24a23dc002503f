//! Many trainings, unattended: architectures, bit widths and hyper-parameters, one line of CSV each.
//!
//! ```toml
//! bases = ["../models/nano.toml"]
//! seeds = [1, 2]
//!
//! [grid]
//! "training.epochs" = [10]
//! "training.learning_rate" = [0.005, 0.01]
//! "layers.1.weight_bits" = [1, 2]
//! ```
//!
//! Every base is trained with every combination of the grid's values and every seed. A line is written when a trial has
//! ended, and begins with a key that is a hash of all that the trial depends on: a trial whose key is in the file is not made
//! again, so that a sweep that was stopped or killed continues, and one that is extended makes what is new. What is written
//! is the accuracy on the validation images; the test images are never looked at.

mod csv;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use inkling_data::DataSet;
use serde::Deserialize;
use thiserror::Error;
use toml::Value;

pub use csv::frontier;

use crate::config::{self, Config};
use crate::seeds::hash;
use crate::training::train;

/// Why a sweep cannot go on.
#[derive(Debug, Error)]
pub enum Error {
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or a field is missing, unknown or of the wrong type.
    #[error("{}: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Why.
        source: toml::de::Error,
    },
    /// A setting that a base has no place for.
    #[error("{} has no {setting}: a setting is a path such as training.epochs or layers.0.outputs", base.display())]
    Setting {
        /// The base.
        base: PathBuf,
        /// The path.
        setting: String,
    },
    /// A combination that is no configuration.
    #[error("{} with {settings}: {source}", base.display())]
    Config {
        /// The base.
        base: PathBuf,
        /// The combination.
        settings: String,
        /// Why.
        source: Box<config::Error>,
    },
    /// The file has other columns.
    #[error("{} has other columns than a sweep's: remove it, or name another sweep", .0.display())]
    Columns(PathBuf),
}

/// A sweep's file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct SweepFile {
    /// Models' TOML files, relative to the sweep's.
    bases: Vec<PathBuf>,
    /// Of every combination.
    seeds: Vec<u64>,
    /// Values of settings, by their path.
    #[serde(default)]
    grid: BTreeMap<String, Vec<Value>>,
}

/// One training.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The model it is made from.
    pub base: String,
    /// What differs from it, for instance `training.epochs=10 layers.1.weight_bits=2`.
    pub settings: String,
    /// What is trained.
    pub config: Config,
}

/// The trials of a sweep's file.
///
/// # Errors
/// [`Error`]; a combination that makes no network is one too, so that nothing is left out silently.
pub fn trials(path: &Path) -> Result<Vec<Trial>, Error> {
    let sweep: SweepFile = parse(path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut trials = Vec::new();
    for base in &sweep.bases {
        let base = folder.join(base);
        let value: Value = parse(&base)?;
        let mut combinations = vec![(value, Vec::new())];
        for (setting, values) in &sweep.grid {
            let mut next = Vec::new();
            for (combination, settings) in &combinations {
                for value in values {
                    let mut combination = combination.clone();
                    let place = place(&mut combination, setting);
                    *place.ok_or_else(|| Error::Setting {
                        base: base.clone(),
                        setting: setting.clone(),
                    })? = value.clone();
                    let text = format!("{setting}={}", value.to_string().replace(',', ";"));
                    next.push((combination, [settings.as_slice(), &[text]].concat()));
                }
            }
            combinations = next;
        }
        for (value, settings) in combinations {
            let settings = settings.join(" ");
            let config: Result<Config, config::Error> =
                value.try_into().map_err(config::Error::from);
            let config = config.and_then(|config: Config| config.check().map(|()| config));
            let config = config.map_err(|source| Error::Config {
                base: base.clone(),
                settings: settings.clone(),
                source: Box::new(source),
            })?;
            for &seed in &sweep.seeds {
                let mut config = config.clone();
                config.training.seed = seed;
                trials.push(Trial {
                    base: config.name.clone(),
                    settings: settings.clone(),
                    config,
                });
            }
        }
    }
    Ok(trials)
}

/// Makes those of the trials that the file at `path` does not have, `threads` at a time, until all are made or `stop` is set; gives how
/// many were made. `set` gives the training images of a trial.
///
/// # Errors
/// [`Error`] where the file cannot be read or written; a trial that fails is a line that says why.
pub fn run<'a>(
    trials: &[Trial],
    path: &Path,
    threads: usize,
    stop: &AtomicBool,
    set: impl Fn(&Trial) -> &'a DataSet + Sync,
    report: impl Fn(&str) + Sync,
) -> Result<usize, Error> {
    let io = |source| Error::Io { path: path.into(), source };
    let done = csv::keys(path)?;
    let file = OpenOptions::new().append(true).open(path).map_err(io)?;
    let (file, next, made) = (Mutex::new(file), AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(trial) = trials.get(next.fetch_add(1, Ordering::Relaxed)) {
            let set = set(trial);
            let key = key(trial, set);
            if done.contains(&key) {
                continue;
            }
            let begin = Instant::now();
            let result = train(&trial.config, set, stop, |_| ());
            // A trial that was stopped is made another time.
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let (trained, failure) = match result {
                Ok(outcome) => (Some(outcome.trained), outcome.failure),
                Err(failure) => (None, Some(failure)),
            };
            let line =
                csv::line(&key, trial, trained.as_ref(), failure, begin.elapsed().as_secs_f64());
            report(&line);
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            csv::append(&mut file, &line)?;
            made.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads.max(1)).map(|_| scope.spawn(work)).collect();
        handles.into_iter().map(|handle| handle.join()).collect()
    });
    for result in results {
        match result {
            Ok(result) => result.map_err(io)?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    Ok(made.into_inner())
}

/// The place that a path such as `layers.0.outputs` names. A table's last key may be new: it has a default.
fn place<'a>(value: &'a mut Value, setting: &str) -> Option<&'a mut Value> {
    let mut place = value;
    let mut keys = setting.split('.').peekable();
    while let Some(key) = keys.next() {
        let last = keys.peek().is_none();
        place = match place {
            Value::Table(table) => {
                if last && !table.contains_key(key) {
                    table.insert(key.to_owned(), Value::Boolean(false));
                }
                table.get_mut(key)?
            }
            Value::Array(array) => array.get_mut(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(place)
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|source| Error::Io { path: path.into(), source })?;
    toml::from_str(&text).map_err(|source| Error::Toml { path: path.into(), source })
}

fn key(trial: &Trial, set: &DataSet) -> String {
    format!("{}-{}", hash(&trial.config, &set.sha256), trial.config.training.seed)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::config::tests::TINY;
    use crate::samples::tests::stripes;

    /// A folder with a sweep of the tiny model, removed at the end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str, grid: &str) -> (Self, PathBuf) {
            let dir =
                std::env::temp_dir().join(format!("inkling-sweep-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&dir).unwrap();
            std::fs::write(dir.join("tiny.toml"), TINY).unwrap();
            let sweep = dir.join("sweep.toml");
            std::fs::write(&sweep, format!("bases = [\"tiny.toml\"]\nseeds = [1, 2]\n{grid}"))
                .unwrap();
            (Self(dir), sweep)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn combines_settings_and_seeds() {
        let grid = "[grid]\n\"training.epochs\" = [1, 2]\n\"layers.1.weight_bits\" = [1, 1.58, 2]\n\"layers.1.stride\" = [2]";
        let (_folder, sweep) = Folder::new("combines", grid);
        let trials = trials(&sweep).unwrap();
        assert_eq!(trials.len(), 12);
        assert_eq!(
            trials[3].settings,
            "layers.1.stride=2 layers.1.weight_bits=1 training.epochs=2"
        );
        assert_eq!((trials[3].config.training.epochs, trials[3].config.training.seed), (2, 2));
        let set = stripes(10, 1);
        let keys: HashSet<String> = trials.iter().map(|trial| key(trial, &set)).collect();
        assert_eq!(keys.len(), 12);
    }

    #[test]
    fn refuses() {
        let error = |name, grid| {
            let (_folder, sweep) = Folder::new(name, grid);
            trials(&sweep).unwrap_err()
        };
        let no_place = error("place", "[grid]\n\"layers.9.outputs\" = [1]");
        assert!(matches!(no_place, Error::Setting { .. }), "{no_place}");
        let no_network = error("network", "[grid]\n\"layers.1.kernel\" = [3, 99]");
        let message = no_network.to_string();
        assert!(message.contains("layers.1.kernel=99"), "{message}");
        let unknown = error("unknown", "[grid]\n\"training.speed\" = [1]");
        assert!(matches!(unknown, Error::Config { .. }), "{unknown}");
        assert!(matches!(error("toml", "grids = 1"), Error::Toml { .. }));
        assert!(matches!(trials(Path::new("/nonexistent")), Err(Error::Io { .. })));
    }

    #[test]
    fn continues_where_it_was_killed() {
        let (folder, sweep) = Folder::new("continues", "[grid]\n\"training.epochs\" = [1, 2]");
        let (trials, csv) = (trials(&sweep).unwrap(), folder.0.join("sweep.csv"));
        let set = stripes(200, 1);
        let go = |stop: &AtomicBool| run(&trials, &csv, 2, stop, |_| &set, |_| ()).unwrap();
        assert_eq!(go(&AtomicBool::new(true)), 0);
        assert_eq!(go(&AtomicBool::new(false)), 4);
        let text = std::fs::read_to_string(&csv).unwrap();
        assert_eq!(text.lines().count(), 5);
        assert_eq!(go(&AtomicBool::new(false)), 0);
        assert_eq!(std::fs::read_to_string(&csv).unwrap(), text);

        // Killed within the last line: that trial is made again, with the same result but for the time.
        std::fs::write(&csv, &text[..text.len() - 20]).unwrap();
        assert_eq!(go(&AtomicBool::new(false)), 1);
        let again = std::fs::read_to_string(&csv).unwrap();
        let accuracies = |text: &str| -> Vec<Vec<String>> {
            let fields = |line: &str| line.split(',').take(10).map(str::to_owned).collect();
            text.lines().map(fields).collect()
        };
        assert_eq!(accuracies(&again), accuracies(&text));

        std::fs::write(&csv, "something else\n").unwrap();
        let error = run(&trials, &csv, 1, &AtomicBool::new(false), |_| &set, |_| ()).unwrap_err();
        assert!(matches!(error, Error::Columns(_)));
    }
}
