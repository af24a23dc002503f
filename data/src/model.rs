//! The trained file: an integer network and its card, in safetensors.
//!
//! Layer `k`, if it has parameters of its own, has the tensors `layer{k}.weight`, `I8` of shape `[inputs, outputs]` (of a
//! convolution `[outputs, channels, kernel, kernel]`), `layer{k}.bias`, `I32` of shape `[outputs]`, the biases as stored, before
//! the layer's shift, and, where each output has a multiplier of its own, `layer{k}.multiplier`, `U16` of shape `[outputs]`.
//! Everything else is one JSON document, the string under the metadata key `inkling` (one key, so that the same model always
//! makes the same bytes):
//!
//! ```json
//! {"format": 2, "input": {"channels": 1, "height": 20, "width": 20, "crop": 2, "bits": 4},
//!  "layers": [{"kind": "conv", "outputs": 8, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "weights": "int4",
//!              "bias_bits": 8, "bias_shift": 0,
//!              "requantize": {"multipliers": 8, "shift": 12, "activation_bits": 4, "residual": false}},
//!             {"kind": "max_pool", "size": 2}, …],
//!  "card": {"name": "small", …}}
//! ```
//!
//! `groups` 0 means depthwise; `multipliers` is 4 or 8, the bits of each output's, or the object `{"layer": 40000}`.
//!
//! A file is read as if it came from an enemy: sizes are bounded, every tensor's type and shape is checked, names that
//! no layer has are refused, and the network must pass `inkling-network`'s own checks. The model's name is checked
//! too, by [`is_name`], because names become file names.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use inkling_network::{
    Bias, BiasWidth, Conv, Dense, Groups, Header, HeaderError, Input, Layer, Logits, Multipliers,
    Network, NetworkError, Parameters, Requantize, Shape, Stage, Stored, Weights,
};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of this format.
const FORMAT: u32 = 2;

/// The metadata key of the JSON document.
const KEY: &str = "inkling";

/// The most bytes a trained file may have: 16 MiB, 64 times what a contract holds.
const MAX_BYTES: u64 = 1 << 24;

/// The most bytes of a model's name.
const MAX_NAME: usize = 64;

/// Whether this may be a model's name: 1 to 64 of the characters `A–Z a–z 0–9 . _ -`, the first not `.`.
pub fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('.')
}

/// Why bytes are not a trained file, or a network cannot be written as one.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// More than 16 MiB.
    #[error("{0} bytes are too many for a trained file (at most {MAX_BYTES})")]
    TooLarge(u64),
    /// The bytes are not safetensors.
    #[error("not a safetensors file: {0}")]
    Safetensors(#[from] SafeTensorError),
    /// safetensors, but not written by the trainer.
    #[error("no metadata under the key \"{KEY}\": not a trained file of this project")]
    NoMetadata,
    /// The JSON document lacks a field, has one too many or one of a wrong type.
    #[error("bad metadata: {0}")]
    Metadata(#[from] serde_json::Error),
    /// Written by another version.
    #[error("file format {got}, this program reads {FORMAT}")]
    Format {
        /// The file's version.
        got: u32,
    },
    /// The card's name cannot be a model's, by [`is_name`].
    #[error(
        "model name {got:?}, expected 1 to {MAX_NAME} of A-Z, a-z, 0-9, '.', '_' and '-', not beginning with '.'"
    )]
    Name {
        /// The name, or the first 65 characters of a longer one.
        got: String,
    },
    /// A number of bits that no layer has.
    #[error("layer {layer}: {field} = {got} is not supported")]
    Unsupported {
        /// Index of the layer.
        layer: usize,
        /// Name of the field.
        field: &'static str,
        /// What it says.
        got: u8,
    },
    /// A layer's tensor is not there.
    #[error("no tensor {name}")]
    MissingTensor {
        /// Its name.
        name: String,
    },
    /// A tensor that belongs to no layer.
    #[error("tensor {name} belongs to no layer")]
    UnexpectedTensor {
        /// Its name.
        name: String,
    },
    /// A tensor of other type or shape than its layer has.
    #[error(
        "tensor {name} is {got_type} {got_shape:?}, expected {expected_type} {expected_shape:?}"
    )]
    WrongTensor {
        /// Its name.
        name: String,
        /// Its element type.
        got_type: Dtype,
        /// Its shape.
        got_shape: Vec<usize>,
        /// The layer's element type.
        expected_type: Dtype,
        /// The layer's shape.
        expected_shape: Vec<usize>,
    },
    /// The layers break a rule of `docs/format.md`.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The parameters do not fit the layers.
    #[error(transparent)]
    Network(#[from] NetworkError),
}

