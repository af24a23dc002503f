//! Pools on their own, where no convolution does them on the way.

use super::memory::{Planes, set_value, value};
use crate::layer::Shape;

/// What becomes of a square.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Its largest value.
    Max,
    /// Its sum, shifted right with rounding.
    Sum {
        /// 0–8.
        shift: u32,
    },
}

/// One value for each `size × size` square of `input`.
///
/// # Safety
/// `memory` holds both, and `output` has the shape that pooling gives.
pub(super) unsafe fn run(
    input: &Planes,
    output: &Planes,
    size: usize,
    kind: Kind,
    memory: *mut u8,
) {
    let Shape { channels, height, width } = output.shape;
    for channel in 0..channels as usize {
        for row in 0..height as usize {
            let from = input.first(channel) + row * size * input.pitch();
            let to = output.first(channel) + row * output.pitch();
            for column in 0..width as usize {
                let (mut largest, mut sum) = (0, 0u32);
                for y in 0..size {
                    for x in 0..size {
                        let at = from + y * input.pitch() + column * size + x;
                        // SAFETY: squares lie inside the input's planes.
                        let x = unsafe { value(memory, at) };
                        largest = x.max(largest);
                        sum += u32::from(x);
                    }
                }
                let result = match kind {
                    Kind::Max => largest,
                    Kind::Sum { shift } => ((sum + (1 << shift >> 1)) >> shift) as u16,
                };
                // SAFETY: inside the output's planes.
                unsafe { set_value(memory, to + column, result) };
            }
        }
    }
}
