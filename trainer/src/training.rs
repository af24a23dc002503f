//! The training loop.
//!
//! Batches are drawn, varied and resized as they are needed. After every epoch the network is exported and its integers
//! are judged on the validation images; the best export is kept. A run that is stopped, or fails in a later epoch, gives
//! that one; before the first epoch is complete there is none, and a run that ends there gives an error rather than an
//! untrained network.

use std::f64::consts::PI;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use inkling_data::DataSet;
use inkling_network::Network;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::{Reduction, TchError, Tensor};
use thiserror::Error;

use crate::config::{self, Config, Schedule, TeacherConfig, TrainingConfig};
use crate::exact;
use crate::net::{self, Net};
use crate::samples::{Batches, Samples, split};
use crate::teacher::{self, Teacher, distillation};

/// Batches that the statistics are taken from when they are frozen.
const CALIBRATION_BATCHES: usize = 100;

/// Why a training came to no network.
#[derive(Debug, Error)]
pub enum Error {
    /// As many images are to be held out as there are, or more.
    #[error("{validation} validation images of {images} leave none to train with")]
    TooFewImages {
        /// Images in the set.
        images: usize,
        /// Images to hold out.
        validation: usize,
    },
    /// The configuration makes no network.
    #[error(transparent)]
    Config(#[from] config::Error),
    /// Stopped before the first epoch was complete.
    #[error("stopped before the first epoch was complete: there is no network yet")]
    Stopped,
    /// The teacher's file cannot be written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
    /// The loss or a parameter is no longer a number: the learning rate is too high.
    #[error("the loss is {loss} in epoch {epoch}: lower the learning rate")]
    Diverged {
        /// Counted from 1.
        epoch: u32,
        /// Not finite; of a parameter that is no number, NaN.
        loss: f64,
    },
    /// The network cannot be exported.
    #[error(transparent)]
    Export(#[from] net::Error),
}

/// What a run tells while it goes on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Event {
    /// A step was made.
    Step {
        /// Of the whole run, counted from 1.
        step: usize,
        /// Steps of the whole run.
        steps: usize,
        /// Mean loss of the epoch so far.
        loss: f64,
    },
    /// An epoch has been judged.
    Epoch {
        /// Counted from 1.
        epoch: u32,
        /// Mean loss over its steps.
        loss: f64,
        /// Share of the validation images that the integer network classifies correctly.
        validation_accuracy: f64,
        /// Whether no epoch before was better.
        best: bool,
    },
}

/// The best network of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Its integers.
    pub network: Network,
    /// Images it was trained with.
    pub training_samples: usize,
    /// Images it was chosen with.
    pub validation_samples: usize,
    /// Epochs completed.
    pub epochs: u32,
    /// The epoch after which it was the best, counted from 1.
    pub best_epoch: u32,
    /// Share of the validation images that it classifies correctly.
    pub validation_accuracy: f64,
}

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The best network of the completed epochs.
    pub trained: Trained,
    /// Why there are fewer epochs than configured; `None` also where the run was stopped.
    pub failure: Option<Error>,
}

