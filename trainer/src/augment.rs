//! Random variations of training images: shift, rotation, scale, shear, elastic distortion, mirror.
//!
//! All of them move points, so that one bilinear resampling does them together. The position that an output pixel takes
//! its value from is a sum of basis functions of the pixel, each with two random coefficients (for `x` and `y`) an image:
//! the constant, `x` and `y` make the affine part, bumps about 5×5 points the elastic one (after Simard et al., "Best
//! Practices for Convolutional Neural Networks Applied to Visual Document Analysis", 2003). A batch's positions are
//! then one matrix product.

use std::f64::consts::PI;

use rand::Rng;
use rand::rngs::StdRng;
use tch::{Kind, Tensor};

use crate::config::AugmentationConfig;

/// Points in a row and a column that elastic distortion moves.
const POINTS: usize = 5;

/// Varies images of one size.
#[derive(Debug)]
pub struct Augment {
    config: AugmentationConfig,
    height: i64,
    width: i64,
    /// The basis functions, `[height · width, 3]` or `[height · width, 3 + 25]`.
    basis: Tensor,
}

impl Augment {
    /// Variations of images of `height` rows and `width` columns.
    pub fn new(config: &AugmentationConfig, height: usize, width: usize) -> Self {
        let mut basis = Vec::new();
        for y in 0..height {
            for x in 0..width {
                // Coordinates from −1 to 1 between the outer edges of the outermost pixels.
                let middle = |at: usize, side: usize| (2 * at + 1) as f64 / side as f64 - 1.0;
                basis.extend([middle(x, width), middle(y, height), 1.0]);
                if config.elastic > 0.0 {
                    for point in 0..POINTS * POINTS {
                        basis
                            .push(bump(y, height, point / POINTS) * bump(x, width, point % POINTS));
                    }
                }
            }
        }
        let (height, width) = (height as i64, width as i64);
        let basis = Tensor::from_slice(&basis).view([height * width, -1]).to_kind(Kind::Float);
        Self { config: config.clone(), height, width, basis }
    }

    /// Images `[n, height, width]` of 32-bit floats, each varied by numbers of its own from `rng`.
    ///
    /// Black moves in from outside. Where the configuration varies nothing, the images themselves.
    pub fn apply(&self, images: &Tensor, rng: &mut StdRng) -> Tensor {
        if self.config.is_none() {
            return images.shallow_clone();
        }
        let n = images.size()[0];
        let coefficients: Vec<f32> = (0..n).flat_map(|_| self.coefficients(rng)).collect();
        let coefficients = Tensor::from_slice(&coefficients).view([n, -1, 2]);
        let grid = self.basis.matmul(&coefficients).view([n, self.height, self.width, 2]);
        // Bilinear, zeros outside, −1 and 1 at the outer edges.
        images.unsqueeze(1).grid_sampler_2d(&grid, 0, 0, false).squeeze_dim(1)
    }

    /// For each basis function, what it adds to the source's `x` and `y`.
    fn coefficients(&self, rng: &mut StdRng) -> Vec<f32> {
        let AugmentationConfig { shift, rotation, scale, shear, elastic, flip } = self.config;
        let mut upto = |limit: f64| (2.0 * rng.random::<f64>() - 1.0) * limit;
        let (sin, cos) = (upto(rotation) * PI / 180.0).sin_cos();
        let (mut scale_x, scale_y) = (1.0 + upto(scale), 1.0 + upto(scale));
        let slant = upto(shear);
        // A pixel is 2 / side in coordinates from −1 to 1.
        let unit = [2.0 / self.width as f64, 2.0 / self.height as f64];
        let (dx, dy) = (upto(shift) * unit[0], upto(shift) * unit[1]);
        if flip && upto(1.0) > 0.0 {
            scale_x = -scale_x;
        }
        let affine = [
            [cos * scale_x, sin * scale_x],
            [(slant * cos - sin) * scale_y, (slant * sin + cos) * scale_y],
            [dx, dy],
        ];
        let mut coefficients: Vec<f32> = affine.as_flattened().iter().map(|&c| c as f32).collect();
        if elastic > 0.0 {
            coefficients
                .extend((0..2 * POINTS * POINTS).map(|k| (upto(elastic) * unit[k % 2]) as f32));
        }
        coefficients
    }
}

