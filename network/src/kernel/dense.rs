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

    /// Reads the row of an input into the buffer and says at which bit there it begins. Inputs come in ascending order.
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

/// A dense layer's weights and the start of its sums.
pub(super) struct Parameters {
    outputs: usize,
    format: Format,
    rows: Rows,
    biases: Vec<i32>,
    /// For each four outputs: sums of the last and the second, and of the third and the first.
    sums: Vec<[u64; 2]>,
    /// The accumulators of the image that was run last.
    pub(super) accumulators: Vec<i32>,
}

impl Parameters {
    pub(super) fn new(weights: Weights, rows: Rows, biases: Vec<i32>) -> Self {
        let outputs = biases.len();
        let sums = vec![[0; 2]; outputs.div_ceil(4)];
        let accumulators = vec![0; outputs];
        Self { outputs, format: Format::of(weights), rows, biases, sums, accumulators }
    }

    /// Forgets what words were read for an earlier image.
    fn begin(&mut self) {
        self.sums.fill([0; 2]);
        if let Rows::Streamed(stream) = &mut self.rows {
            stream.held = None;
        }
    }

    /// Computes the accumulators of `input`, whose planes have no borders. `head` are the words that are not streamed.
    ///
    /// # Safety
    /// `memory` holds the input.
    pub(super) unsafe fn run(
        &mut self,
        head: &Bits,
        input: &Planes,
        memory: *const u8,
        words: &mut impl WordSource,
    ) {
        self.begin();
        let Format { bits, flip, shift, offset } = self.format;
        let mut total = 0;
        for i in 0..input.shape.len() {
            // SAFETY: planes without borders lie one after another.
            let x = u64::from(unsafe { value(memory, input.start + i) });
            if x == 0 {
                continue;
            }
            total += x;
            let ternary;
            let (fields, mut at) = match &mut self.rows {
                Rows::Held(first) => (head, *first + i * self.outputs * bits as usize),
                Rows::Ternary(fields) => (&*fields, i * self.outputs * bits as usize),
                Rows::Streamed(stream) => {
                    let first = i * self.outputs;
                    let at = stream.read(words, first, self.outputs);
                    if let Weights::Ternary = stream.weights {
                        let skipped = first % 5;
                        ternary = stream.buffer.ternary_fields(at, skipped + self.outputs);
                        (&ternary, 2 * skipped)
                    } else {
                        (&stream.buffer, at)
                    }
                }
            };
            let mask = (1 << bits) - 1;
            let flips = flip * (1 | 1 << bits | 1 << (2 * bits) | 1 << (3 * bits));
            let mut left = self.outputs;
            for sums in &mut self.sums {
                let count = left.min(4) as u32;
                let four = fields.field(at, count * bits) << ((4 - count) * bits) ^ flips;
                sums[0] += x * (four & mask | (four >> (2 * bits) & mask) << 32);
                sums[1] += x * (four >> bits & mask | (four >> (3 * bits) & mask) << 32);
                at += (count * bits) as usize;
                left -= count as usize;
            }
        }
        let offset = offset * total;
        for (j, (acc, bias)) in self.accumulators.iter_mut().zip(&self.biases).enumerate() {
            let [even, odd] = self.sums[j / 4];
            let sum = [odd >> 32, even >> 32, odd, even][j % 4] & u64::from(u32::MAX);
            *acc = bias.wrapping_add(((sum << shift).wrapping_sub(offset)) as i32);
        }
    }
}
