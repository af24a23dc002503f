//! The trained file: an integer network and its card, in safetensors.
//!
//! Layer `k` has two tensors: `layer{k}.weight`, `I8` of shape `[inputs, outputs]`, and `layer{k}.bias`, `I32` of
//! shape `[outputs]`, the biases as stored, before the layer's shift. Everything else is one JSON document, the
//! string under the metadata key `inkling` (one key, so that the same model always makes the same bytes):
//!
//! ```json
//! {"format": 1, "input": [20, 20, 1],
//!  "layers": [{"kind": "dense", "outputs": 64, "weight_bits": 8, "bias_bits": 16, "bias_shift": 0,
//!              "requantize": {"multiplier": 40000, "shift": 27, "activation_bits": 8}}, …],
//!  "card": {"name": "mlp-64", …}}
//! ```
//!
//! A file is read as if it came from an enemy: sizes are bounded, every tensor's type and shape is checked, names that
//! no layer has are refused, and the network must pass `inkling-network`'s own checks. The model's name is checked
//! too, by [`is_name`], because names become file names.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use inkling_network::{
    Bias, Dense, Header, HeaderError, Layer, Network, NetworkError, Parameters, Requantize, Shape,
    Weights,
};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError, SafeTensors};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of this format.
const FORMAT: u32 = 1;

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
    /// A kind of layer that this format has no record for.
    #[error("layer {0} is of a kind that trained files cannot hold yet")]
    UnsupportedLayer(usize),
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
    /// The real value of one unit of the input.
    pub input_scale: f64,
    /// The scales of each layer.
    pub scales: Vec<LayerScales>,
}

