//! Training and validation samples: inputs of 400 bytes with their digits.
//!
//! Shifted copies are made once, as bytes, because resizing is the dear part: an epoch then only picks, for each
//! image, one of its copies.

use inkling_data::DataSet;
use inkling_data::preprocess::{self, PIXELS, to_input};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::Tensor;

/// The inputs of a set and their digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// For each shift of up to the given pixels, the inputs of all images; the unshifted first.
    pub copies: Vec<Vec<[u8; PIXELS]>>,
    /// The digit of each image.
    pub labels: Vec<u8>,
}

impl Samples {
    /// The inputs of the images with these indices, in all shifts of up to `shift` pixels.
    ///
    /// # Errors
    /// As [`to_input`]'s.
    ///
    /// # Panics
    /// Where an index is beyond the set.
    pub fn new(set: &DataSet, indices: &[usize], shift: u8) -> Result<Self, preprocess::Error> {
        let (width, height) = (set.images.width, set.images.height);
        let size = width * height;
        let copy = |(dx, dy): (isize, isize)| {
            let input = |&index: &usize| {
                let image = &set.images.pixels[index * size..][..size];
                to_input(&shifted(image, width, dx, dy), width, height)
            };
            indices.iter().map(input).collect()
        };
        Ok(Self {
            copies: shifts(shift).into_iter().map(copy).collect::<Result<_, _>>()?,
            labels: indices.iter().map(|&index| set.labels[index]).collect(),
        })
    }

    /// The number of images, shifted copies not counted.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The bytes as a tensor `[copies · len, 400]` (u8): copy `c` of image `i` in row `c · len + i`.
    pub fn input_tensor(&self) -> Tensor {
        let copies: Vec<Tensor> = self
            .copies
            .iter()
            .map(|copy| Tensor::from_slice(copy.as_flattened()).view([-1, PIXELS as i64]))
            .collect();
        Tensor::cat(&copies, 0)
    }

    /// The digits as a tensor `[len]` (i64).
    pub fn label_tensor(&self) -> Tensor {
        Tensor::from_slice(&self.labels).to_kind(tch::Kind::Int64)
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

/// All shifts of up to so many pixels right and down, none first.
fn shifts(limit: u8) -> Vec<(isize, isize)> {
    let range = || -isize::from(limit)..=isize::from(limit);
    let mut shifts: Vec<_> = range().flat_map(|dy| range().map(move |dx| (dx, dy))).collect();
    shifts.sort_by_key(|&(dx, dy)| dx.abs() + dy.abs());
    shifts
}

/// An image moved right by `dx` and down by `dy` pixels; background moves in.
fn shifted(image: &[u8], width: usize, dx: isize, dy: isize) -> Vec<u8> {
    let height = image.len() / width;
    let source = |x: usize, y: usize| {
        let (x, y) = (x.checked_add_signed(-dx)?, y.checked_add_signed(-dy)?);
        (x < width && y < height).then(|| image[y * width + x])
    };
    let rows = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    rows.map(|(x, y)| source(x, y).unwrap_or(0)).collect()
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
    fn shifts_are_all_there_and_none_comes_first() {
        assert_eq!(shifts(0), [(0, 0)]);
        let one = shifts(1);
        assert_eq!((one.len(), one[0]), (9, (0, 0)));
        assert!(one.contains(&(-1, 1)));
        assert_eq!(shifts(2).len(), 25);
    }

    #[test]
    fn background_moves_in() {
        let image = [1, 2, 3, 4, 5, 6]; // 3×2
        assert_eq!(shifted(&image, 3, 0, 0), image);
        assert_eq!(shifted(&image, 3, 1, 0), [0, 1, 2, 0, 4, 5]);
        assert_eq!(shifted(&image, 3, -1, 1), [0, 0, 0, 2, 3, 0]);
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
    fn samples_and_tensors_agree() {
        let set = stripes(5, 0);
        let samples = Samples::new(&set, &[4, 0], 1).unwrap();
        assert_eq!(samples.labels, [set.labels[4], set.labels[0]]);
        assert_eq!(samples.copies[0][1], set.images.pixels[..400]); // 20×20: kept as it is
        let inputs = samples.input_tensor();
        assert_eq!(inputs.size(), [18, 400]);
        let row: Vec<u8> = inputs.get(2 * 3 + 1).try_into().unwrap();
        assert_eq!(row, samples.copies[3][1]);
        assert_eq!(samples.label_tensor().int64_value(&[1]), i64::from(set.labels[0]));
    }
}
