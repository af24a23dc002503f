//! Convolutions: parameters in the form that [`crate::kernel::block`] likes, and the pass over all groups, outputs and
//! segments.
//!
//! A kernel of `k` columns is `⌈k / 3⌉` segments a row, so an output is a list of segments whatever its kernel; the list
//! is cut into blocks of twelve and of three, the outputs of a group into chunks of eight, four and one, and what is
//! missing at the end of either is filled with zero weights. With a stride every column is computed and some are kept.

use alloc::vec;
use alloc::vec::Vec;

use super::bits::{Bits, Format};
use super::block::{self, Block};
use super::memory::{Planes, load, set_value, store, value};
use super::scale::{ONES, Scale, max, relu, saturate};
use crate::layer::{Conv, Shape};

/// The upper half of a word: its two outputs.
const OUTPUTS: u64 = 0xffff_ffff_0000_0000;

/// The outputs of a chunk, where so many are left in the group.
const fn chunk_width(left: usize) -> usize {
    match left {
        1 => 1,
        2..=4 => 4,
        _ => 8,
    }
}

/// A convolution's parameters.
pub(super) struct Parameters {
    pub(super) conv: Conv,
    groups: usize,
    /// Planes that an output sees.
    channels: usize,
    /// Segments of an output, a multiple of 3.
    segments: usize,
    /// Packed weights: `[segment][output]` of each chunk, chunk after chunk.
    weights: Vec<u64>,
    /// For each output of each chunk, `bias + 2^15` in every lane.
    first: Vec<u64>,
    /// Of each output; empty where one is more than 1.
    scales: Vec<Scale>,
    /// Of each output.
    pub(super) multipliers: Vec<u16>,
}

impl Parameters {
    /// Reads the weights from bit `at` on.
    pub(super) fn new(
        conv: Conv,
        planes: usize,
        biases: &[i32],
        multipliers: Vec<u16>,
        format: Format,
        bits: &Bits,
        at: usize,
    ) -> Self {
        let groups = conv.groups(planes as u16) as usize;
        let (channels, kernel) = (planes / groups, conv.kernel as usize);
        let across = kernel.div_ceil(3);
        let segments = (channels * kernel * across).next_multiple_of(3);
        let mut scales = Vec::with_capacity(multipliers.len());
        for &multiplier in &multipliers {
            let Some(scale) = Scale::new(&conv.requantize, multiplier) else {
                scales.clear();
                break;
            };
            scales.push(scale);
        }
        let mut parameters = Self {
            conv,
            groups,
            channels,
            segments,
            weights: vec![],
            first: vec![],
            scales,
            multipliers,
        };
        parameters.unpack(biases, format, bits, at);
        parameters
    }

    /// Outputs of a group.
    const fn group_outputs(&self) -> usize {
        self.conv.outputs as usize / self.groups
    }

    fn unpack(&mut self, biases: &[i32], format: Format, bits: &Bits, mut at: usize) {
        let kernel = self.conv.kernel as usize;
        let outputs = self.group_outputs();
        let rows = self.channels * kernel;
        let spread = Spread::new(format);
        for group in 0..self.groups {
            let mut output = 0;
            while output < outputs {
                let width = chunk_width(outputs - output);
                let (chunk, first) = (self.weights.len(), self.first.len());
                self.weights.resize(chunk + self.segments * width, 0);
                self.first.resize(first + width, 1 << 15);
                for g in 0..width.min(outputs - output) {
                    let bias = biases[group * outputs + output + g] as i64 as u64;
                    self.first[first + g] = bias.wrapping_add(1 << 15);
                    let mut to = chunk + g;
                    for _ in 0..rows {
                        let mut left = kernel;
                        while left > 0 {
                            let taps = left.min(3);
                            let width_bits = taps as u32 * format.bits;
                            self.weights[to] = spread.segment(bits.field(at, width_bits), taps);
                            at += width_bits as usize;
                            to += width;
                            left -= taps;
                        }
                    }
                }
                for word in &mut self.first[first..] {
                    *word = word.wrapping_mul(ONES);
                }
                output += width;
            }
        }
    }
}

/// How three fields become a segment.
struct Spread {
    format: Format,
    /// The field of lane 0.
    mask: u64,
    /// For 0 to 3 weights: what their lanes are XORed with, and what is taken off.
    flips: [u64; 4],
    offsets: [u64; 4],
}

impl Spread {
    const fn new(format: Format) -> Self {
        const LANES: [u64; 4] = [0, 1 << 32, 1 << 32 | 1 << 16, 1 << 32 | 1 << 16 | 1];
        let mut flips = [0; 4];
        let mut offsets = [0; 4];
        let mut taps = 0;
        while taps < 4 {
            flips[taps] = LANES[taps] * format.flip;
            offsets[taps] = LANES[taps] * format.offset;
            taps += 1;
        }
        Self { format, mask: (1 << format.bits) - 1, flips, offsets }
    }