/// Where a network comes from and how good it is: all that its integers do not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The model's name, for instance `mlp-64`; allowed is what [`is_name`] allows.
    pub name: String,
    /// The command that trained it.
    pub command: String,
    /// The trainer's crate version.
    pub trainer_version: String,
    /// Seed of initialization, shuffling and augmentation.
    pub seed: u64,
    /// The data set, for instance `mnist`.
    pub data: String,
    /// SHA-256 in hex over the uncompressed training images and labels ([`crate::DataSet::sha256`]).
    pub data_sha256: String,
    /// Training images.
    pub training_samples: usize,
    /// Images of the training set that were held out to choose the checkpoint.
    pub validation_samples: usize,
    /// Test images.
    pub test_samples: usize,
    /// Epochs that were completed.
    pub epochs: u32,
    /// The epoch whose checkpoint this is, counted from 1.
    pub best_epoch: u32,
    /// Share (0–1) of the validation images that the integer network classifies correctly.
    pub validation_accuracy: f64,
    /// The same of the test images, measured once, after the checkpoint was chosen.
    pub test_accuracy: f64,
    /// Every run of this configuration that the shipped one was chosen from, by seed; at least the one itself.
    pub runs: Vec<Run>,
}

/// One training of a configuration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// Its seed.
    pub seed: u64,
    /// Share (0–1) of the validation images that its network classifies correctly.
    pub validation_accuracy: f64,
    /// The same of the test images.
    pub test_accuracy: f64,
}

/// An integer network with its card.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedModel {
    /// The integers: all that is deployed.
    pub network: Network,
    /// Where it comes from.
    pub card: Card,
}

impl Card {
    fn check_name(&self) -> Result<(), Error> {
        if is_name(&self.name) {
            return Ok(());
        }
        Err(Error::Name { got: self.name.chars().take(MAX_NAME + 1).collect() })
    }
}

