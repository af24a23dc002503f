//! The definition of the forward pass: `docs/format.md` in code, one line a formula.
//!
//! Slow on purpose. Whatever else computes this network agrees with it to the bit.

use alloc::vec::Vec;

use crate::ImageLengthError;
use crate::layer::{Dense, Layer};
use crate::network::{Network, Parameters};

/// The logits of one image.
///
/// # Errors
/// [`ImageLengthError`] where the image is not `height · width · channels` bytes.
pub fn forward(network: &Network, image: &[u8]) -> Result<Vec<i32>, ImageLengthError> {
    let (got, expected) = (image.len(), network.header().input().len());
    if got != expected {
        return Err(ImageLengthError { got, expected });
    }
    let mut x = image.to_vec();
    let mut accumulators = Vec::new();
    for (layer, parameters) in network.header().layers().iter().zip(network.parameters()) {
        accumulators = match layer {
            Layer::Dense(dense) => self::dense(dense, parameters, &x),
        };
        if let Some(requantize) = layer.requantize() {
            x = accumulators.iter().map(|&acc| requantize.apply(acc)).collect();
        }
    }
    Ok(accumulators)
}

/// `acc[j] = (b[j] << bias_shift) + Σ_i x[i] · w[i][j]`
#[allow(clippy::needless_range_loop)] // indices as in the formula
fn dense(layer: &Dense, parameters: &Parameters, x: &[u8]) -> Vec<i32> {
    let outputs = layer.outputs as usize;
    let mut acc: Vec<i32> = parameters.biases.iter().map(|b| b << layer.bias.shift()).collect();
    for i in 0..x.len() {
        for j in 0..outputs {
            acc[j] += x[i] as i32 * parameters.weights[i * outputs + j] as i32;
        }
    }
    acc
}