    /// So many fields, the first one on top, as a segment that begins with them.
    #[inline(always)]
    fn segment(&self, fields: u64, taps: usize) -> u64 {
        let Format { bits, shift, .. } = self.format;
        let fields = fields << (bits * (3 - taps as u32));
        let (mask, apart) = (self.mask, 16 - bits);
        let lanes = (fields & mask)
            | (fields & mask << bits) << apart
            | (fields & mask << (2 * bits)) << (2 * apart);
        ((lanes ^ self.flips[taps]) << shift).wrapping_sub(self.offsets[taps])
    }
}

/// A convolution in its place in the network.
pub(super) struct Place {
    pub(super) input: Planes,
    /// Planes of the convolution's output, or of the pool's after it.
    pub(super) output: Planes,
    /// Rows and columns before pooling.
    shape: Shape,
    /// Whether the largest of each 2×2 square is taken.
    pooled: bool,
    /// Positions in a row.
    positions: usize,
    /// From a position's first value to those of each segment, in bytes.
    offsets: Vec<u32>,
}

impl Place {
    pub(super) fn new(
        parameters: &Parameters,
        input: Planes,
        shape: Shape,
        pooled: bool,
        output: Planes,
    ) -> Self {
        let kernel = parameters.conv.kernel as usize;
        let mut offsets = Vec::with_capacity(parameters.segments);
        for channel in 0..parameters.channels {
            for row in 0..kernel {
                for column in (0..kernel).step_by(3) {
                    let value = channel * input.plane() + row * input.pitch() + column;
                    offsets.push(2 * value as u32);
                }
            }
        }
        // Segments of zeros may look anywhere.
        offsets.resize(parameters.segments, 0);
        let columns = (shape.width as usize - 1) * parameters.conv.stride as usize + 1;
        Self { input, output, shape, pooled, positions: columns.div_ceil(2), offsets }
    }

    /// Words of accumulators that [`run`] needs.
    pub(super) fn accumulators(&self) -> usize {
        // Sums of four or eight columns reach past the last row's last position.
        (self.shape.height as usize * self.positions + 4) * 8
    }

    /// Whether four lanes are requantized at a time, and a pool can be part of it.
    pub(super) fn is_swift(parameters: &Parameters) -> bool {
        parameters.conv.stride == 1 && !parameters.scales.is_empty()
    }
}

/// The convolution of the planes in `memory`.
///
/// # Safety
/// `memory` holds the place's planes where they say, `accumulators` as many words as [`Place::accumulators`].
pub(super) unsafe fn run(
    parameters: &Parameters,
    place: &Place,
    memory: *mut u8,
    accumulators: *mut u64,
) {
    let outputs = parameters.group_outputs();
    let stride = parameters.conv.stride as usize;
    let (mut weights, mut first) = (parameters.weights.as_ptr(), parameters.first.as_ptr());
    for group in 0..parameters.groups {
        let plane = group * parameters.channels * place.input.plane();
        let mut output = 0;
        while output < outputs {
            let width = chunk_width(outputs - output);
            let mut block = Block {
                // SAFETY: the first value of a plane, its border included.
                x: unsafe { memory.add(2 * (place.input.start + plane)) },
                offsets: place.offsets.as_ptr(),
                weights,
                from: first,
                from_step: 0,
                to: accumulators,
                rows: place.shape.height as usize,
                row_step: 2 * stride * place.input.pitch(),
                positions: place.positions,
            };
            let mut left = parameters.segments;
            while left > 0 {
                let segments = if left < 12 { 3 } else { 12 };
                // SAFETY: `segments` offsets and `segments · width` weights are left. The rows and columns of the
                // positions are the convolution's, so that every load begins inside the padded planes, and ends at most
                // three values behind them. `accumulators` has a word for each position and output.
                unsafe {
                    match (segments, width) {
                        (12, 8) => block::twelve_by_eight(&block),
                        (12, 4) => block::twelve_by_four(&block),
                        (12, _) => block::twelve_by_one(&block),
                        (_, 8) => block::three_by_eight(&block),
                        (_, 4) => block::three_by_four(&block),
                        (_, _) => block::three_by_one(&block),
                    }
                    block.offsets = block.offsets.add(segments);
                    block.weights = block.weights.add(segments * width);
                }
                block.from = accumulators;
                block.from_step = width * 8;
                left -= segments;
            }
            // SAFETY: the chunk's weights and first words.
            unsafe {
                weights = weights.add(parameters.segments * width);
                first = first.add(width);
            }
            let count = width.min(outputs - output);
            for g in 0..count {
                let index = group * outputs + output + g;
                // SAFETY: the accumulators of the chunk's output `g`, and the planes of output `index`.
                unsafe { finish(parameters, place, index, accumulators.add(g), width, memory) };
            }
            output += count;
        }
    }
}

