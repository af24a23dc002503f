//! The TOML file of a model: what is trained, and how.
//!
//! ```toml
//! name = "example"
//! data.set = "mnist"
//! input = { crop = 2, bits = 4 }
//!
//! [[layers]]
//! kind = "conv"
//! outputs = 8
//! kernel = 3
//! padding = 1
//! weight_bits = 4
//! bias_bits = 8
//! multiplier_bits = 8
//! activation_bits = 4
//! # … more layers, the last of kind "logits"
//!
//! [training]
//! seed = 1
//! epochs = 40
//! batch = 128
//! learning_rate = 0.01
//! schedule = "cosine"
//! warm_up = 300
//! freeze = 0.75
//! label_smoothing = 0.05
//!
//! [augmentation]
//! shift = 1.5
//! rotation = 10.0
//!
//! [validation]
//! samples = 5000
//! seed = 0
//! ```
//!
//! Every value is checked before anything is trained; `docs/training.md` says what each one does.

mod layers;
mod training;

use std::path::{Path, PathBuf};

use inkling_data::Set;
use inkling_data::model::is_name;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use layers::{CLASSES, InputConfig, LayerConfig};
pub use training::{AugmentationConfig, Schedule, TeacherConfig, TrainingConfig, ValidationConfig};

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
        /// The field, for instance `layers[2].kernel`.
        field: String,
        /// What it says.
        got: String,
        /// What it may say.
        allowed: &'static str,
    },
    /// Each layer is in order, but not after the one before it.
    #[error("bad configuration: the layers make no network: {0}")]
    Header(#[from] inkling_network::HeaderError),
}

/// A model's configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The model's name, which its card carries: 1 to 64 of `A–Z a–z 0–9 . _ -`, the first not `.`.
    pub name: String,
    /// What it is trained with.
    pub data: DataConfig,
    /// What of an image the network reads.
    pub input: InputConfig,
    /// The network, first layer to last.
    pub layers: Vec<LayerConfig>,
    /// How it is trained.
    pub training: TrainingConfig,
    /// How the training images are varied.
    #[serde(default)]
    pub augmentation: AugmentationConfig,
    /// What is held out to choose the checkpoint.
    pub validation: ValidationConfig,
    /// A larger network to learn from; none where it is left out.
    #[serde(default)]
    pub teacher: Option<TeacherConfig>,
}

/// Where the images come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The data set.
    pub set: Set,
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
    /// [`Error::Toml`] with line and column; [`Error::OutOfRange`] with the field; [`Error::Header`].
    pub fn parse(text: &str) -> Result<Self, Error> {
        let config: Self = toml::from_str(text)?;
        config.check()?;
        Ok(config)
    }

    /// Whether every value is allowed and the layers make a network.
    ///
    /// # Errors
    /// As [`Config::parse`], but [`Error::Toml`].
    pub fn check(&self) -> Result<(), Error> {
        let allowed = "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', not beginning with '.'";
        rule(is_name(&self.name), "name", &self.name, allowed)?;
        self.training.check()?;
        self.augmentation.check()?;
        self.validation.check()?;
        if let Some(teacher) = &self.teacher {
            teacher.check()?;
        }
        self.input.check()?;
        self.header().map(|_| ())
    }
}

