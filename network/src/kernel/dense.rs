//! Dense layers and logits: rows of weights, one an input, and a zero input skips its row.
//!
//! Weights are used as they are stored, without their sign: `w = (u << shift) − offset`, so
//! `Σ x·w = (Σ x·u << shift) − offset · Σ x`. Two sums lie in the halves of a word, and none can overflow: 65,535 inputs of
//! 255 · 255 fit 32 bits.

use alloc::vec;
use alloc::vec::Vec;

use super::WordSource;
use super::bits::{Bits, Format};
use super::memory::{Planes, value};
use crate::layer::Weights;

/// Outputs whose sums are in locals at a time.
const CHUNK: usize = 12;

/// Where the rows are.
pub(super) enum Rows {
    /// Among the words that are not streamed, from a bit on.
    Held(usize),
    /// The same, ternary: two-bit fields.
    Ternary(Bits),
    /// In words from one on; read where an input is not zero.
    Streamed(Stream),
}

/// Rows that are read from words, as many of these at a time as a row touches.
pub(super) struct Stream {
    weights: Weights,
    first_word: u32,
    buffer: Bits,
    /// Index of the word that was read last, and its place in the buffer.
    held: Option<(u32, usize)>,
}

impl Stream {
    pub(super) fn new(weights: Weights, outputs: usize, first_word: u32) -> Self {
        // A row may begin and end inside a word.
        let words = weights.bits(outputs + 8).div_ceil(256) + 1;
        Self { weights, first_word, buffer: Bits::of_words(words), held: None }
    }

    /// Reads weights `first` to `first + count` into the buffer and says at which bit there they begin. Rows come in
    /// ascending order.
    fn read(&mut self, words: &mut impl WordSource, first: usize, count: usize) -> usize {
        let end = self.weights.bits(first + count);
        let start = match self.weights {
            Weights::Ternary => first / 5 * 8,
            weights => weights.bits(first),
        };
        let (from, to) = ((start / 256) as u32, ((end - 1) / 256) as u32);
        for (place, index) in (from..=to).enumerate() {
            match self.held {
                Some((held, at)) if held == index => self.buffer.repeat_first(at),
                _ => self.buffer.set_word(place, &words.word(self.first_word + index)),
            }
        }
        self.held = Some((to, (to - from) as usize));
        start % 256
    }
}

/// A dense layer's parameters, and its sums.
pub(super) struct Parameters {
    format: Format,
    rows: Rows,
    biases: Vec<i32>,
    /// For each four outputs: sums of the last and the second, and of the third and the first.
    sums: Vec<[u64; 2]>,
}

impl Parameters {
    pub(super) fn new(weights: Weights, rows: Rows, biases: Vec<i32>) -> Self {
        let sums = vec![[0; 2]; biases.len().next_multiple_of(CHUNK) / 4];
        Self { format: Format::of(weights), rows, biases, sums }
    }

    /// The accumulators of `input`, whose planes have no borders, given to `take` one by one. `head` are the words that are
    /// not streamed.
    ///
    /// # Safety
    /// `memory` holds the input.
    pub(super) unsafe fn run(
        &mut self,
        head: &Bits,
        input: &Planes,
        memory: *const u8,
        words: &mut impl WordSource,
        mut take: impl FnMut(usize, i32),
    ) {
        let (format, outputs, sums) = (self.format, self.biases.len(), &mut self.sums);
        let (first, count) = (input.start, input.shape.len());
        let row = outputs * format.bits as usize;
        let mut total = 0;
        sums.fill([0; 2]);
        // SAFETY: planes without borders lie one after another.
        unsafe {
            match &mut self.rows {
                Rows::Held(at) => {
                    total = multiply(format, head, *at, row, memory, first, count, sums);
                }
                Rows::Ternary(fields) => {
                    total = multiply(format, fields, 0, row, memory, first, count, sums);
                }
                Rows::Streamed(stream) => {
                    // What was read for an earlier image may not be asked for again in this order.
                    stream.held = None;
                    for i in 0..count {
                        if value(memory, first + i) == 0 {
                            continue;
                        }
                        let weight = i * outputs;
                        let at = stream.read(words, weight, outputs);
                        total += if let Weights::Ternary = stream.weights {
                            let skipped = weight % 5;
                            let fields = stream.buffer.ternary_fields(at, skipped + outputs);
                            multiply(format, &fields, 2 * skipped, row, memory, first + i, 1, sums)
                        } else {
                            multiply(format, &stream.buffer, at, row, memory, first + i, 1, sums)
                        };
                    }
                }
            }
        }
        let offset = format.offset * total;
        for (j, bias) in self.biases.iter().enumerate() {
            let [even, odd] = self.sums[j / 4];
            let sum = [odd >> 32, even >> 32, odd, even][j % 4] & u64::from(u32::MAX);
            take(j, bias.wrapping_add(((sum << format.shift).wrapping_sub(offset)) as i32));
        }
    }
}

/// Adds the products of `count` inputs from value `first` on with their rows, `row` bits each, which begin at bit `at`;
/// returns the sum of the inputs.
///
/// # Safety
/// The inputs are in `memory`.
#[inline(never)]
#[allow(clippy::too_many_arguments)] // each is a local of the loop
unsafe fn multiply(
    format: Format,
    fields: &Bits,
    mut at: usize,
    row: usize,
    memory: *const u8,
    first: usize,
    count: usize,
    sums: &mut [[u64; 2]],
) -> u64 {
    let bits = format.bits;
    let four = 4 * bits;
    let flips = format.flip * (1 | 1 << bits | 1 << (2 * bits) | 1 << (3 * bits));
    let mask = ((1 << bits) - 1) * 0x1_0000_0001;
    let mut total = 0;
    // Fields 0 and 2 of four in the halves of a word, counted from the last.
    let halves = |fields: u64| (fields | fields << (32 - 2 * bits)) & mask;
    let (chunks, _) = sums.as_chunks_mut::<{ CHUNK / 4 }>();
    for [first_sums, second_sums, third_sums] in chunks {
        let [mut s0, mut s1] = *first_sums;
        let [mut s2, mut s3] = *second_sums;
        let [mut s4, mut s5] = *third_sums;
        total = 0;
        let mut bit = at;
        for i in first..first + count {
            // SAFETY: as the caller says.
            let x = u64::from(unsafe { value(memory, i) });
            if x != 0 {
                total += x;
                // Behind the row may lie other fields, or nothing: their sums are not used.
                let read = |index| fields.field(bit + index * four as usize, four) ^ flips;
                let (a, b, c) = (read(0), read(1), read(2));
                s0 += x * halves(a);
                s1 += x * halves(a >> bits);
                s2 += x * halves(b);
                s3 += x * halves(b >> bits);
                s4 += x * halves(c);
                s5 += x * halves(c >> bits);
            }
            bit += row;
        }
        *first_sums = [s0, s1];
        *second_sums = [s2, s3];
        *third_sums = [s4, s5];
        at += 3 * four as usize;
    }
    total
}
