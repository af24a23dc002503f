//! Convolutions whose accumulators may need more than 16 bits: one multiply-add after another.

use alloc::vec::Vec;

use super::bits::{Bits, Format};
use super::memory::{Planes, set_value, value};
use crate::layer::{Conv, Shape};

/// A convolution's parameters.
pub(super) struct Parameters {
    pub(super) conv: Conv,
    pub(super) multipliers: Vec<u16>,
    pub(super) biases: Vec<i32>,
    /// `[o][c][ky][kx]`
    weights: Vec<i8>,
    groups: usize,
    channels: usize,
}

impl Parameters {
    /// Reads the weights from bit `at` on.
    pub(super) fn new(
        conv: Conv,
        planes: usize,
        biases: Vec<i32>,
        multipliers: Vec<u16>,
        format: Format,
        bits: &Bits,
        at: usize,
    ) -> Self {
        let groups = conv.groups(planes as u16) as usize;
        let channels = planes / groups;
        let count = conv.outputs as usize * channels * conv.kernel as usize * conv.kernel as usize;
        let weight = |index| {
            let field = bits.field(at + index * format.bits as usize, format.bits);
            (((field ^ format.flip) << format.shift) as i16 - format.offset as i16) as i8
        };
        let weights = (0..count).map(weight).collect();
        Self { conv, multipliers, biases, weights, groups, channels }
    }
}

/// The convolution of the planes `input` in `memory` to the planes `output` there, without what a residual layer adds.
///
/// # Safety
/// `memory` holds both, `input` with the convolution's padding as its border.
pub(super) unsafe fn run(
    parameters: &Parameters,
    input: &Planes,
    output: &Planes,
    memory: *mut u8,
) {
    let Conv { outputs, kernel, stride, requantize, .. } = parameters.conv;
    let (kernel, stride) = (kernel as usize, stride as usize);
    let Shape { height, width, .. } = output.shape;
    let each = parameters.channels * kernel * kernel;
    for o in 0..outputs as usize {
        let group = o * parameters.groups / outputs as usize;
        let weights = &parameters.weights[o * each..][..each];
        for row in 0..height as usize {
            for column in 0..width as usize {
                let mut acc = parameters.biases[o];
                let mut weights = weights.iter();
                for c in group * parameters.channels..(group + 1) * parameters.channels {
                    let x = input.start + c * input.plane() + row * stride * input.pitch();
                    for ky in 0..kernel {
                        let x = x + ky * input.pitch() + column * stride;
                        for (kx, weight) in weights.by_ref().take(kernel).enumerate() {
                            // SAFETY: inside the padded plane.
                            let x = unsafe { value(memory, x + kx) };
                            acc += i32::from(x) * i32::from(*weight);
                        }
                    }
                }
                let activation = requantize.apply(acc, parameters.multipliers[o]);
                let to = output.first(o) + row * output.pitch() + column;
                // SAFETY: inside the output's planes.
                unsafe { set_value(memory, to, activation.into()) };
            }
        }
    }
}
