//! Trained models as they are deployed: a network's header, words and hash.

use crate::shape;
use alloy::primitives::{B256, keccak256};
use inkling_data::{Set, TrainedModel, model};
use inkling_network::{
    ImageLengthError, Network, argmax,
    kernel::{self, WordSource},
    pack::{self, Word},
    reference,
};
use std::path::{Path, PathBuf};

/// The models of this repository, in `models/`.
pub const SHIPPED: [&str; 7] =
    ["nano", "small", "large", "fashion", "mlp-64-q4", "mlp-64", "mlp-32-16"];

/// Those of which `contract/artifacts/baked` has programs: beside the weights of the others there is no room for the code.
pub const BAKED: [&str; 4] = ["nano", "small", "large", "fashion"];

/// The model that a command takes where none is named.
pub const DEFAULT: &str = "small";

/// Where they lie.
const MODELS_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models");

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Neither a shipped model nor a file.
    #[error(
        "{0} is neither a trained file (*.safetensors) nor one of the shipped models {SHIPPED:?}"
    )]
    Unknown(String),
    /// The trained file cannot be read.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: model::Error,
    },
    /// The name cannot be part of a file's name.
    #[error("{0:?} is no name for a model: letters, digits, '.', '_' and '-', and no '.' in front")]
    Name(String),
    /// There is no such data set.
    #[error("the model was trained on {0:?}, for which there are no test images")]
    Data(String),
    /// More words than a contract holds.
    #[error("the model has {got} words, a contract holds at most {limit}", limit = pack::MAX_WORDS)]
    TooLarge {
        /// Words.
        got: usize,
    },
}

/// A model that can be deployed.
#[derive(Clone, Debug)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// What it was trained on.
    pub data: Set,
    /// Its integers.
    pub network: Network,
    /// Its header as in `docs/format.md`.
    pub header: Vec<u8>,
    /// Its packed words.
    pub words: Vec<Word>,
    /// The commitment to header and words.
    pub hash: B256,
}

impl Model {
    /// Reads a shipped model, or a trained file where `model` is a path.
    ///
    /// # Errors
    /// [`Error`].
    pub fn open(model: &str) -> Result<Self, Error> {
        let path = match SHIPPED.contains(&model) {
            true => Path::new(MODELS_DIR).join(format!("{model}.safetensors")),
            false if Path::new(model).exists() => PathBuf::from(model),
            false => return Err(Error::Unknown(model.into())),
        };
        match TrainedModel::load(&path) {
            Ok(TrainedModel { network, card }) => {
                let data = Set::from_name(&card.data).ok_or(Error::Data(card.data))?;
                Ok(Self { data, ..Self::new(card.name, network)? })
            }
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Packs a network for MNIST. Reports are named after it, and the name may be a stranger's.
    ///
    /// # Errors
    /// [`Error::Name`], [`Error::TooLarge`].
    pub fn new(name: String, network: Network) -> Result<Self, Error> {
        if !model::is_name(&name) {
            return Err(Error::Name(name));
        }
        let words = pack::words(&network);
        if words.len() > pack::MAX_WORDS as usize {
            return Err(Error::TooLarge { got: words.len() });
        }
        let header = network.header().to_bytes();
        let hash = pack::model_hash(&header, &words, |bytes| keccak256(bytes).0).into();
        Ok(Self { name, data: Set::Mnist, network, header, words, hash })
    }

    /// Input and layers, as in `400→64→10`; see [`shape`].
    pub fn shape(&self) -> String {
        shape::network(self.network.header())
    }

    /// The logits that every contract must give: the reference's.
    ///
    /// # Errors
    /// [`ImageLengthError`] where the network's input is not as long as the image.
    pub fn logits(&self, image: &[u8]) -> Result<Vec<i32>, ImageLengthError> {
        reference::forward(&self.network, image)
    }

    /// The fast kernel with this model in it.
    pub fn kernel(&self) -> Kernel<'_> {
        let mut words = Counted { words: &self.words, read: vec![false; self.words.len()] };
        let model = kernel::Model::load(self.network.header().clone(), &mut words);
        Kernel { head: words.read.clone(), words, model }
    }

    /// Storage slots of the header that inference reads: slot 0 and those after it.
    pub const fn header_slots(&self) -> usize {
        1 + self.header.len().saturating_sub(HEADER_BYTES_IN_STATE).div_ceil(32)
    }
}

/// Bytes of a header that share slot 0 with the state: see `docs/format.md`.
const HEADER_BYTES_IN_STATE: usize = 31;

/// The native kernel, which counts the words that it asks for.
pub struct Kernel<'a> {
    model: kernel::Model,
    words: Counted<'a>,
    /// Words that were read for all images.
    head: Vec<bool>,
}