/// Trains a network with all of `set` but a validation split, until the last epoch or until `stop` is set.
///
/// Of two epochs that are equally good on the validation images the later one is kept. A run that is stopped gives the
/// best of its completed epochs, without the one it was in.
///
/// # Errors
/// [`Error`], as long as no epoch is complete; later ones are [`Outcome::failure`].
pub fn train(
    config: &Config,
    set: &DataSet,
    stop: &AtomicBool,
    mut observe: impl FnMut(Event),
) -> Result<Outcome, Error> {
    let (images, held_out) = (set.len(), config.validation.samples);
    if held_out >= images {
        return Err(Error::TooFewImages { images, validation: held_out });
    }
    let (training, validation) = split(images, held_out, config.validation.seed);
    let (training, validation) = (Samples::new(set, &training), Samples::new(set, &validation));
    let validation_inputs = validation.inputs();

    let TrainingConfig { seed, epochs, batch, freeze, label_smoothing, .. } = config.training;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut net = Net::new(config.header()?, &mut rng);
    let mut optimizer = net.optimizer();
    let batches = Batches::new(config, set);
    let teacher = config.teacher.as_ref().map(|teacher| {
        let folder = teacher::FOLDER.as_ref();
        let network = Teacher::of(config, teacher, &training, &batches, &set.sha256, folder, stop)?;
        Ok::<_, Error>((teacher, network))
    });
    let teacher = teacher.transpose()?;

    let steps_per_epoch = training.len().div_ceil(batch);
    let steps = steps_per_epoch * epochs as usize;
    let free_epochs = (f64::from(epochs) * freeze).round() as u32;
    let mut order: Vec<i64> = (0..training.len() as i64).collect();
    best_of(epochs, &mut observe, |epoch, observe| {
        order.shuffle(&mut rng);
        if epoch > free_epochs && !net.is_frozen() {
            let indices = order.chunks(batch).take(CALIBRATION_BATCHES);
            net.freeze(indices.map(|indices| batches.draw(&training, indices, &mut rng).0));
        }
        let mut total = 0.0;
        for (k, indices) in order.chunks(batch).enumerate() {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let step = (epoch - 1) as usize * steps_per_epoch + k;
            let (inputs, labels) = batches.draw(&training, indices, &mut rng);
            let logits = net.forward(&inputs);
            let mut loss = logits.cross_entropy_loss::<Tensor>(
                &labels,
                None,
                Reduction::Mean,
                -100,
                label_smoothing,
            );
            if let Some((TeacherConfig { weight, temperature, .. }, teacher)) = &teacher {
                let distilled = distillation(&logits, &teacher.logits(&inputs), *temperature);
                loss = loss * (1.0 - weight) + distilled * *weight;
            }
            loss.backward();
            optimizer.step(net.parameters_mut(), learning_rate(&config.training, step, steps));
            let loss = loss.double_value(&[]);
            if !loss.is_finite() {
                return Err(Error::Diverged { epoch, loss });
            }
            total += loss;
            observe(Event::Step { step: step + 1, steps, loss: total / (k + 1) as f64 });
        }
        // Rounding hides a parameter that is no number from the loss.
        if !net.is_finite() {
            return Err(Error::Diverged { epoch, loss: f64::NAN });
        }
        let network = net.export()?;
        let validation_accuracy = exact::accuracy(&network, &validation_inputs, &validation.labels);
        let trained = Trained {
            network,
            training_samples: training.len(),
            validation_samples: validation.len(),
            epochs: epoch,
            best_epoch: epoch,
            validation_accuracy,
        };
        Ok(Some((trained, total / steps_per_epoch as f64)))
    })
}

/// Runs epochs 1 to `epochs`, each of which gives its network and mean loss, or `None` where it was stopped, and keeps
/// the best network.
fn best_of<O: FnMut(Event)>(
    epochs: u32,
    observe: &mut O,
    mut run: impl FnMut(u32, &mut O) -> Result<Option<(Trained, f64)>, Error>,
) -> Result<Outcome, Error> {
    let mut best: Option<Trained> = None;
    let mut failure = None;
    for epoch in 1..=epochs {
        let (trained, loss) = match run(epoch, observe) {
            Ok(Some(complete)) => complete,
            Ok(None) => break,
            Err(error) => {
                failure = Some(error);
                break;
            }
        };
        let validation_accuracy = trained.validation_accuracy;
        let kept = best.take().filter(|best| best.validation_accuracy > validation_accuracy);
        observe(Event::Epoch { epoch, loss, validation_accuracy, best: kept.is_none() });
        best = Some(Trained { epochs: epoch, ..kept.unwrap_or(trained) });
    }
    match (best, failure) {
        (Some(trained), failure) => Ok(Outcome { trained, failure }),
        (None, failure) => Err(failure.unwrap_or(Error::Stopped)),
    }
}

/// Half a cosine, from 1 down to 0.
pub(crate) fn cosine(step: usize, steps: usize) -> f64 {
    0.5 * (1.0 + (PI * step as f64 / steps as f64).cos())
}