/// The JSON document of the metadata.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    input: InputRecord,
    layers: Vec<LayerRecord>,
    card: Card,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct InputRecord {
    channels: u16,
    height: u16,
    width: u16,
    crop: u8,
    bits: u8,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum LayerRecord {
    Dense {
        outputs: u16,
        weights: WeightsRecord,
        bias_bits: u8,
        bias_shift: u8,
        requantize: RequantizeRecord,
    },
    Conv {
        outputs: u8,
        kernel: u8,
        stride: u8,
        padding: u8,
        groups: u8,
        weights: WeightsRecord,
        bias_bits: u8,
        bias_shift: u8,
        requantize: RequantizeRecord,
    },
    MaxPool {
        size: u8,
    },
    SumPool {
        size: u8,
        shift: u8,
    },
    Again {
        layer: u8,
    },
    Logits {
        classes: u8,
        weights: WeightsRecord,
        bias_bits: u8,
        bias_shift: u8,
    },
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum WeightsRecord {
    Binary,
    Int2,
    Int3,
    Int4,
    Ternary,
    Int8,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequantizeRecord {
    multipliers: MultipliersRecord,
    shift: u8,
    activation_bits: u8,
    residual: bool,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
enum MultipliersRecord {
    Bits(u8),
    Layer { layer: u16 },
}

impl TrainedModel {
    /// Reads a trained file.
    ///
    /// # Errors
    /// [`Error::Io`] with the path, or what [`TrainedModel::from_bytes`] says.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let io = |source| Error::Io { path: path.into(), source };
        let bytes = std::fs::metadata(path).map_err(io)?.len();
        if bytes > MAX_BYTES {
            return Err(Error::TooLarge(bytes));
        }
        Self::from_bytes(&std::fs::read(path).map_err(io)?)
    }

    /// Writes a trained file: beside its place first, then renamed, so that no reader sees half of it.
    ///
    /// # Errors
    /// [`Error::Io`] with the path, or what [`TrainedModel::to_bytes`] says.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let bytes = self.to_bytes()?;
        let partial = path.with_extension(format!("partial-{}", std::process::id()));
        let write = || {
            let mut file = std::fs::File::create(&partial)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            std::fs::rename(&partial, path)
        };
        write().map_err(|source| {
            // Best effort: the error that is reported is the one that came first.
            let _ = std::fs::remove_file(&partial);
            Error::Io { path: path.into(), source }
        })
    }

    /// Parses a trained file.
    ///
    /// # Errors
    /// [`Error`] says which part is wrong, and for a tensor what was there and what was expected.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::TooLarge(bytes.len() as u64));
        }
        let (_, metadata) = SafeTensors::read_metadata(bytes)?;
        let tensors = SafeTensors::deserialize(bytes)?;
        let document = metadata.metadata().as_ref().and_then(|map| map.get(KEY));
        let document: Document = serde_json::from_str(document.ok_or(Error::NoMetadata)?)?;
        if document.format != FORMAT {
            return Err(Error::Format { got: document.format });
        }
        document.card.check_name()?;
        let layers = document.layers.iter().enumerate();
        let layers: Vec<Layer> =
            layers.map(|(k, record)| record.layer(k)).collect::<Result<_, _>>()?;
        let InputRecord { channels, height, width, crop, bits } = document.input;
        let input = Input { shape: Shape { channels, height, width }, crop, bits };
        let header = Header::new(input, &layers)?;

        let mut parameters = Vec::new();
        let mut names = Vec::new();
        for (k, stage, stored) in owners(&header) {
            let [weight, bias, multiplier] = names_of(k);
            let outputs = [stored.outputs];
            let weights = tensor(&tensors, &weight, Dtype::I8, &weight_shape(stage, &stored))?;
            let biases = tensor(&tensors, &bias, Dtype::I32, &outputs)?.as_chunks().0;
            let mut multipliers: &[[u8; 2]] = &[];
            if stored.multiplier_bits > 0 {
                multipliers = tensor(&tensors, &multiplier, Dtype::U16, &outputs)?.as_chunks().0;
                names.push(multiplier);
            }
            parameters.push(Parameters {
                weights: weights.iter().map(|&byte| byte as i8).collect(),
                biases: biases.iter().map(|&bytes| i32::from_le_bytes(bytes)).collect(),
                multipliers: multipliers.iter().map(|&bytes| u16::from_le_bytes(bytes)).collect(),
            });
            names.extend([weight, bias]);
        }
        let unexpected = tensors.names().into_iter().find(|name| !names.iter().any(|n| n == name));
        if let Some(name) = unexpected {
            return Err(Error::UnexpectedTensor { name: name.into() });
        }
        Ok(Self { network: Network::new(header, parameters)?, card: document.card })
    }

    /// The bytes of a trained file; [`TrainedModel::from_bytes`] reads them back. The same model gives the same bytes.
    ///
    /// # Errors
    /// [`Error::Name`]; [`Error::Metadata`] where the card has a number that JSON has not.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.card.check_name()?;
        let header = self.network.header();
        let Input { shape: Shape { channels, height, width }, crop, bits } = header.input();
        let document = Document {
            format: FORMAT,
            input: InputRecord { channels, height, width, crop, bits },
            layers: header.stages().iter().map(|stage| stage.layer().into()).collect(),
            card: self.card.clone(),
        };
        let metadata = HashMap::from([(KEY.into(), serde_json::to_string(&document)?)]);

        let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        for ((k, stage, stored), parameters) in owners(header).zip(self.network.parameters()) {
            let [weight, bias, multiplier] = names_of(k);
            let outputs = vec![stored.outputs];
            let weights = parameters.weights.iter().map(|&weight| weight as u8).collect();
            let biases = parameters.biases.iter().flat_map(|bias| bias.to_le_bytes()).collect();
            tensors.push((weight, Dtype::I8, weight_shape(stage, &stored), weights));
            tensors.push((bias, Dtype::I32, outputs.clone(), biases));
            if stored.multiplier_bits > 0 {
                let multipliers = parameters.multipliers.iter().flat_map(|m| m.to_le_bytes());
                tensors.push((multiplier, Dtype::U16, outputs, multipliers.collect()));
            }
        }
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| {
                TensorView::new(*dtype, shape.clone(), bytes).map(|view| (name, view))
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(safetensors::serialize(views, Some(metadata))?)
    }
}

