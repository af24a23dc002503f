//! Dense layers and logits: rows of weights, one an input, and a zero input skips its row.
//!
//! Weights are used as they are stored, without their sign: `w = (u << shift) − offset`, so
//! `Σ x·w = (Σ x·u << shift) − offset · Σ x`. Two sums lie in the halves of a word, and none can overflow: 65,535 inputs of
//! 255 · 255 fit 32 bits.

use super::bits::{Bits, Format};
use super::memory::value;
use super::{Parameters, WordSource};
use crate::layer::Weights;

/// Outputs whose sums are in locals at a time.
const CHUNK: usize = 12;

/// Words of scratch memory that [`run`] needs.
pub(super) const fn scratch(outputs: usize) -> usize {
    outputs.next_multiple_of(CHUNK) / 2
}

/// Multiplies `count` inputs, from value `first` on, with their rows; then [`product`] gives the results. Returns the sum
/// of the inputs. `head` are the words that are not streamed.
///
/// # Safety
/// `memory` holds the inputs, `sums` as many words as [`scratch`] says.
pub(super) unsafe fn run(
    parameters: &mut Parameters,
    head: &Bits,
    first: usize,
    count: usize,
    memory: *const u8,
    words: &mut impl WordSource,
    sums: *mut u64,
) -> u64 {
    let (weights, outputs) = (parameters.weights, parameters.outputs.len());
    let format = Format::of(weights);
    // SAFETY: as the caller says.
    unsafe {
        sums.write_bytes(0, scratch(outputs));
        if !parameters.streamed {
            let inputs = Inputs { memory, first, count };
            return multiply(format, parameters.held(head), parameters.at, outputs, inputs, sums);
        }
        let Parameters { at: first_word, buffer, fields, .. } = parameters;
        let mut total = 0;
        // The word that was read last, and its index: the next row may begin with it.
        let (mut last, mut word) = (usize::MAX, [0; 32]);
        for i in 0..count {
            if value(memory, first + i) == 0 {
                continue;
            }
            let (begin, mut end) = (i * outputs, weights.bits((i + 1) * outputs));
            let ternary = matches!(weights, Weights::Ternary);
            let start = if ternary { begin / 5 * 8 } else { weights.bits(begin) };
            let from = start / 256;
            end = (end - 1) / 256;
            for index in from..=end {
                if index != last {
                    words.read((*first_word + index) as u32, &mut word);
                    last = index;
                }
                buffer.set_word(index - from, &word);
            }
            let inputs = Inputs { memory, first: first + i, count: 1 };
            let (mut row, mut at) = (&*buffer, start % 256);
            if ternary {
                let skipped = begin % 5;
                buffer.ternary_fields(at, skipped + outputs, fields);
                (row, at) = (&*fields, 2 * skipped);
            }
            total += multiply(format, row, at, outputs, inputs, sums);
        }
        total
    }
}

/// `Σ x·w` of an output, after [`run`], which returned `total`.
///
/// # Safety
/// As [`run`]; the output is one of its layer's.
pub(super) unsafe fn product(weights: Weights, output: usize, total: u64, sums: *const u64) -> i32 {
    let Format { shift, offset, .. } = Format::of(weights);
    // Of four, the second and the last are in one word, the first and the third in the next, the earlier one on top.
    let (four, word) = (output % 4, output / 4 * 2 + 1 - output % 2);
    // SAFETY: as the caller says.
    let sums = unsafe { *sums.add(word) };
    let sum = if four < 2 { sums >> 32 } else { sums & 0xffff_ffff };
    (sum << shift).wrapping_sub(offset * total) as i32
}

/// So many values from one on.
struct Inputs {
    memory: *const u8,
    first: usize,
    count: usize,
}

/// Adds the products of the inputs with their rows, which begin at bit `at`; returns the sum of the inputs.
///
/// # Safety
/// The inputs are in memory, and `sums` as [`run`] says.
#[inline(never)]
unsafe fn multiply(
    format: Format,
    fields: &Bits,
    mut at: usize,
    outputs: usize,
    inputs: Inputs,
    mut sums: *mut u64,
) -> u64 {
    let bits = format.bits;
    let flips = format.flip * (1 | 1 << bits | 1 << (2 * bits) | 1 << (3 * bits));
    let mask = ((1 << bits) - 1) * 0x1_0000_0001;
    // Fields 0 and 2 of four, counted from the last, in the halves of a word.
    let halves = |fields: u64| (fields | fields << (32 - 2 * bits)) & mask;
    let mut total = 0;
    for _ in 0..outputs.div_ceil(CHUNK) {
        // SAFETY: as the caller says.
        let [mut s0, mut s1, mut s2, mut s3, mut s4, mut s5] =
            unsafe { sums.cast::<[u64; CHUNK / 2]>().read() };
        total = 0;
        let mut bit = at;
        for i in inputs.first..inputs.first + inputs.count {
            // SAFETY: as the caller says.
            let x = u64::from(unsafe { value(inputs.memory, i) });
            if x != 0 {
                total += x;
                // Behind the row may lie other fields, or nothing: their sums are not used.
                let four = |index: usize| fields.field(bit + index * 4 * bits, 4 * bits) ^ flips;
                let (a, b, c) = (four(0), four(1), four(2));
                s0 += x * halves(a);
                s1 += x * halves(a >> bits);
                s2 += x * halves(b);
                s3 += x * halves(b >> bits);
                s4 += x * halves(c);
                s5 += x * halves(c >> bits);
            }
            bit += outputs * bits;
        }
        // SAFETY: as the caller says.
        unsafe {
            sums.cast::<[u64; CHUNK / 2]>().write([s0, s1, s2, s3, s4, s5]);
            sums = sums.add(CHUNK / 2);
        }
        at += CHUNK * bits;
    }
    total
}