/// The error of a value that is not allowed.
fn rule(
    holds: bool,
    field: impl Into<String>,
    got: &dyn std::fmt::Debug,
    allowed: &'static str,
) -> Result<(), Error> {
    match holds {
        true => Ok(()),
        false => Err(Error::OutOfRange { field: field.into(), got: format!("{got:?}"), allowed }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use inkling_network::{Layer, Weights};

    use super::*;

    pub(crate) const TINY: &str = r#"
        name = "tiny"
        data.set = "mnist"
        input = { crop = 0, bits = 4 }
        [[layers]]
        kind = "max_pool"
        size = 2
        [[layers]]
        kind = "conv"
        outputs = 4
        kernel = 3
        padding = 1
        weight_bits = 4
        bias_bits = 8
        multiplier_bits = 8
        activation_bits = 4
        [[layers]]
        kind = "sum_pool"
        size = 2
        shift = 1
        [[layers]]
        kind = "dense"
        outputs = 12
        weight_bits = 8
        bias_bits = 16
        multiplier_bits = 16
        activation_bits = 8
        [[layers]]
        kind = "logits"
        weight_bits = 1.58
        bias_bits = 8
        [training]
        seed = 1
        epochs = 4
        batch = 16
        learning_rate = 0.02
        schedule = "cosine"
        warm_up = 5
        freeze = 0.5
        label_smoothing = 0.0
        [augmentation]
        shift = 0.2
        [validation]
        samples = 60
        seed = 0
    "#;

    #[test]
    fn parses() {
        let config = Config::parse(TINY).unwrap();
        assert_eq!((config.layers.len(), config.data.set), (5, Set::Mnist));
        assert_eq!(config.training.schedule, Schedule::Cosine);
        assert_eq!(config.validation, ValidationConfig { samples: 60, seed: 0 });
        let header = config.header().unwrap();
        let formats: Vec<_> = header.stored().map(|stored| stored.weights).collect();
        assert_eq!(formats, [Weights::Int4, Weights::Int8, Weights::Ternary]);
        let Layer::Conv(conv) = header.stages()[1].layer() else { panic!() };
        assert_eq!((conv.outputs, conv.stride, conv.requantize.residual), (4, 1, false));
    }

    #[test]
    fn refuses() {
        let error = |from: &str, to: &str| {
            assert!(TINY.contains(from));
            Config::parse(&TINY.replacen(from, to, 1)).unwrap_err()
        };
        assert!(matches!(error("name = \"tiny\"", ""), Error::Toml(_)));
        assert!(matches!(error("epochs = 4", "epochs = -3"), Error::Toml(_)));
        assert!(matches!(error("epochs = 4", "epoch = 3"), Error::Toml(_)));
        assert!(matches!(error("\"cosine\"", "\"sine\""), Error::Toml(_)));
        assert!(matches!(error("outputs = 4", "outputs = 256"), Error::Toml(_)));
        assert!(matches!(error("padding = 1", "pading = 1"), Error::Toml(_)));
        assert!(matches!(error("\"mnist\"", "\"cifar\""), Error::Toml(_)));
        assert!(matches!(error("\"sum_pool\"", "\"mean_pool\""), Error::Toml(_)));
        for (from, to, expected) in [
            ("\"tiny\"", "\"../tiny\"", "name"),
            ("crop = 0", "crop = 10", "input.crop"),
            ("bits = 4 }", "bits = 9 }", "input.bits"),
            ("size = 2", "size = 16", "layers[0].size"),
            ("outputs = 4", "outputs = 0", "layers[1].outputs"),
            ("kernel = 3", "kernel = 0", "layers[1].kernel"),
            ("padding = 1", "padding = 3", "layers[1].padding"),
            ("padding = 1", "stride = 0", "layers[1].stride"),
            ("padding = 1", "groups = 16", "layers[1].groups"),
            ("weight_bits = 4", "weight_bits = 5", "layers[1].weight_bits"),
            ("bias_bits = 8", "bias_bits = 32", "layers[1].bias_bits"),
            ("multiplier_bits = 8", "multiplier_bits = 2", "layers[1].multiplier_bits"),
            ("activation_bits = 4", "activation_bits = 0", "layers[1].activation_bits"),
            ("shift = 1", "shift = 9", "layers[2].shift"),
            ("outputs = 12", "outputs = 4097", "layers[3].outputs"),
            ("weight_bits = 1.58", "weight_bits = 1.6", "layers[4].weight_bits"),
            ("epochs = 4", "epochs = 0", "training.epochs"),
            ("batch = 16", "batch = 0", "training.batch"),
            ("learning_rate = 0.02", "learning_rate = nan", "training.learning_rate"),
            ("freeze = 0.5", "freeze = 1.1", "training.freeze"),
            ("label_smoothing = 0.0", "label_smoothing = 1.0", "training.label_smoothing"),
            ("shift = 0.2", "shift = 15.0", "augmentation.shift"),
            ("shift = 0.2", "rotation = nan", "augmentation.rotation"),
            ("samples = 60", "samples = 0", "validation.samples"),
        ] {
            let error = error(from, to);
            assert!(
                matches!(&error, Error::OutOfRange { field, .. } if field == expected),
                "{expected}: {error}"
            );
        }
        // In order by themselves, but not after one another.
        for (from, to) in [
            ("kernel = 3", "kernel = 13"),
            ("kind = \"logits\"\n", "kind = \"again\"\nlayer = 1\n[[layers]]\nkind = \"logits\"\n"),
            ("padding = 1", "residual = true"),
        ] {
            let error = error(from, to);
            assert!(matches!(error, Error::Header(_)), "{to}: {error}");
        }
        assert!(matches!(Config::load(Path::new("/nonexistent")), Err(Error::Io { .. })));
    }

    #[test]
    fn writes_what_it_reads() {
        let config = Config::parse(TINY).unwrap();
        assert_eq!(Config::parse(&toml::to_string(&config).unwrap()).unwrap(), config);
    }
}