/// How much of the movement of a point (0 to 4, evenly spaced from edge to edge) reaches pixel `at`: a raised cosine, 1 at
/// the point and 0 at the next.
fn bump(at: usize, side: usize, point: usize) -> f64 {
    let position = at as f64 / (side - 1).max(1) as f64 * (POINTS - 1) as f64;
    let distance = (position - point as f64).abs().min(1.0);
    0.5 * (1.0 + (PI * distance).cos())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    fn apply(config: &AugmentationConfig, image: &[f32], side: usize, seed: u64) -> Vec<f32> {
        let mut rng = StdRng::seed_from_u64(seed);
        let image = Tensor::from_slice(image).view([1, side as i64, side as i64]);
        let varied = Augment::new(config, side, side).apply(&image, &mut rng);
        varied.flatten(0, -1).try_into().unwrap()
    }

    fn image() -> Vec<f32> {
        (0..64).map(|i| (i * i % 251) as f32).collect()
    }

    #[test]
    fn nothing_changes_nothing() {
        assert_eq!(apply(&AugmentationConfig::default(), &image(), 8, 1), image());
        // Nor does resampling at the same points, but for rounding.
        let tiny = AugmentationConfig { shift: 1e-9, elastic: 1e-9, ..Default::default() };
        for (a, b) in apply(&tiny, &image(), 8, 1).iter().zip(image()) {
            assert!((a - b).abs() < 1e-2, "{a} {b}");
        }
    }

    #[test]
    fn half_a_turn_and_a_mirror() {
        let flip = AugmentationConfig { flip: true, ..Default::default() };
        let mirrored: Vec<f32> = image()
            .chunks(8)
            .flat_map(|row| row.iter().rev().copied().collect::<Vec<_>>())
            .collect();
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-2);
        let seen: Vec<bool> = (0..20)
            .map(|seed| {
                let got = apply(&flip, &image(), 8, seed);
                assert!(close(&got, &mirrored) || close(&got, &image()));
                close(&got, &mirrored)
            })
            .collect();
        assert!(seen.contains(&true) && seen.contains(&false));
    }

    #[test]
    fn moves_within_its_limits() {
        // One bright pixel in the middle of 9×9; where its mass goes.
        let mut image = [0f32; 81];
        image[4 * 9 + 4] = 100.0;
        let moved = |config: AugmentationConfig, seed| {
            let got = apply(&config, &image, 9, seed);
            let total: f32 = got.iter().sum();
            let x: f32 = got.iter().enumerate().map(|(i, v)| (i % 9) as f32 * v).sum();
            let y: f32 = got.iter().enumerate().map(|(i, v)| (i / 9) as f32 * v).sum();
            (x / total - 4.0, y / total - 4.0)
        };
        let mut largest = 0f32;
        for seed in 0..100 {
            let (x, y) = moved(AugmentationConfig { shift: 2.0, ..Default::default() }, seed);
            assert!(x.abs() < 2.01 && y.abs() < 2.01);
            largest = largest.max(x.abs());
            let (x, y) = moved(
                AugmentationConfig { rotation: 180.0, scale: 0.5, ..Default::default() },
                seed,
            );
            assert!(x.abs() < 0.01 && y.abs() < 0.01, "turned about the middle: {x} {y}");
        }
        assert!(largest > 1.8);
    }

    #[test]
    fn bumps_add_up_to_one() {
        for at in 0..28 {
            let total: f64 = (0..POINTS).map(|point| bump(at, 28, point)).sum();
            assert!((total - 1.0).abs() < 1e-12);
        }
        assert_eq!((bump(0, 28, 0), bump(27, 28, 4), bump(0, 28, 1)), (1.0, 1.0, 0.0));
    }
}
