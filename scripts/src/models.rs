//! Trained models as they are deployed: a network's header, words and hash.

use alloy::primitives::{B256, keccak256};
use inkling_data::{TrainedModel, model};
use inkling_network::{ImageLengthError, Network, argmax, kernel, pack, reference};
use std::path::{Path, PathBuf};

/// The models of this repository, in `models/`.
pub const SHIPPED: [&str; 2] = ["mlp-64", "mlp-32-16"];

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
    /// Its integers.
    pub network: Network,
    /// Its header as in `docs/format.md`.
    pub header: Vec<u8>,
    /// Its packed words.
    pub words: Vec<pack::Word>,
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
            true => Path::new(MODELS_DIR).join(model).with_extension("safetensors"),
            false if Path::new(model).exists() => PathBuf::from(model),
            false => return Err(Error::Unknown(model.into())),
        };
        match TrainedModel::load(&path) {
            Ok(trained) => Self::new(trained.card.name, trained.network),
            Err(source) => Err(Error::File { path, source }),
        }
    }

    /// Packs a network. Reports are named after it, and the name may be a stranger's.
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
        Ok(Self { name, network, header, words, hash })
    }

    /// Widths of input and layers, as in `400→64→10`.
    pub fn shape(&self) -> String {
        let header = self.network.header();
        let layers = header.layers().iter().map(|layer| layer.outputs());
        let widths: Vec<String> =
            std::iter::once(header.input().len()).chain(layers).map(|n| n.to_string()).collect();
        widths.join("→")
    }

    /// The logits that every contract must give: the reference's.
    ///
    /// # Errors
    /// [`ImageLengthError`] where the network's input is not as long as the image.
    pub fn logits(&self, image: &[u8]) -> Result<Vec<i32>, ImageLengthError> {
        reference::forward(&self.network, image)
    }

    /// The digit, by the fast kernel.
    ///
    /// # Errors
    /// As [`Model::logits`].
    pub fn digit(&self, image: &[u8]) -> Result<u8, ImageLengthError> {
        let logits = kernel::forward(self.network.header(), &mut &self.words[..], image)?;
        Ok(argmax(&logits) as u8)
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
        assert_eq!((model.shape().as_str(), model.words.len()), ("400→2→2", 27));
        let parts = [keccak256(&model.header), keccak256(model.words.as_flattened())].concat();
        assert_eq!(model.hash, keccak256(parts));
        assert_ne!(model.hash, b256!());
    }

    #[test]
    fn digit_and_logits_agree() {
        let model = tiny_model(2, &[8, 10]);
        let image = [9; 400];
        let logits = model.logits(&image).unwrap();
        assert_eq!(usize::from(model.digit(&image).unwrap()), argmax(&logits));
        assert!(model.logits(&image[1..]).is_err());
    }
}
