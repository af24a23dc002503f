//! Pools on their own, where no convolution does them on the way, and what residual layers add.

use super::memory::{Planes, load, set_value, store, value};
use super::scale::{ONES, in_order, max, pairs, saturate};
use crate::layer::Shape;

/// How a square becomes a value.
#[derive(Clone, Copy)]
pub(super) enum Pool {
    /// The largest.
    Max,
    /// The sum, shifted right with rounding.
    Sum(u32),
}

/// One value for each `size × size` square of `input`.
///
/// # Safety
/// `memory` holds both, and `output` has the shape that pooling gives.
pub(super) unsafe fn run(
    pool: Pool,
    input: &Planes,
    output: &Planes,
    size: usize,
    memory: *mut u8,
) {
    // SAFETY: as the caller says.
    unsafe {
        match (pool, size) {
            (Pool::Max, 2) => twos(input, output, memory, max, |largest| largest),
            (Pool::Sum(shift), 2) => {
                let (half, mask) = (ONES * (1 << shift >> 1), ONES * (0xffff >> shift));
                twos(input, output, memory, |a, b| a + b, |sum| (sum + half) >> shift & mask);
            }
            (Pool::Max, _) => squares(input, output, size, memory, u32::max, |largest| largest),
            (Pool::Sum(shift), _) => {
                let half = 1 << shift >> 1;
                squares(input, output, size, memory, |a, b| a + b, |sum| (sum + half) >> shift);
            }
        }
    }
}

/// Squares of 2×2, four at a time.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn twos(
    input: &Planes,
    output: &Planes,
    memory: *mut u8,
    fold: impl Fn(u64, u64) -> u64,
    finish: impl Fn(u64) -> u64,
) {
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
                    store(memory, at, in_order(finish(fold(even, odd))));
                }
                x += 16;
                at += 8;
                if at == end {
                    break;
                }
            }
            // SAFETY: the word was just written.
            unsafe { output.end_row(memory, end) };
            from += 2 * pitch;
            to += 2 * output.pitch();
        }
    }
}

/// Squares of any size.
///
/// # Safety
/// As [`run`].
#[inline(always)]
unsafe fn squares(
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

/// Adds `input` to `output`, up to `limit`.
///
/// # Safety
/// `memory` holds both, and they have the same shape.
pub(super) unsafe fn add(input: &Planes, output: &Planes, limit: u64, memory: *mut u8) {
    // What follows a row in its last word stays as it is.
    let last = u64::MAX >> (64 - 16 * (1 + (input.shape.width - 1) % 4));
    let add = |at, x, lanes| {
        // SAFETY: a word of the row, or with up to three values behind it.
        unsafe { store(memory, at, saturate((load(memory, x) & lanes) + load(memory, at), limit)) };
    };
    for channel in 0..output.shape.channels as usize {
        let (mut from, mut to) = (2 * input.first(channel), 2 * output.first(channel));
        for _ in 0..output.shape.height {
            let end = to + 8 * (output.quads() - 1);
            let (mut at, mut x) = (to, from);
            while at < end {
                add(at, x, u64::MAX);
                x += 8;
                at += 8;
            }
            add(at, x, last);
            from += 2 * input.pitch();
            to += 2 * output.pitch();
        }
    }
}
