//! Pools on their own, where no convolution does them on the way, and what residual layers add.

use super::memory::{Planes, load, set_value, store, value};
use super::scale::{ONES, in_order, max, pairs};
use crate::layer::Shape;

/// The largest of each `size × size` square of `input`, or with a shift the sum, shifted right with rounding.
///
/// # Safety
/// `memory` holds both, and `output` has the shape that pooling gives.
pub(super) unsafe fn run(
    input: &Planes,
    output: &Planes,
    size: u8,
    shift: Option<u8>,
    memory: *mut u8,
) {
    // SAFETY: as the caller says.
    unsafe {
        match size {
            2 => twos(input, output, shift, memory),
            _ => squares(input, output, size, shift, memory),
        }
    }
}

/// Squares of 2×2, four at a time.
///
/// # Safety
/// As [`run`].
unsafe fn twos(input: &Planes, output: &Planes, shift: Option<u8>, memory: *mut u8) {
    // A sum is b + a, the larger one b + max(a − b, 0).
    let (sums, shift) = match shift {
        Some(shift) => (u64::MAX, shift),
        None => (0, 0),
    };
    let half = ONES * (1 << shift >> 1);
    let mask = ONES * (0xffff >> shift);
    let fold = |a, b| b + (a & sums | max(a, b).wrapping_sub(b) & !sums);
    let pitch = 2 * input.pitch();
    for channel in 0..output.shape.channels as usize {
        let (mut from, mut to) = (2 * input.first(channel), 2 * output.first(channel));
        for _ in 0..output.shape.height {
            let end = to + 8 * output.quads();
            let (mut at, mut x) = (to, from);
            loop {
                // SAFETY: the loads of a row's last squares reach at most six values past it, those of the last row of all
                // into the slack; its last store reaches three values behind the row, and is mended.
                unsafe {
                    let left = fold(load(memory, x), load(memory, x + pitch));
                    let right = fold(load(memory, x + 8), load(memory, x + pitch + 8));
                    let (even, odd) = pairs(left, right);
                    store(memory, at, in_order((fold(even, odd) + half) >> shift & mask));
                }
                x += 16;
                at += 8;
                if at == end {
                    break;
                }
            }
            from += 2 * pitch;
            to += 2 * output.pitch();
        }
    }
    // SAFETY: as the caller says.
    unsafe { output.clear_behind(memory) };
}

/// Squares of any size.
///
/// # Safety
/// As [`run`].
unsafe fn squares(input: &Planes, output: &Planes, size: u8, shift: Option<u8>, memory: *mut u8) {
    let Shape { channels, height, width } = output.shape;
    let (size, pitch) = (size as usize, input.pitch());
    for channel in 0..channels as usize {
        for row in 0..height as usize {
            let from = input.first(channel) + row * size * pitch;
            let to = output.first(channel) + row * output.pitch();
            for column in 0..width as usize {
                let (mut sum, mut largest) = (0, 0);
                let mut line = from + column * size;
                for _ in 0..size {
                    for at in line..line + size {
                        // SAFETY: squares lie inside the input's planes.
                        let x = u32::from(unsafe { value(memory, at) });
                        sum += x;
                        largest = x.max(largest);
                    }
                    line += pitch;
                }
                if let Some(shift) = shift {
                    largest = (sum + (1 << shift >> 1)) >> shift;
                }
                // SAFETY: inside the output's planes.
                unsafe { set_value(memory, to + column, largest as u16) };
            }
        }
    }
}

/// Adds `input` to `output`, up to `limit`.
///
/// # Safety
/// `memory` holds both, and they have the same shape.
pub(super) unsafe fn add(input: &Planes, output: &Planes, limit: u16, memory: *mut u8) {
    let Shape { channels, height, width } = output.shape;
    for channel in 0..channels as usize {
        for row in 0..height as usize {
            let from = input.first(channel) + row * input.pitch();
            let to = output.first(channel) + row * output.pitch();
            for column in 0..width as usize {
                // SAFETY: values of the row.
                unsafe {
                    let sum = value(memory, from + column) + value(memory, to + column);
                    set_value(memory, to + column, sum.min(limit));
                }
            }
        }
    }
}