/// Accumulators to activations, of one output.
///
/// # Safety
/// As [`run`]; `accumulators` are those of the output, `width` words apart.
unsafe fn finish(
    parameters: &Parameters,
    place: &Place,
    index: usize,
    accumulators: *const u64,
    width: usize,
    memory: *mut u8,
) {
    let swift = Place::is_swift(parameters);
    // SAFETY: as the caller says.
    unsafe {
        match (swift, place.pooled, parameters.conv.requantize.residual) {
            (true, true, _) => {
                lanes::<true, false>(parameters, place, index, accumulators, width, memory)
            }
            (true, false, false) => {
                lanes::<false, false>(parameters, place, index, accumulators, width, memory)
            }
            (true, false, true) => {
                lanes::<false, true>(parameters, place, index, accumulators, width, memory)
            }
            (false, ..) => one_by_one(parameters, place, index, accumulators, width, memory),
        }
    }
}

/// Four outputs at a time.
///
/// # Safety
/// As [`finish`].
unsafe fn lanes<const POOLED: bool, const RESIDUAL: bool>(
    parameters: &Parameters,
    place: &Place,
    index: usize,
    accumulators: *const u64,
    width: usize,
    memory: *mut u8,
) {
    let scale = parameters.scales[index];
    let limit = u64::from(parameters.conv.requantize.max());
    let Shape { height, width: columns, .. } = place.output.shape;
    let quads = (columns as usize).div_ceil(4);
    // The lanes of a row's last four that are columns.
    let last = u64::MAX >> (16 * (4 * quads - columns as usize));
    let row_words = place.positions * width;
    for row in 0..height as usize {
        let to = 2 * (place.output.first(index) + row * place.output.pitch());
        let residual = 2 * (place.input.first(index) + row * place.input.pitch());
        // SAFETY: as the caller says: a row's words, and those after it, are inside the accumulators. A row's last four
        // lanes may reach behind it, where zeros go: to the border, or to what is written later.
        unsafe {
            let mut words = accumulators.add(if POOLED { 2 * row } else { row } * row_words);
            let four = |words: *const u64| {
                let (left, right) = (*words, *words.add(width));
                relu(left >> 32 | right & OUTPUTS)
            };
            let mut at = to;
            let end = to + 8 * quads;
            let mut value = 0;
            while at < end {
                if POOLED {
                    let below = words.add(row_words);
                    let left = max(four(words), four(below));
                    let (right, below) = (words.add(2 * width), below.add(2 * width));
                    let right = max(four(right), four(below));
                    // Columns 0 4 2 6 and 1 5 3 7.
                    const EVEN: u64 = 0x0000_ffff_0000_ffff;
                    let columns = max(
                        left & EVEN | (right & EVEN) << 16,
                        left >> 16 & EVEN | right & (EVEN << 16),
                    );
                    let (low, high) = scale.halves(columns);
                    let low = (low | low >> 16) & u64::from(u32::MAX);
                    value = low | (high | high >> 16) << 32;
                    words = words.add(4 * width);
                } else {
                    value = scale.apply(four(words));
                    words = words.add(2 * width);
                }
                if RESIDUAL {
                    value = saturate(value + load(memory, residual + at - to), limit);
                }
                store(memory, at, value);
                at += 8;
            }
            store(memory, end - 8, value & last);
        }
    }
}

/// One output after another: with a stride, or with a scale above 1.
///
/// # Safety
/// As [`finish`].
unsafe fn one_by_one(
    parameters: &Parameters,
    place: &Place,
    index: usize,
    accumulators: *const u64,
    width: usize,
    memory: *mut u8,
) {
    let Conv { stride, requantize, .. } = parameters.conv;
    let multiplier = parameters.multipliers[index];
    for row in 0..place.shape.height as usize {
        let to = place.output.first(index) + row * place.output.pitch();
        let residual = place.input.first(index) + row * place.input.pitch();
        for column in 0..place.shape.width as usize {
            let computed = column * stride as usize;
            // SAFETY: as the caller says.
            unsafe {
                let word = *accumulators.add((row * place.positions + computed / 2) * width);
                let lane = (word >> (32 + 16 * (computed % 2))) as u16;
                let mut activation = requantize.apply(i32::from(lane) - (1 << 15), multiplier);
                if requantize.residual {
                    let x = value(memory, residual + column) as u8;
                    activation = activation.saturating_add(x).min(requantize.max());
                }
                set_value(memory, to + column, activation.into());
            }
        }
    }
}
