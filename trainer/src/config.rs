//! The TOML file of a model: what is trained, and how.

use std::path::{Path, PathBuf};

use inkling_data::model::is_name;
use serde::Deserialize;
use thiserror::Error;

/// Why a configuration cannot be used.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Not TOML, or a field is missing, unknown or of the wrong type.
    #[error("bad configuration: {0}")]
    Toml(#[from] toml::de::Error),
    /// A value outside what is allowed.
    #[error("bad configuration: {field} = {got}, allowed are {allowed}")]
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What it says.
        got: String,
        /// What it may say.
        allowed: &'static str,
    },
}

/// A model's configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model's name, which its card carries: 1 to 64 of `A–Z a–z 0–9 . _ -`, the first not `.`.
    pub name: String,
    /// What is trained.
    pub network: NetworkConfig,
    /// How it is trained.
    pub training: TrainingConfig,
    /// How the training images are varied.
    pub augmentation: AugmentationConfig,
    /// What is held out to choose the checkpoint.
    pub validation: ValidationConfig,
}

/// A multilayer perceptron from 400 inputs to 10 logits.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    /// Outputs of each hidden layer: 0 to 26 layers of 1 to 4,096.
    pub hidden: Vec<u16>,
    /// Bits of a weight: 8.
    pub weight_bits: u8,
    /// Bits of a stored bias: 8 or 16.
    pub bias_bits: u8,
    /// Bits of a hidden activation: 1 to 8.
    pub activation_bits: u8,
}

/// The optimizer is AdamW.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingConfig {
    /// Seed of initialization, shuffling and augmentation.
    pub seed: u64,
    /// Passes over the training images: 1 to 10,000.
    pub epochs: u32,
    /// Images a step: 1 to 10,000.
    pub batch: usize,
    /// The first step's learning rate: above 0, at most 1.
    pub learning_rate: f64,
    /// How the learning rate changes from step to step.
    pub schedule: Schedule,
    /// Decoupled weight decay: 0 to 1.
    pub weight_decay: f64,
    /// Share of the target probability that is spread over all classes: 0 to below 1.
    pub label_smoothing: f64,
}

/// The learning rate's course.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// The same all the time.
    Constant,
    /// Half a cosine, from the learning rate down to zero.
    Cosine,
}

/// Variations of a training image, drawn anew each epoch.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AugmentationConfig {
    /// Pixels that the original image is shifted by, at most, in each direction, before it is resized: 0 to 2.
    pub shift: u8,
}

/// The validation split of the training set.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationConfig {
    /// Images held out: at least 1, fewer than there are.
    pub samples: usize,
    /// Seed of their choice, apart from the training's so that models can be compared.
    pub seed: u64,
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`Error::Io`] with the path, or what [`Config::parse`] says.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path);
        Self::parse(&text.map_err(|source| Error::Io { path: path.into(), source })?)
    }

    /// Parses and checks TOML.
    ///
    /// # Errors
    /// [`Error::Toml`] with line and column; [`Error::OutOfRange`] with the field.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Error> {
        let rule = |holds: bool, field, got: &dyn std::fmt::Debug, allowed| match holds {
            true => Ok(()),
            false => Err(Error::OutOfRange { field, got: format!("{got:?}"), allowed }),
        };
        let (network, training) = (&self.network, &self.training);
        let allowed = "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', not beginning with '.'";
        rule(is_name(&self.name), "name", &self.name, allowed)?;
        let hidden = &network.hidden;
        rule(
            hidden.len() <= 26 && hidden.iter().all(|outputs| (1..=4_096).contains(outputs)),
            "network.hidden",
            hidden,
            "0 to 26 layers of 1 to 4096 outputs",
        )?;
        let bits = network.weight_bits;
        rule(bits == 8, "network.weight_bits", &bits, "8")?;
        let bits = network.bias_bits;
        rule(bits == 8 || bits == 16, "network.bias_bits", &bits, "8 and 16")?;
        let bits = network.activation_bits;
        rule((1..=8).contains(&bits), "network.activation_bits", &bits, "1 to 8")?;
        let epochs = training.epochs;
        rule((1..=10_000).contains(&epochs), "training.epochs", &epochs, "1 to 10000")?;
        let batch = training.batch;
        rule((1..=10_000).contains(&batch), "training.batch", &batch, "1 to 10000")?;
        let rate = training.learning_rate;
        rule(rate > 0.0 && rate <= 1.0, "training.learning_rate", &rate, "above 0, at most 1")?;
        let decay = training.weight_decay;
        rule((0.0..=1.0).contains(&decay), "training.weight_decay", &decay, "0 to 1")?;
        let smoothing = training.label_smoothing;
        rule(
            (0.0..1.0).contains(&smoothing),
            "training.label_smoothing",
            &smoothing,
            "0 to below 1",
        )?;
        let shift = self.augmentation.shift;
        rule(shift <= 2, "augmentation.shift", &shift, "0 to 2")?;
        let samples = self.validation.samples;
        rule(samples > 0, "validation.samples", &samples, "1 or more")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const TINY: &str = r#"
        name = "tiny"
        [network]
        hidden = [12, 9]
        weight_bits = 8
        bias_bits = 16
        activation_bits = 8
        [training]
        seed = 1
        epochs = 3
        batch = 16
        learning_rate = 0.01
        schedule = "cosine"
        weight_decay = 0.01
        label_smoothing = 0.0
        [augmentation]
        shift = 1
        [validation]
        samples = 60
        seed = 0
    "#;

    #[test]
    fn parses() {
        let config = Config::parse(TINY).unwrap();
        assert_eq!(config.network.hidden, [12, 9]);
        assert_eq!(config.training.schedule, Schedule::Cosine);
        assert_eq!(config.validation, ValidationConfig { samples: 60, seed: 0 });
    }

    #[test]
    fn refuses() {
        let error = |from: &str, to: &str| {
            assert!(TINY.contains(from));
            Config::parse(&TINY.replace(from, to)).unwrap_err()
        };
        assert!(matches!(error("name = \"tiny\"", ""), Error::Toml(_)));
        assert!(matches!(error("epochs = 3", "epochs = -3"), Error::Toml(_)));
        assert!(matches!(error("epochs = 3", "epoch = 3"), Error::Toml(_)));
        assert!(matches!(error("\"cosine\"", "\"sine\""), Error::Toml(_)));
        for (from, to, expected) in [
            ("\"tiny\"", "\"../tiny\"", "name"),
            ("\"tiny\"", "\"\"", "name"),
            ("[12, 9]", "[12, 0]", "network.hidden"),
            ("weight_bits = 8", "weight_bits = 4", "network.weight_bits"),
            ("bias_bits = 16", "bias_bits = 32", "network.bias_bits"),
            ("activation_bits = 8", "activation_bits = 0", "network.activation_bits"),
            ("epochs = 3", "epochs = 0", "training.epochs"),
            ("batch = 16", "batch = 0", "training.batch"),
            ("learning_rate = 0.01", "learning_rate = nan", "training.learning_rate"),
            ("weight_decay = 0.01", "weight_decay = -0.01", "training.weight_decay"),
            ("label_smoothing = 0.0", "label_smoothing = 1.0", "training.label_smoothing"),
            ("shift = 1", "shift = 3", "augmentation.shift"),
            ("samples = 60", "samples = 0", "validation.samples"),
        ] {
            let error = error(from, to);
            assert!(
                matches!(error, Error::OutOfRange { field, .. } if field == expected),
                "{error}"
            );
        }
        assert!(matches!(Config::load(Path::new("/nonexistent")), Err(Error::Io { .. })));
    }
}