impl Kernel<'_> {
    /// The digit of an image, and the number of different words that a contract reads for it.
    ///
    /// # Errors
    /// As [`Model::logits`].
    pub fn classify(&mut self, image: &[u8]) -> Result<(u8, usize), ImageLengthError> {
        self.words.read.clone_from(&self.head);
        let digit = argmax(self.model.forward(&mut self.words, image)?) as u8;
        Ok((digit, self.words.read.iter().filter(|read| **read).count()))
    }
}

/// Words, and which of them were asked for.
struct Counted<'a> {
    words: &'a [Word],
    read: Vec<bool>,
}

impl WordSource for Counted<'_> {
    fn read(&mut self, index: u32, to: &mut Word) {
        self.read[index as usize] = true;
        *to = self.words[index as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::tiny_model;
    use alloy::primitives::b256;

    #[test]
    fn unknown_models_are_named() {
        let error = Model::open("mlp-65").unwrap_err();
        assert!(error.to_string().starts_with("mlp-65 is neither"));
    }

    #[test]
    fn a_name_is_no_path() {
        let network = tiny_model(1, &[2]).network;
        let named = |name: &str| Model::new(name.into(), network.clone());
        assert_eq!(named("mlp-64_v1.0").unwrap().name, "mlp-64_v1.0");
        for name in ["", "..", ".hidden", "a/b", "/etc/passwd", "a\\b", "a b", "a\n", "größe"] {
            assert!(matches!(named(name), Err(Error::Name(said)) if said == name), "{name:?}");
        }
    }

    #[test]
    fn the_hash_is_that_of_the_format() {
        // One chunk: keccak(keccak(header) ‖ keccak(chunk)).
        let model = tiny_model(1, &[2, 2]);
        // 2 biases each and the 4 weights of the second layer in one word, 800 weights in 25.
        assert_eq!((model.shape().as_str(), model.words.len()), ("400→2→2", 26));
        let parts = [keccak256(&model.header), keccak256(model.words.as_flattened())].concat();
        assert_eq!(model.hash, keccak256(parts));
        assert_ne!(model.hash, b256!());
    }

    #[test]
    fn digit_and_logits_agree() {
        let model = tiny_model(2, &[8, 10]);
        let image = [9; 400];
        let logits = model.logits(&image).unwrap();
        let (digit, words) = model.kernel().classify(&image).unwrap();
        assert_eq!((usize::from(digit), words), (argmax(&logits), model.words.len()));
        assert!(model.logits(&image[1..]).is_err());
    }

    #[test]
    fn words_that_no_pixel_needs_are_not_read() {
        // 8 biases and 8 outputs: four rows of weights a word, 100 words, after one of biases.
        let model = tiny_model(2, &[8]);
        let (mut kernel, mut image) = (model.kernel(), [0; 400]);
        assert_eq!(kernel.classify(&image).unwrap().1, 1);
        (image[3], image[399]) = (1, 1);
        assert_eq!(kernel.classify(&image).unwrap().1, 3);
        assert_eq!(kernel.classify(&[1; 400]).unwrap().1, 101);
        assert_eq!(model.header_slots(), 1);
    }
}
