//! The part of a configuration that says how a network is trained.

use serde::{Deserialize, Serialize};

use super::{Error, rule};

/// How the network is trained. The optimizer is Adam.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Seed of initialization, shuffling and augmentation.
    pub seed: u64,
    /// Passes over the training images: 1 to 10,000.
    pub epochs: u32,
    /// Images a step: 1 to 10,000.
    pub batch: usize,
    /// The learning rate after the warm-up, in units of each parameter's initial spread: above 0, at most 1.
    pub learning_rate: f64,
    /// How the learning rate changes from step to step.
    pub schedule: Schedule,
    /// Steps over which the learning rate rises from zero.
    #[serde(default)]
    pub warm_up: usize,
    /// Share of the epochs that use the statistics of their batches: 0 to 1. The others train with the statistics
    /// that were reached, and with rounded multipliers and biases.
    #[serde(default = "three_quarters")]
    pub freeze: f64,
    /// Share of the target probability that is spread over all classes: 0 to below 1.
    #[serde(default)]
    pub label_smoothing: f64,
}

fn three_quarters() -> f64 {
    0.75
}

/// The learning rate's course after the warm-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// The same all the time.
    Constant,
    /// Half a cosine, from the learning rate down to zero.
    Cosine,
}

/// Variations of a training image, drawn anew for each image of each epoch, before it is resized to 20×20.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AugmentationConfig {
    /// Pixels that the image is moved by, at most, in each direction: 0 to 14.
    pub shift: f64,
    /// Degrees that it is turned by, at most: 0 to 180.
    pub rotation: f64,
    /// Share that it is enlarged or reduced by, at most, rows and columns apart: 0 to 0.9.
    pub scale: f64,
    /// Columns that it is slanted by a row, at most: 0 to 1.
    pub shear: f64,
    /// Pixels that each of 5×5 points is moved by, at most, in each direction, and the image between them smoothly:
    /// 0 to 14.
    pub elastic: f64,
    /// Whether every second image is mirrored, left to right.
    pub flip: bool,
}

impl AugmentationConfig {
    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// The validation split of the training set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationConfig {
    /// Images held out: at least 1, fewer than there are.
    pub samples: usize,
    /// Seed of their choice, apart from the training's so that models can be compared.
    pub seed: u64,
}

/// Knowledge distillation (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015): the network learns from
/// the probabilities that a larger float network gives, beside the labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TeacherConfig {
    /// Passes over the training images for the teacher: 1 to 1,000.
    pub epochs: u32,
    /// Planes of its first convolution, its later ones have twice as many: 1 to 256.
    pub width: i64,
    /// The teacher's share of the loss: above 0, at most 1.
    pub weight: f64,
    /// What both networks' logits are divided by before they are compared: 0.1 to 100.
    pub temperature: f64,
}

impl TrainingConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        let epochs = self.epochs;
        rule((1..=10_000).contains(&epochs), "training.epochs", &epochs, "1 to 10000")?;
        let batch = self.batch;
        rule((1..=10_000).contains(&batch), "training.batch", &batch, "1 to 10000")?;
        let rate = self.learning_rate;
        rule(rate > 0.0 && rate <= 1.0, "training.learning_rate", &rate, "above 0, at most 1")?;
        let freeze = self.freeze;
        rule((0.0..=1.0).contains(&freeze), "training.freeze", &freeze, "0 to 1")?;
        let smoothing = self.label_smoothing;
        let allowed = "0 to below 1";
        rule((0.0..1.0).contains(&smoothing), "training.label_smoothing", &smoothing, allowed)
    }
}

impl AugmentationConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        for (field, got, limit, allowed) in [
            ("augmentation.shift", self.shift, 14.0, "0 to 14"),
            ("augmentation.rotation", self.rotation, 180.0, "0 to 180"),
            ("augmentation.scale", self.scale, 0.9, "0 to 0.9"),
            ("augmentation.shear", self.shear, 1.0, "0 to 1"),
            ("augmentation.elastic", self.elastic, 14.0, "0 to 14"),
        ] {
            rule((0.0..=limit).contains(&got), field, &got, allowed)?;
        }
        Ok(())
    }
}

impl ValidationConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        rule(self.samples > 0, "validation.samples", &self.samples, "1 or more")
    }
}

impl TeacherConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        let Self { epochs, width, weight, temperature } = *self;
        rule((1..=1_000).contains(&epochs), "teacher.epochs", &epochs, "1 to 1000")?;
        rule((1..=256).contains(&width), "teacher.width", &width, "1 to 256")?;
        rule(weight > 0.0 && weight <= 1.0, "teacher.weight", &weight, "above 0, at most 1")?;
        let allowed = "0.1 to 100";
        rule((0.1..=100.0).contains(&temperature), "teacher.temperature", &temperature, allowed)
    }
}
