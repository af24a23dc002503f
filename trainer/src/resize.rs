//! The preprocessing of `inkling-data`, on batches of tensors.
//!
//! The antialiased bilinear resize is linear in each direction: a matrix product over the columns, rounded, and one over
//! the rows, rounded. The coefficients are integers over a power of two, as `fast_image_resize` has them, and every sum
//! stays below 2^24, where 32-bit floats are exact: so a batch is resized to the bytes that
//! [`inkling_data::to_input`] makes of each image, which a test shows for the whole test set.

use inkling_data::preprocess::SIDE;
use tch::{Kind, Tensor};

/// Bits of a coefficient's magnitude.
const COEFFICIENT_BITS: i32 = 15;
/// The most fractional bits of a coefficient.
const MAX_PRECISION: i32 = 21;

/// The resize of images of one size to 20×20.
#[derive(Debug)]
pub struct Resize {
    /// `[20, height]`, `None` where there are 20 rows.
    rows: Option<Tensor>,
    /// `[width, 20]`, `None` where there are 20 columns.
    columns: Option<Tensor>,
}

impl Resize {
    /// The resize of images of `height` rows and `width` columns.
    pub fn new(height: usize, width: usize) -> Self {
        let matrix = |side| (side != SIDE).then(|| matrix(side));
        Self {
            rows: matrix(height),
            columns: matrix(width).map(|matrix| matrix.transpose(0, 1).contiguous()),
        }
    }

    /// Images `[n, height, width]` of 32-bit floats 0–255 as inputs `[n, 20, 20]`, whole numbers 0–255.
    pub fn apply(&self, images: &Tensor) -> Tensor {
        let mut images = images.shallow_clone();
        if let Some(rows) = &self.rows {
            images = round(rows.matmul(&images));
        }
        if let Some(columns) = &self.columns {
            images = round(images.matmul(columns));
        }
        images
    }
}

/// Half up, in place.
fn round(mut x: Tensor) -> Tensor {
    let _ = x.g_add_scalar_(0.5);
    x.floor_()
}

/// The coefficients `[20, side]` of one direction: a triangle about the middle of each output, as wide as two inputs or
/// two outputs, whichever is wider; normalized, then rounded to as many bits as 15 hold.
fn matrix(side: usize) -> Tensor {
    let scale = side as f64 / SIDE as f64;
    let radius = scale.max(1.0);
    let mut weights = vec![0.0; SIDE * side];
    for (out, row) in weights.chunks_exact_mut(side).enumerate() {
        let centre = (out as f64 + 0.5) * scale - 0.5;
        for (x, weight) in row.iter_mut().enumerate() {
            *weight = (1.0 - ((x as f64 - centre) * radius.recip()).abs()).max(0.0);
        }
        let total: f64 = row.iter().sum();
        row.iter_mut().for_each(|weight| *weight /= total);
    }
    let largest = weights.iter().copied().fold(0.0, f64::max);
    let fits = |bits: &i32| {
        (largest * f64::from(bits + 1).exp2()).round() >= f64::from(COEFFICIENT_BITS).exp2()
    };
    let precision = (0..=MAX_PRECISION).find(fits).unwrap_or(MAX_PRECISION);
    let unit = f64::from(precision).exp2();
    let rounded: Vec<f64> = weights.iter().map(|weight| (weight * unit).round() / unit).collect();
    Tensor::from_slice(&rounded).view([SIDE as i64, side as i64]).to_kind(Kind::Float)
}

#[cfg(test)]
mod tests {
    use inkling_data::{mnist, to_input};

    use super::*;

    fn bytes(x: &Tensor) -> Vec<u8> {
        x.to_kind(Kind::Uint8).flatten(0, -1).try_into().unwrap()
    }

    #[test]
    fn makes_the_same_bytes_of_all_test_images() {
        let set = mnist::test_set().unwrap();
        let images = Tensor::from_slice(&set.images.pixels).view([-1, 28, 28]).to_kind(Kind::Float);
        let ours = bytes(&Resize::new(28, 28).apply(&images));
        assert!(ours == set.inputs().unwrap().as_flattened());
    }

    #[test]
    fn makes_the_same_bytes_of_other_sizes() {
        for (height, width) in [(20, 20), (20, 28), (47, 20), (9, 31), (200, 57)] {
            let pixels: Vec<u8> =
                (0..height * width).map(|i| (i * i * 7 + i / width * 91) as u8).collect();
            let images = Tensor::from_slice(&pixels).view([1, height as i64, width as i64]);
            let ours = bytes(&Resize::new(height, width).apply(&images.to_kind(Kind::Float)));
            assert_eq!(ours, to_input(&pixels, width, height).unwrap(), "{height}×{width}");
        }
    }
}