impl From<Layer> for LayerRecord {
    fn from(layer: Layer) -> Self {
        let bias_bits = |bias: Bias| bias.bits() as u8;
        match layer {
            Layer::Dense(dense) => Self::Dense {
                outputs: dense.outputs,
                weights: dense.weights.into(),
                bias_bits: bias_bits(dense.bias),
                bias_shift: dense.bias.shift,
                requantize: dense.requantize.into(),
            },
            Layer::Conv(conv) => Self::Conv {
                outputs: conv.outputs,
                kernel: conv.kernel,
                stride: conv.stride,
                padding: conv.padding,
                groups: match conv.groups {
                    Groups::Count(count) => count,
                    Groups::Depthwise => 0,
                },
                weights: conv.weights.into(),
                bias_bits: bias_bits(conv.bias),
                bias_shift: conv.bias.shift,
                requantize: conv.requantize.into(),
            },
            Layer::MaxPool { size } => Self::MaxPool { size },
            Layer::SumPool { size, shift } => Self::SumPool { size, shift },
            Layer::Again { layer } => Self::Again { layer },
            Layer::Logits(logits) => Self::Logits {
                classes: logits.classes,
                weights: logits.weights.into(),
                bias_bits: bias_bits(logits.bias),
                bias_shift: logits.bias.shift,
            },
        }
    }
}

impl LayerRecord {
    /// The layer of record `k`.
    fn layer(self, k: usize) -> Result<Layer, Error> {
        let unsupported = |field, got| Error::Unsupported { layer: k, field, got };
        let bias = |bits, shift| {
            let width = match bits {
                4 => BiasWidth::Bits4,
                8 => BiasWidth::Bits8,
                16 => BiasWidth::Bits16,
                got => return Err(unsupported("bias_bits", got)),
            };
            Ok(Bias { width, shift })
        };
        let requantize = |record: RequantizeRecord| {
            let multipliers = match record.multipliers {
                MultipliersRecord::Layer { layer } => Multipliers::Layer(layer),
                MultipliersRecord::Bits(4) => Multipliers::Each4,
                MultipliersRecord::Bits(8) => Multipliers::Each8,
                MultipliersRecord::Bits(got) => return Err(unsupported("multipliers", got)),
            };
            let RequantizeRecord { shift, activation_bits: bits, residual, .. } = record;
            Ok(Requantize { multipliers, shift, bits, residual })
        };
        Ok(match self {
            Self::Dense { outputs, weights, bias_bits, bias_shift, requantize: record } => Dense {
                outputs,
                weights: weights.into(),
                bias: bias(bias_bits, bias_shift)?,
                requantize: requantize(record)?,
            }
            .into(),
            Self::Conv {
                outputs,
                kernel,
                stride,
                padding,
                groups,
                weights,
                bias_bits,
                bias_shift,
                requantize: record,
            } => Conv {
                outputs,
                kernel,
                stride,
                padding,
                groups: match groups {
                    0 => Groups::Depthwise,
                    1..=15 => Groups::Count(groups),
                    got => return Err(unsupported("groups", got)),
                },
                weights: weights.into(),
                bias: bias(bias_bits, bias_shift)?,
                requantize: requantize(record)?,
            }
            .into(),
            Self::MaxPool { size } => Layer::MaxPool { size },
            Self::SumPool { size, shift } => Layer::SumPool { size, shift },
            Self::Again { layer } => Layer::Again { layer },
            Self::Logits { classes, weights, bias_bits, bias_shift } => {
                let bias = bias(bias_bits, bias_shift)?;
                Logits { classes, weights: weights.into(), bias }.into()
            }
        })
    }
}

