//! Training and validation images as tensors, and the batches made of them.

use inkling_data::DataSet;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::{Kind, Tensor};

use crate::augment::Augment;
use crate::config::Config;
use crate::resize::Resize;

/// Images as a data set has them, and their classes.
#[derive(Debug)]
pub struct Samples {
    /// `[len, height, width]`, u8.
    pub images: Tensor,
    /// `[len]`, i64.
    pub labels: Tensor,
}

impl Samples {
    /// The images of a set with these indices.
    ///
    /// # Panics
    /// Where an index is beyond the set.
    pub fn new(set: &DataSet, indices: &[usize]) -> Self {
        let (width, height) = (set.images.width, set.images.height);
        let size = width * height;
        let pixels: Vec<u8> = indices
            .iter()
            .flat_map(|&index| &set.images.pixels[index * size..][..size])
            .copied()
            .collect();
        let labels: Vec<i64> = indices.iter().map(|&index| set.labels[index].into()).collect();
        Self {
            images: Tensor::from_slice(&pixels).view([-1, height as i64, width as i64]),
            labels: Tensor::from_slice(&labels),
        }
    }

    /// Images.
    pub fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The images resized, as a network reads them: `[len, 20, 20]`, u8.
    pub fn inputs(&self) -> Tensor {
        let [height, width] = [1, 2].map(|axis| self.images.size()[axis] as usize);
        let resize = Resize::new(height, width);
        let inputs: Vec<Tensor> = self
            .images
            .split(1_000, 0)
            .iter()
            .map(|images| resize.apply(&images.to_kind(Kind::Float)).to_kind(Kind::Uint8))
            .collect();
        Tensor::cat(&inputs, 0)
    }
}

/// Makes batches of inputs from images.
#[derive(Debug)]
pub struct Batches {
    augment: Augment,
    resize: Resize,
}

impl Batches {
    /// Varies as the configuration says.
    pub fn new(config: &Config, set: &DataSet) -> Self {
        let (height, width) = (set.images.height, set.images.width);
        Self {
            augment: Augment::new(&config.augmentation, height, width),
            resize: Resize::new(height, width),
        }
    }

    /// Inputs `[n, 20, 20]` (whole numbers 0–255, 32-bit floats) of the images with these indices, and their labels.
    pub fn draw(&self, samples: &Samples, indices: &[i64], rng: &mut StdRng) -> (Tensor, Tensor) {
        let indices = Tensor::from_slice(indices);
        let images = samples.images.index_select(0, &indices).to_kind(Kind::Float);
        let inputs = self.resize.apply(&self.augment.apply(&images, rng));
        (inputs, samples.labels.index_select(0, &indices))
    }
}

/// The indices 0 to `len − 1` in two parts, drawn by `seed`: for training, and `validation` of them for validation
/// (fewer where there are not so many).
pub fn split(len: usize, validation: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut indices: Vec<usize> = (0..len).collect();
    indices.shuffle(&mut StdRng::seed_from_u64(seed));
    let training = indices.split_off(validation.min(len));
    (training, indices)
}

#[cfg(test)]
pub(crate) mod tests {
    use inkling_data::idx::Images;
    use rand::Rng;

    use super::*;

    /// Noisy 20×20 images whose digit says which of ten rows pairs is bright.
    pub(crate) fn stripes(count: usize, seed: u64) -> DataSet {
        let mut rng = StdRng::seed_from_u64(seed);
        let labels: Vec<u8> = (0..count).map(|_| rng.random_range(0..10)).collect();
        let pixels = labels.iter().flat_map(|&label| {
            let pixel = |row: usize| if row / 2 == usize::from(label) { 160..=255 } else { 0..=60 };
            (0..400).map(|i| rng.random_range(pixel(i / 20))).collect::<Vec<u8>>()
        });
        let images = Images { width: 20, height: 20, pixels: pixels.collect() };
        DataSet { images, labels, sha256: "stripes".into() }
    }

    #[test]
    fn splits_without_overlap() {
        let (training, validation) = split(10, 3, 5);
        assert_eq!((training.len(), validation.len()), (7, 3));
        let mut all = [training.clone(), validation].concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_eq!(split(10, 3, 5).0, training);
        assert_ne!(split(10, 3, 6).0, training);
        assert!(split(2, 3, 0).0.is_empty());
    }

    #[test]
    fn samples_are_the_images_with_these_indices() {
        let set = stripes(5, 0);
        let samples = Samples::new(&set, &[4, 0]);
        assert_eq!(samples.len(), 2);
        assert_eq!(samples.labels.int64_value(&[1]), i64::from(set.labels[0]));
        let inputs = samples.inputs(); // 20×20: kept as they are
        assert_eq!(inputs.size(), [2, 20, 20]);
        let row: Vec<u8> = inputs.get(1).flatten(0, -1).try_into().unwrap();
        assert_eq!(row, set.images.pixels[..400]);
    }
}
