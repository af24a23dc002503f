//! The definition of the forward pass: `docs/format.md` in code, one line a formula.
//!
//! Slow on purpose. Whatever else computes this network agrees with it to the bit.

#![allow(clippy::needless_range_loop)] // indices as in the formulas

use alloc::vec;
use alloc::vec::Vec;

use crate::ImageLengthError;
use crate::header::Stage;
use crate::layer::{Bias, Conv, Input, Layer, Multipliers, Requantize, Shape};
use crate::network::{Network, Parameters};

/// The logits of one image.
///
/// # Errors
/// [`ImageLengthError`] where the image is not `channels · height · width` bytes.
pub fn forward(network: &Network, image: &[u8]) -> Result<Vec<i32>, ImageLengthError> {
    let (got, expected) = (image.len(), network.header().image_len());
    if got != expected {
        return Err(ImageLengthError { got, expected });
    }
    let mut x = cut(network.header().input(), image);
    for stage in network.header().stages() {
        let parameters = stage.parameters.map(|index| &network.parameters()[index]);
        x = match (stage.computed(), parameters) {
            (Layer::Dense(layer), Some(parameters)) => {
                let acc = dense(layer.bias, parameters, &x);
                activations(layer.requantize, parameters, stage.output, &acc, &x)
            }
            (Layer::Conv(layer), Some(parameters)) => {
                let acc = conv(layer, stage, parameters, &x);
                activations(layer.requantize, parameters, stage.output, &acc, &x)
            }
            (Layer::Logits(layer), Some(parameters)) => {
                return Ok(dense(layer.bias, parameters, &x));
            }
            (Layer::MaxPool { size }, _) => {
                pool(stage, size, &x, |square| square.max().unwrap_or(0))
            }
            (Layer::SumPool { size, shift }, _) => pool(stage, size, &x, |square| {
                let half = 1 << shift >> 1;
                ((square.map(u32::from).sum::<u32>() + half) >> shift) as u8
            }),
            _ => unreachable!("a header resolves `again` and gives every layer its parameters"),
        };
    }
    unreachable!("a header ends with logits")
}

/// `x = pixel >> (8 − bits)`, without the border.
fn cut(input: Input, image: &[u8]) -> Vec<u8> {
    let (Shape { height, width, .. }, inner) = (input.shape, input.cropped());
    let crop = input.crop as usize;
    let mut x = Vec::with_capacity(inner.len());
    for c in 0..inner.channels as usize {
        for row in 0..inner.height as usize {
            for column in 0..inner.width as usize {
                let row = c * height as usize + row + crop;
                x.push(image[row * width as usize + column + crop] >> (8 - input.bits));
            }
        }
    }
    x
}

/// `acc[j] = (b[j] << bias_shift) + Σ_i x[i] · w[i][j]`
fn dense(bias: Bias, parameters: &Parameters, x: &[u8]) -> Vec<i32> {
    let outputs = parameters.biases.len();
    let mut acc: Vec<i32> = parameters.biases.iter().map(|b| b << bias.shift).collect();
    for i in 0..x.len() {
        for j in 0..outputs {
            acc[j] += x[i] as i32 * parameters.weights[i * outputs + j] as i32;
        }
    }
    acc
}

/// `acc[o][y][x] = (b[o] << bias_shift) + Σ_c Σ_ky Σ_kx x[c][y·t + ky − p][x·t + kx − p] · w[o][c][ky][kx]`
fn conv(layer: Conv, stage: &Stage, parameters: &Parameters, x: &[u8]) -> Vec<i32> {
    let (input, output) = (stage.input, stage.output);
    let (kernel, stride, padding) =
        (layer.kernel as usize, layer.stride as usize, layer.padding as usize);
    let groups = layer.groups(input.channels) as usize;
    let channels = input.channels as usize / groups;
    let (height, width) = (input.height as usize, input.width as usize);
    let mut acc = Vec::with_capacity(output.len());
    for o in 0..output.channels as usize {
        let first_channel = o * groups / output.channels as usize * channels;
        for row in 0..output.height as usize {
            for column in 0..output.width as usize {
                let mut sum = parameters.biases[o] << layer.bias.shift;
                for c in 0..channels {
                    for ky in 0..kernel {
                        for kx in 0..kernel {
                            let y = (row * stride + ky).wrapping_sub(padding);
                            let z = (column * stride + kx).wrapping_sub(padding);
                            if y < height && z < width {
                                let value = x[((first_channel + c) * height + y) * width + z];
                                let weight = ((o * channels + c) * kernel + ky) * kernel + kx;
                                sum += value as i32 * parameters.weights[weight] as i32;
                            }
                        }
                    }
                }
                acc.push(sum);
            }
        }
    }
    acc
}

/// `x' = min((max(acc, 0) · m + 2^(s−1)) >> s, 2^a − 1)`, and `min(x' + x, 2^a − 1)` of a residual layer.
fn activations(
    requantize: Requantize,
    parameters: &Parameters,
    output: Shape,
    acc: &[i32],
    x: &[u8],
) -> Vec<u8> {
    let plane = output.height as usize * output.width as usize;
    let mut outputs = vec![0; acc.len()];
    for j in 0..acc.len() {
        let multiplier = match requantize.multipliers {
            Multipliers::Layer(multiplier) => multiplier,
            Multipliers::Each4 | Multipliers::Each8 => parameters.multipliers[j / plane],
        };
        outputs[j] = requantize.apply(acc[j], multiplier);
        if requantize.residual {
            outputs[j] = outputs[j].saturating_add(x[j]).min(requantize.max());
        }
    }
    outputs
}

/// One value for each `size × size` square.
fn pool(
    stage: &Stage,
    size: u8,
    x: &[u8],
    mut value: impl FnMut(&mut dyn Iterator<Item = u8>) -> u8,
) -> Vec<u8> {
    let (input, output, size) = (stage.input, stage.output, size as usize);
    let (height, width) = (input.height as usize, input.width as usize);
    let mut pooled = Vec::with_capacity(output.len());
    for c in 0..output.channels as usize {
        for row in 0..output.height as usize {
            for column in 0..output.width as usize {
                let first = (c * height + row * size) * width + column * size;
                let offsets = (0..size * size).map(|i| i / size * width + i % size);
                pooled.push(value(&mut offsets.map(|offset| x[first + offset])));
            }
        }
    }
    pooled
}