impl From<Requantize> for RequantizeRecord {
    fn from(requantize: Requantize) -> Self {
        Self {
            multipliers: match requantize.multipliers {
                Multipliers::Layer(layer) => MultipliersRecord::Layer { layer },
                Multipliers::Each4 => MultipliersRecord::Bits(4),
                Multipliers::Each8 => MultipliersRecord::Bits(8),
            },
            shift: requantize.shift,
            activation_bits: requantize.bits,
            residual: requantize.residual,
        }
    }
}

impl From<Weights> for WeightsRecord {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::Binary => Self::Binary,
            Weights::Int2 => Self::Int2,
            Weights::Int3 => Self::Int3,
            Weights::Int4 => Self::Int4,
            Weights::Ternary => Self::Ternary,
            Weights::Int8 => Self::Int8,
        }
    }
}

impl From<WeightsRecord> for Weights {
    fn from(record: WeightsRecord) -> Self {
        match record {
            WeightsRecord::Binary => Self::Binary,
            WeightsRecord::Int2 => Self::Int2,
            WeightsRecord::Int3 => Self::Int3,
            WeightsRecord::Int4 => Self::Int4,
            WeightsRecord::Ternary => Self::Ternary,
            WeightsRecord::Int8 => Self::Int8,
        }
    }
}

/// The layers that have parameters of their own: index, place and parameters.
fn owners(header: &Header) -> impl Iterator<Item = (usize, &Stage, Stored)> {
    let stages = header.stages().iter().enumerate();
    stages.filter_map(|(k, stage)| Some((k, stage, stage.own()?)))
}

/// `[inputs, outputs]`, of a convolution `[outputs, channels, kernel, kernel]`.
fn weight_shape(stage: &Stage, stored: &Stored) -> Vec<usize> {
    match stage.layer() {
        Layer::Conv(conv) => {
            let kernel = conv.kernel as usize;
            vec![stored.outputs, stored.fan_in / (kernel * kernel), kernel, kernel]
        }
        _ => vec![stored.fan_in, stored.outputs],
    }
}

/// The names of a layer's weight, bias and multiplier tensor.
fn names_of(layer: usize) -> [String; 3] {
    ["weight", "bias", "multiplier"].map(|tensor| format!("layer{layer}.{tensor}"))
}

