//! Pools on their own, where no convolution does them on the way.

use super::memory::{Planes, set_value, value};
use crate::layer::Shape;

/// One value for each `size × size` square of `input`: the values folded, and what `finish` makes of them.
///
/// # Safety
/// `memory` holds both, and `output` has the shape that pooling gives.
pub(super) unsafe fn run(
    input: &Planes,
    output: &Planes,
    size: usize,
    memory: *mut u8,
    fold: impl Fn(u32, u32) -> u32,
    finish: impl Fn(u32) -> u32,
) {
    let Shape { channels, height, width } = output.shape;
    for channel in 0..channels as usize {
        for row in 0..height as usize {
            let from = input.first(channel) + row * size * input.pitch();
            let to = output.first(channel) + row * output.pitch();
            for column in 0..width as usize {
                let mut folded = 0;
                for y in 0..size {
                    for x in 0..size {
                        let at = from + y * input.pitch() + column * size + x;
                        // SAFETY: squares lie inside the input's planes.
                        folded = fold(folded, unsafe { value(memory, at) }.into());
                    }
                }
                // SAFETY: inside the output's planes.
                unsafe { set_value(memory, to + column, finish(folded) as u16) };
            }
        }
    }
}
