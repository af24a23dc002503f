//! The test images that a model is asked about, and what is expected of the answers and of their price.

use crate::{
    Error,
    artifacts::{Contract, Home},
    classifier,
    models::Model,
};
use inkling_data::DataSet;
use inkling_devnode::stylus::pricing::gas::{COLD_ACCOUNT, COLD_SLOAD};
use std::path::Path;

/// An image as a network reads it.
pub type Image = [u8; 400];

/// Test images, and what they show.
#[derive(Clone, Debug)]
pub struct Samples {
    /// The images.
    pub images: Vec<Image>,
    /// What each shows.
    pub labels: Vec<u8>,
}

impl Samples {
    /// The test set of the data that the model was trained on, from `dir` or from this repository.
    ///
    /// # Errors
    /// [`Error::DataSet`], [`Error::Image`].
    pub fn of(model: &Model, dir: Option<&Path>) -> Result<Self, Error> {
        let dir = dir.unwrap_or(Path::new(model.data.test_dir()));
        let set: DataSet = model.data.test_in(dir)?;
        Ok(Self { images: set.inputs()?, labels: set.labels })
    }

    /// The first `count` of them.
    pub fn truncate(&mut self, count: usize) {
        self.images.truncate(count);
        self.labels.truncate(count);
    }

    /// The reference's logits of the first `count` images.
    ///
    /// # Errors
    /// [`Error::Classifier`] where the model takes images of another size.
    pub fn logits(&self, model: &Model, count: usize) -> Result<Vec<Vec<i32>>, Error> {
        let logits = |image: &Image| model.logits(image).map_err(classifier::Error::from);
        Ok(self.images.iter().take(count).map(logits).collect::<Result<_, _>>()?)
    }
}

/// What a model is asked, and what is known of the answers without any contract.
#[derive(Clone, Debug)]
pub struct Task {
    /// The model.
    pub model: Model,
    /// The images.
    pub samples: Samples,
    /// The reference's logits of each.
    pub logits: Vec<Vec<i32>>,
    /// Words that each image reads.
    pub words: Vec<usize>,
    /// Gas of all transactions after which no more are sent, but one: what the EVM takes long for is dear, too.
    pub gas_budget: u64,
}

impl Task {
    /// About the first `count` images of the model's test set, and how many of all its images the native kernel gets
    /// right.
    ///
    /// # Errors
    /// [`Error::Classifier`] where the model takes images of another size.
    pub fn new(
        model: Model,
        mut samples: Samples,
        count: usize,
        gas_budget: u64,
    ) -> Result<(Self, usize), Error> {
        let (mut correct, mut words) = (0, Vec::new());
        let mut kernel = model.kernel();
        for (image, &label) in samples.images.iter().zip(&samples.labels) {
            let (digit, read) = kernel.classify(image).map_err(classifier::Error::from)?;
            correct += usize::from(digit == label);
            words.push(read);
        }
        drop(kernel);
        samples.truncate(count);
        words.truncate(count);
        let logits = samples.logits(&model, count)?;
        Ok((Self { model, samples, logits, words, gas_budget }, correct))
    }

    /// Slots that a contract reads for an image, and gas for reading them; `None` of `Naive`, whose slots are its own.
    pub fn reads(&self, contract: Contract, index: usize) -> Option<(usize, u64)> {
        let (slots, other) = match contract.home() {
            _ if contract == Contract::Naive => return None,
            Home::Storage => (self.model.header_slots() + self.words[index], 0),
            Home::Code => (1, COLD_ACCOUNT),
            Home::Baked => (0, 0),
        };
        Some((slots, slots as u64 * COLD_SLOAD + other))
    }
}