/// The bytes of a tensor that must have this type and shape.
fn tensor<'a>(
    tensors: &SafeTensors<'a>,
    name: &str,
    dtype: Dtype,
    shape: &[usize],
) -> Result<&'a [u8], Error> {
    let view = tensors.tensor(name).map_err(|_| Error::MissingTensor { name: name.into() })?;
    if view.dtype() != dtype || view.shape() != shape {
        return Err(Error::WrongTensor {
            name: name.into(),
            got_type: view.dtype(),
            got_shape: view.shape().into(),
            expected_type: dtype,
            expected_shape: shape.into(),
        });
    }
    Ok(view.data())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model() -> TrainedModel {
        let bias = |width, shift| Bias { width, shift };
        let requantize =
            |multipliers, residual| Requantize { multipliers, shift: 20, bits: 8, residual };
        let layers = [
            Conv {
                outputs: 2,
                kernel: 2,
                stride: 1,
                padding: 0,
                groups: Groups::Depthwise,
                weights: Weights::Ternary,
                bias: bias(BiasWidth::Bits4, 0),
                requantize: requantize(Multipliers::Each8, false),
            }
            .into(),
            Layer::MaxPool { size: 3 },
            Dense {
                outputs: 3,
                weights: Weights::Int4,
                bias: bias(BiasWidth::Bits16, 1),
                requantize: requantize(Multipliers::Layer(40_000), false),
            }
            .into(),
            Logits { classes: 2, weights: Weights::Int8, bias: bias(BiasWidth::Bits8, 0) }.into(),
        ];
        let shape = Shape { channels: 1, height: 4, width: 4 };
        let header = Header::new(Input { shape, crop: 0, bits: 6 }, &layers).unwrap();
        let parameters = vec![
            Parameters {
                weights: vec![-1, 0, 1, 1, 0, 0, 1, -1],
                biases: vec![7, -8],
                multipliers: vec![1, 256],
            },
            Parameters {
                weights: (-3..3).collect(),
                biases: vec![-32_768, 0, 32_767],
                multipliers: vec![],
            },
            Parameters {
                weights: vec![127, -128, 1, 2, 3, 4],
                biases: vec![-1, 1],
                multipliers: vec![],
            },
        ];
        let card = Card {
            name: "tiny".into(),
            command: "inkling-train tiny.toml".into(),
            trainer_version: "0.1.0".into(),
            seed: 7,
            data: "mnist".into(),
            data_sha256: "00".repeat(32),
            training_samples: 100,
            validation_samples: 10,
            test_samples: 20,
            epochs: 3,
            best_epoch: 2,
            validation_accuracy: 0.9,
            test_accuracy: 0.1 + 0.2,
            runs: vec![Run { seed: 7, validation_accuracy: 0.9, test_accuracy: 0.1 + 0.2 }],
        };
        TrainedModel { network: Network::new(header, parameters).unwrap(), card }
    }

    /// The file with a piece of its JSON replaced by one of the same length.
    fn replaced(from: &str, to: &str) -> Vec<u8> {
        assert_eq!(from.len(), to.len());
        let mut bytes = model().to_bytes().unwrap();
        let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    }

    fn error(bytes: &[u8]) -> Error {
        TrainedModel::from_bytes(bytes).unwrap_err()
    }

    #[test]
    fn reads_back_what_was_written() {
        let bytes = model().to_bytes().unwrap();
        assert_eq!(TrainedModel::from_bytes(&bytes).unwrap(), model());
        assert_eq!(model().to_bytes().unwrap(), bytes);

        let path = std::env::temp_dir().join(format!("inkling-{}.safetensors", std::process::id()));
        model().save(&path).unwrap();
        assert_eq!(TrainedModel::load(&path).unwrap(), model());
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(TrainedModel::load(&path), Err(Error::Io { .. })));
    }

    #[test]
    fn refuses_every_truncation() {
        let bytes = model().to_bytes().unwrap();
        for end in 0..bytes.len() {
            let error = error(&bytes[..end]);
            assert!(matches!(error, Error::Safetensors(_)), "{end}: {error}");
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(matches!(error(&longer), Error::Safetensors(_)));
    }

    #[test]
    fn survives_every_flipped_byte() {
        let bytes = model().to_bytes().unwrap();
        for at in 0..bytes.len() {
            for flip in [0x01, 0x10, 0x80, 0xff] {
                let mut corrupt = bytes.clone();
                corrupt[at] ^= flip;
                // Some flips make another valid model; the others must be errors, not panics.
                if let Ok(other) = TrainedModel::from_bytes(&corrupt) {
                    assert!(other.network.header().stages().len() <= 4);
                }
            }
        }
    }

    #[test]
    fn names_the_wrong_tensor() {
        let wrong = error(&replaced("\"I8\",\"shape\":[2,3]", "\"I8\",\"shape\":[3,2]"));
        let expected = "tensor layer2.weight is I8 [3, 2], expected I8 [2, 3]";
        assert_eq!(wrong.to_string(), expected);
        let wrong = error(&replaced("\"I8\",\"shape\":[2,1,2,2]", "\"I8\",\"shape\":[2,2,1,2]"));
        assert!(matches!(wrong, Error::WrongTensor { got_type: Dtype::I8, .. }), "{wrong}");
        let wrong = error(&replaced("\"dtype\":\"I8\"", "\"dtype\":\"U8\""));
        assert!(matches!(wrong, Error::WrongTensor { got_type: Dtype::U8, .. }), "{wrong}");
        let missing = error(&replaced("layer0.multiplier", "layer0.multiplies"));
        assert!(
            matches!(&missing, Error::MissingTensor { name } if name == "layer0.multiplier"),
            "{missing}"
        );
        let missing = error(&replaced("layer2.bias", "layer9.bias"));
        assert!(matches!(&missing, Error::MissingTensor { name } if name == "layer2.bias"));

        let bytes = model().to_bytes().unwrap();
        let metadata = SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone();
        let mut tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
        tensors.push(("layer7.bias".into(), tensors[0].1.clone()));
        let unexpected = error(&safetensors::serialize(tensors, metadata).unwrap());
        assert!(matches!(&unexpected, Error::UnexpectedTensor { name } if name == "layer7.bias"));
    }

    #[test]
    fn refuses_bad_metadata() {
        assert!(matches!(error(&replaced("inkling\":", "inkljng\":")), Error::NoMetadata));
        assert!(matches!(
            error(&replaced("\"format\\\":2", "\"format\\\":1")),
            Error::Format { got: 1 }
        ));
        assert!(matches!(error(&replaced("best_epoch", "last_epoch")), Error::Metadata(_)));
        let bits = error(&replaced("multipliers\\\":8", "multipliers\\\":7"));
        assert!(matches!(bits, Error::Unsupported { field: "multipliers", got: 7, .. }), "{bits}");
        let weights = error(&replaced("\"int4\\\"", "\"int5\\\""));
        assert!(matches!(weights, Error::Metadata(_)), "{weights}");
        let multiplier = error(&replaced(":40000", ":00000"));
        assert!(matches!(multiplier, Error::Metadata(_)), "{multiplier}");
        let shift = error(&replaced("\"shift\\\":20", "\"shift\\\":99"));
        assert!(matches!(shift, Error::Header(_)), "{shift}");
    }

    #[test]
    fn refuses_names_that_are_no_file_names() {
        for name in ["mlp-64", "a", "A.b_C-9", "-x", &"n".repeat(64)] {
            assert!(is_name(name), "{name}");
        }
        for name in
            ["", ".", "..", ".hidden", "a/b", "a\\b", "a b", "é", "a\0", "a\n", &"n".repeat(65)]
        {
            assert!(!is_name(name), "{name:?}");
            let mut model = model();
            model.card.name = name.into();
            assert!(matches!(model.to_bytes(), Err(Error::Name { got }) if got == name));
        }

        let outside = error(&replaced("\"tiny\\\"", "\"../a\\\""));
        assert!(matches!(&outside, Error::Name { got } if got == "../a"));
        assert_eq!(
            outside.to_string(),
            "model name \"../a\", expected 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', not beginning with '.'"
        );
    }

    #[test]
    fn refuses_a_bias_out_of_range() {
        let mut bytes = model().to_bytes().unwrap();
        let biases = i32::to_le_bytes(32_767);
        let at = bytes.windows(4).rposition(|window| window == biases).unwrap();
        bytes[at..at + 4].copy_from_slice(&32_768i32.to_le_bytes());
        let error = error(&bytes);
        let expected =
            NetworkError::BiasRange { layer: 1, index: 2, got: 32_768, min: -32_768, max: 32_767 };
        assert!(matches!(error, Error::Network(got) if got == expected), "{error}");
    }
}
