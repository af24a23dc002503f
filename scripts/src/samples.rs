//! The test images that a model is asked about, and what is expected of them.

use crate::{Error, classifier, models::Model};
use inkling_data::DataSet;
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