/// The real values of a layer's integers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerScales {
    /// The real value of one unit of a weight.
    pub weight: f64,
    /// The real value of one unit of an activation; `None` in the last layer.
    pub activation: Option<f64>,
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
    input: [u8; 3],
    layers: Vec<LayerRecord>,
    card: Card,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum LayerRecord {
    Dense {
        outputs: u16,
        weight_bits: u8,
        bias_bits: u8,
        bias_shift: u8,
        requantize: Option<RequantizeRecord>,
    },
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequantizeRecord {
    multiplier: u16,
    shift: u8,
    activation_bits: u8,
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
        let layers = layers.map(|(k, record)| record.layer(k)).collect::<Result<_, _>>()?;
        let [height, width, channels] = document.input;
        let header = Header::new(Shape { height, width, channels }, layers)?;

        let mut parameters = Vec::new();
        let mut names = Vec::new();
        for (k, (inputs, layer)) in header.layers_with_inputs().enumerate() {
            let [weight, bias] = names_of(k);
            let shape = [inputs, layer.outputs()];
            let weights = tensor(&tensors, &weight, Dtype::I8, &shape)?;
            let biases = tensor(&tensors, &bias, Dtype::I32, &shape[1..])?;
            parameters.push(Parameters {
                weights: weights.iter().map(|&byte| byte as i8).collect(),
                biases: biases
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&chunk| i32::from_le_bytes(chunk))
                    .collect(),
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
    /// [`Error::UnsupportedLayer`]; [`Error::Name`]; [`Error::Metadata`] where the card has a number that JSON has not.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.card.check_name()?;
        let header = self.network.header();
        let Shape { height, width, channels } = header.input();
        let layers = header.layers().iter().enumerate();
        let document = Document {
            format: FORMAT,
            input: [height, width, channels],
            layers: layers.map(|(k, layer)| LayerRecord::of(k, layer)).collect::<Result<_, _>>()?,
            card: self.card.clone(),
        };
        let metadata = HashMap::from([(KEY.into(), serde_json::to_string(&document)?)]);

        let mut tensors: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::new();
        let layers = header.layers_with_inputs().zip(self.network.parameters());
        for (k, ((inputs, layer), parameters)) in layers.enumerate() {
            let [weight, bias] = names_of(k);
            let outputs = layer.outputs();
            let weights = parameters.weights.iter().map(|&weight| weight as u8).collect();
            let biases = parameters.biases.iter().flat_map(|bias| bias.to_le_bytes()).collect();
            tensors.push((weight, Dtype::I8, vec![inputs, outputs], weights));
            tensors.push((bias, Dtype::I32, vec![outputs], biases));
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

impl LayerRecord {
    fn of(k: usize, layer: &Layer) -> Result<Self, Error> {
        let Layer::Dense(dense) = layer else {
            return Err(Error::UnsupportedLayer(k));
        };
        Ok(Self::Dense {
            outputs: dense.outputs,
            weight_bits: dense.weights.bits() as u8,
            bias_bits: 8 * dense.bias.bytes() as u8,
            bias_shift: dense.bias.shift(),
            requantize: dense.requantize.map(|requantize| RequantizeRecord {
                multiplier: requantize.multiplier,
                shift: requantize.shift,
                activation_bits: requantize.bits,
            }),
        })
    }

    fn layer(&self, k: usize) -> Result<Layer, Error> {
        let Self::Dense { outputs, weight_bits, bias_bits, bias_shift: shift, ref requantize } =
            *self;
        let unsupported = |field, got| Error::Unsupported { layer: k, field, got };
        Ok(Layer::Dense(Dense {
            outputs,
            weights: match weight_bits {
                8 => Weights::Int8,
                got => return Err(unsupported("weight_bits", got)),
            },
            bias: match bias_bits {
                8 => Bias::Int8 { shift },
                16 => Bias::Int16 { shift },
                got => return Err(unsupported("bias_bits", got)),
            },
            requantize: requantize.as_ref().map(|record| Requantize {
                multiplier: record.multiplier,
                shift: record.shift,
                bits: record.activation_bits,
            }),
        }))
    }
}

/// The names of a layer's weight and bias tensor.
fn names_of(layer: usize) -> [String; 2] {
    [format!("layer{layer}.weight"), format!("layer{layer}.bias")]
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
        let requantize = Requantize { multiplier: 40_000, shift: 20, bits: 8 };
        let dense = |outputs, bias, requantize| {
            Layer::Dense(Dense { outputs, weights: Weights::Int8, bias, requantize })
        };
        let layers = vec![
            dense(3, Bias::Int16 { shift: 1 }, Some(requantize)),
            dense(2, Bias::Int8 { shift: 0 }, None),
        ];
        let header = Header::new(Shape { height: 2, width: 2, channels: 1 }, layers).unwrap();
        let parameters = vec![
            Parameters { weights: (-6..6).collect(), biases: vec![-32_768, 0, 32_767] },
            Parameters { weights: vec![127, -128, 1, 2, 3, 4], biases: vec![-1, 1] },
        ];
        let card = Card {
            name: "tiny".into(),
            command: "inkling-train tiny.toml".into(),
            trainer_version: "0.1.0".into(),
            seed: 7,
            data_sha256: "00".repeat(32),
            training_samples: 100,
            validation_samples: 10,
            test_samples: 20,
            epochs: 3,
            best_epoch: 2,
            validation_accuracy: 0.9,
            test_accuracy: 0.1 + 0.2,
            input_scale: 1.0 / 255.0,
            scales: vec![
                LayerScales { weight: 0.003, activation: Some(1.0 / 3.0) },
                LayerScales { weight: 0.007, activation: None },
            ],
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
                    assert_eq!(other.network.header().layers().len(), 2);
                }
            }
        }
    }

    #[test]
    fn names_the_wrong_tensor() {
        let wrong = error(&replaced("\"I8\",\"shape\":[4,3]", "\"I8\",\"shape\":[3,4]"));
        let expected = "tensor layer0.weight is I8 [3, 4], expected I8 [4, 3]";
        assert_eq!(wrong.to_string(), expected);
        let wrong = error(&replaced("\"dtype\":\"I8\"", "\"dtype\":\"U8\""));
        assert!(matches!(wrong, Error::WrongTensor { got_type: Dtype::U8, .. }), "{wrong}");
        let missing = error(&replaced("layer1.bias", "layer9.bias"));
        assert!(matches!(&missing, Error::MissingTensor { name } if name == "layer1.bias"));

        let bytes = model().to_bytes().unwrap();
        let metadata = SafeTensors::read_metadata(&bytes).unwrap().1.metadata().clone();
        let mut tensors = SafeTensors::deserialize(&bytes).unwrap().tensors();
        tensors.push(("layer2.bias".into(), tensors[0].1.clone()));
        let unexpected = error(&safetensors::serialize(tensors, metadata).unwrap());
        assert!(matches!(&unexpected, Error::UnexpectedTensor { name } if name == "layer2.bias"));
    }

    #[test]
    fn refuses_bad_metadata() {
        assert!(matches!(error(&replaced("inkling\":", "inkljng\":")), Error::NoMetadata));
        assert!(matches!(
            error(&replaced("\"format\\\":1", "\"format\\\":2")),
            Error::Format { got: 2 }
        ));
        assert!(matches!(error(&replaced("best_epoch", "last_epoch")), Error::Metadata(_)));
        let bits = error(&replaced("weight_bits\\\":8", "weight_bits\\\":7"));
        assert!(matches!(bits, Error::Unsupported { field: "weight_bits", got: 7, .. }), "{bits}");
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
            NetworkError::BiasRange { layer: 0, index: 2, got: 32_768, min: -32_768, max: 32_767 };
        assert!(matches!(error, Error::Network(got) if got == expected), "{error}");
    }
}
