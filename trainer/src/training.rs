//! The training loop.
//!
//! After every epoch the network is exported and its integers are judged on the validation images by the reference
//! forward pass; the best export is kept. Whoever stops a run early gets that one.

use std::f64::consts::PI;
use std::sync::atomic::{AtomicBool, Ordering};

use inkling_data::DataSet;
use inkling_data::model::LayerScales;
use inkling_data::preprocess::{self, PIXELS};
use inkling_network::{ImageLengthError, Network, argmax, reference};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tch::nn::{AdamW, OptimizerConfig, VarStore};
use tch::{Device, Reduction, TchError, Tensor};
use thiserror::Error;

use crate::config::{Config, Schedule, TrainingConfig};
use crate::mlp::{self, Mlp};
use crate::samples::{Samples, split};

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
    /// An image cannot be resized.
    #[error(transparent)]
    Preprocess(#[from] preprocess::Error),
    /// libtorch refused an operation.
    #[error("libtorch: {0}")]
    Torch(#[from] TchError),
    /// The loss is no longer a number: the learning rate is too high.
    #[error("the loss is {loss} in epoch {epoch}: lower the learning rate")]
    Diverged {
        /// Counted from 1.
        epoch: u32,
        /// Not finite.
        loss: f64,
    },
    /// The network cannot be exported.
    #[error(transparent)]
    Export(#[from] mlp::Error),
    /// The images are not as long as the network's input.
    #[error(transparent)]
    ImageLength(#[from] ImageLengthError),
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
    /// Their real values.
    pub scales: Vec<LayerScales>,
    /// Images it was trained with.
    pub training_samples: usize,
    /// Images it was chosen with.
    pub validation_samples: usize,
    /// Epochs begun.
    pub epochs: u32,
    /// The epoch after which it was the best, counted from 1.
    pub best_epoch: u32,
    /// Share of the validation images that it classifies correctly.
    pub validation_accuracy: f64,
}

/// Trains a network with all of `set` but a validation split, until the last epoch or until `stop` is set.
///
/// Of two epochs that are equally good on the validation images the later one is kept. A run that is stopped judges
/// what it has and gives the best so far.
///
/// # Errors
/// [`Error`]; a run that is stopped is none.
pub fn train(
    config: &Config,
    set: &DataSet,
    stop: &AtomicBool,
    mut observe: impl FnMut(Event),
) -> Result<Trained, Error> {
    let (images, held_out) = (set.len(), config.validation.samples);
    if held_out >= images {
        return Err(Error::TooFewImages { images, validation: held_out });
    }
    let (training, validation) = split(images, held_out, config.validation.seed);
    let training = Samples::new(set, &training, config.augmentation.shift)?;
    let validation = Samples::new(set, &validation, 0)?;
    let (inputs, labels) = (training.input_tensor(), training.label_tensor());

    let mut rng = StdRng::seed_from_u64(config.training.seed);
    let mut store = VarStore::new(Device::Cpu);
    let mut mlp = Mlp::new(&mut store, &config.network, &mut rng);
    let TrainingConfig { epochs, batch, weight_decay, label_smoothing, .. } = config.training;
    let adam = AdamW { wd: weight_decay, ..AdamW::default() };
    let mut optimizer = adam.build(&store, config.training.learning_rate)?;

    let steps_per_epoch = training.len().div_ceil(batch);
    let steps = steps_per_epoch * epochs as usize;
    let mut order: Vec<i64> = (0..training.len() as i64).collect();
    let mut best: Option<Trained> = None;
    let mut epoch = 0;
    loop {
        epoch += 1;
        order.shuffle(&mut rng);
        let mut total = 0.0;
        let mut seen = 0;
        for (k, indices) in order.chunks(batch).enumerate() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let step = (epoch - 1) as usize * steps_per_epoch + k;
            optimizer.set_lr(learning_rate(&config.training, step, steps));
            let rows: Vec<i64> = indices
                .iter()
                .map(|index| {
                    rng.random_range(0..training.copies.len()) as i64 * labels.size()[0] + index
                })
                .collect();
            let inputs = inputs.index_select(0, &Tensor::from_slice(&rows));
            let labels = labels.index_select(0, &Tensor::from_slice(indices));
            let (logits, scale) = mlp.forward_observing(&inputs);
            let loss = (logits * scale).cross_entropy_loss::<Tensor>(
                &labels,
                None,
                Reduction::Mean,
                -100,
                label_smoothing,
            );
            optimizer.backward_step(&loss);
            let loss = loss.double_value(&[]);
            if !loss.is_finite() {
                return Err(Error::Diverged { epoch, loss });
            }
            total += loss;
            seen += 1;
            observe(Event::Step { step: step + 1, steps, loss: total / f64::from(seen) });
        }

        let (network, scales) = mlp.export()?;
        let validation_accuracy = accuracy(&network, &validation.copies[0], &validation.labels)?;
        let better =
            best.as_ref().is_none_or(|best| validation_accuracy >= best.validation_accuracy);
        let loss = total / f64::from(seen.max(1));
        observe(Event::Epoch { epoch, loss, validation_accuracy, best: better });
        let mut kept = match best.take() {
            Some(best) if !better => best,
            _ => Trained {
                network,
                scales,
                training_samples: training.len(),
                validation_samples: validation.len(),
                epochs: epoch,
                best_epoch: epoch,
                validation_accuracy,
            },
        };
        kept.epochs = epoch;
        if epoch == epochs || stop.load(Ordering::Relaxed) {
            return Ok(kept);
        }
        best = Some(kept);
    }
}

/// The share (0–1) of the inputs that the reference forward pass classifies correctly; of none: 0.
///
/// # Errors
/// Where the network's input is not 400 bytes.
pub fn accuracy(
    network: &Network,
    inputs: &[[u8; PIXELS]],
    labels: &[u8],
) -> Result<f64, ImageLengthError> {
    let mut correct = 0;
    for (input, &label) in inputs.iter().zip(labels) {
        correct += usize::from(argmax(&reference::forward(network, input)?) == usize::from(label));
    }
    Ok(correct as f64 / inputs.len().max(1) as f64)
}

fn learning_rate(config: &TrainingConfig, step: usize, steps: usize) -> f64 {
    match config.schedule {
        Schedule::Constant => config.learning_rate,
        Schedule::Cosine => {
            let progress = step as f64 / steps as f64;
            config.learning_rate * 0.5 * (1.0 + (PI * progress).cos())
        }
    }
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
        (trained.unwrap(), events)
    }

    #[test]
    fn learns_stripes_and_repeats_itself() {
        let mut config = Config::parse(TINY).unwrap();
        config.augmentation.shift = 0;
        let set = stripes(600, 1);
        let (trained, events) = run(&config, &set);
        assert!(trained.validation_accuracy >= 0.95, "{}", trained.validation_accuracy);
        assert_eq!((trained.training_samples, trained.validation_samples), (540, 60));
        assert_eq!(trained.epochs, 3);
        let epochs = events.iter().filter(|event| matches!(event, Event::Epoch { .. }));
        assert_eq!((epochs.count(), events.len()), (3, 3 + 3 * 34));

        let test = stripes(200, 2);
        let inputs = test.inputs().unwrap();
        assert!(accuracy(&trained.network, &inputs, &test.labels).unwrap() >= 0.95);

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
        assert_eq!(trained.unwrap().epochs, 2);
        let at_once = train(&config, &set, &AtomicBool::new(true), |_| ()).unwrap();
        assert_eq!((at_once.epochs, at_once.best_epoch), (1, 1));
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
        config.training.learning_rate = 1e300;
        let error = train(&config, &stripes(200, 1), &AtomicBool::new(false), |_| ()).unwrap_err();
        assert!(matches!(error, Error::Diverged { epoch: 1, .. }), "{error}");
    }

    #[test]
    fn the_cosine_ends_near_zero() {
        let config = Config::parse(TINY).unwrap().training;
        assert_eq!(learning_rate(&config, 0, 10), 0.01);
        assert!((learning_rate(&config, 5, 10) - 0.005).abs() < 1e-12);
        assert!(learning_rate(&config, 9, 10) < 0.000_3);
    }
}