fn learning_rate(config: &TrainingConfig, step: usize, steps: usize) -> f64 {
    let rise = (step + 1) as f64 / config.warm_up.max(1) as f64;
    let course = match config.schedule {
        Schedule::Constant => 1.0,
        Schedule::Cosine => cosine(step, steps),
    };
    config.learning_rate * course * rise.min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::TINY;
    use crate::samples::tests::stripes;

    fn run(config: &Config, set: &DataSet) -> (Trained, Vec<Event>) {
        tch::set_num_threads(1);
        let mut events = Vec::new();
        let trained = train(config, set, &AtomicBool::new(false), |event| events.push(event));
        let Outcome { trained, failure } = trained.unwrap();
        assert!(failure.is_none());
        (trained, events)
    }

    #[test]
    fn learns_stripes_and_repeats_itself() {
        let mut config = Config::parse(TINY).unwrap();
        let set = stripes(600, 1);
        let (trained, events) = run(&config, &set);
        assert!(trained.validation_accuracy >= 0.95, "{}", trained.validation_accuracy);
        assert_eq!((trained.training_samples, trained.validation_samples), (540, 60));
        assert_eq!(trained.epochs, 4);
        let epochs = events.iter().filter(|event| matches!(event, Event::Epoch { .. }));
        assert_eq!((epochs.count(), events.len()), (4, 4 + 4 * 34));

        let test = Samples::new(&stripes(200, 2), &(0..200).collect::<Vec<_>>());
        let accuracy = exact::accuracy(&trained.network, &test.inputs(), &test.labels);
        assert!(accuracy >= 0.95, "{accuracy}");

        assert_eq!(run(&config, &set), (trained.clone(), events));
        config.training.seed += 1;
        assert_ne!(run(&config, &set).0.network, trained.network);
    }

    #[test]
    fn a_stopped_run_gives_the_best_so_far() {
        let config = Config::parse(TINY).unwrap();
        let set = stripes(300, 1);
        let stop = AtomicBool::new(false);
        let trained = train(&config, &set, &stop, |event| {
            // In the second epoch of 15 steps.
            if matches!(event, Event::Step { step: 20.., .. }) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        let Outcome { trained, failure } = trained.unwrap();
        assert!(failure.is_none());
        assert_eq!((trained.epochs, trained.best_epoch), (1, 1));

        // The same network as of a run of one epoch with the same learning rates.
        let stop = AtomicBool::new(false);
        let first = train(&config, &set, &stop, |event| {
            if matches!(event, Event::Epoch { .. }) {
                stop.store(true, Ordering::Relaxed);
            }
        });
        assert_eq!(first.unwrap().trained, trained);
    }

    #[test]
    fn a_run_stopped_in_its_first_epoch_gives_no_network() {
        let config = Config::parse(TINY).unwrap();
        let set = stripes(300, 1);
        for last in [0, 1, 14] {
            let stop = AtomicBool::new(last == 0);
            let mut seen = 0;
            let error = train(&config, &set, &stop, |event| {
                let Event::Step { step, .. } = event else { panic!("{event:?}") };
                seen = step;
                if step == last {
                    stop.store(true, Ordering::Relaxed);
                }
            });
            assert!(matches!(error, Err(Error::Stopped)), "after step {last}");
            assert_eq!(seen, last);
        }
    }

    #[test]
    fn a_late_failure_keeps_the_best() {
        let config = Config::parse(TINY).unwrap();
        let (trained, _) = run(&config, &stripes(300, 1));
        let accuracies = [0.5, 0.9, 0.9, 0.7, 1.0];
        let until = |failing: u32, error: fn(u32) -> Error| {
            let mut better = Vec::new();
            let mut observe = |event| match event {
                Event::Epoch { best, .. } => better.push(best),
                Event::Step { .. } => panic!("{event:?}"),
            };
            let outcome = best_of(9, &mut observe, |epoch, _| {
                if epoch == failing {
                    return Err(error(epoch));
                }
                let (best_epoch, validation_accuracy) = (epoch, accuracies[epoch as usize - 1]);
                Ok(Some((Trained { best_epoch, validation_accuracy, ..trained.clone() }, 1.0)))
            });
            (outcome, better)
        };
        let diverged = |epoch| Error::Diverged { epoch, loss: f64::NAN };
        let (outcome, better) = until(5, diverged);
        let Outcome { trained, failure } = outcome.unwrap();
        assert_eq!((trained.epochs, trained.best_epoch), (4, 3));
        assert_eq!(trained.validation_accuracy, 0.9);
        assert_eq!(better, [true, true, true, false]);
        assert!(matches!(failure, Some(Error::Diverged { epoch: 5, .. })));

        let export = |_| Error::Export(net::Error::Tensor(TchError::Convert("test".into())));
        let Outcome { trained, failure } = until(2, export).0.unwrap();
        assert_eq!((trained.epochs, trained.best_epoch), (1, 1));
        assert!(matches!(failure, Some(Error::Export(_))));
        assert!(matches!(until(1, export).0, Err(Error::Export(_))));
    }

    #[test]
    fn refuses_a_split_that_leaves_nothing() {
        let config = Config::parse(TINY).unwrap();
        let error = train(&config, &stripes(60, 1), &AtomicBool::new(false), |_| ()).unwrap_err();
        assert!(matches!(error, Error::TooFewImages { images: 60, validation: 60 }));
    }

    #[test]
    fn reports_a_loss_that_is_no_number() {
        let mut config = Config::parse(TINY).unwrap();
        config.training.learning_rate = f64::NAN;
        let error = train(&config, &stripes(200, 1), &AtomicBool::new(false), |_| ()).unwrap_err();
        assert!(matches!(error, Error::Diverged { epoch: 1, .. }), "{error}");
    }

    #[test]
    fn warms_up_and_ends_near_zero() {
        let config = Config::parse(TINY).unwrap().training;
        assert_eq!(learning_rate(&config, 0, 10), 0.004);
        assert!((learning_rate(&config, 5, 10) - 0.01).abs() < 1e-12);
        assert!(learning_rate(&config, 9, 10) < 0.000_6);
    }
}
