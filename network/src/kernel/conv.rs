//! Convolutions: weights in the form that [`super::block`] likes, and the pass over all groups, outputs and segments.
//!
//! A kernel of `k` columns is `⌈k / 3⌉` segments a row, so an output is a list of segments whatever its kernel; the list
//! is cut into blocks of 24, six and three, the outputs of a group into chunks of eight, or for the last four, if segments
//! come by sixes, of four; what is missing at the end of either is filled with zero weights. With a stride every column is
//! computed and some are kept.
//!
//! Accumulators lie in 16-bit lanes. A *wide* convolution, for which they are too narrow, works on a copy of its input in
//! lanes of 32 bits, and each of its segments is a single weight.

use alloc::vec::Vec;

use super::bits::{Bits, Format};
use super::block::Block;
use super::load::Step;
use super::memory::{Planes, load, set_value, store};
use super::scale::{HIGH, ONES, Scale, in_order, max, pairs, relu};
use super::{Output, Parameters};
use crate::header::{Record, Stage};
use crate::layer::{Multipliers, Requantize};
use crate::room::zeros;

/// A convolution's numbers, and how it is cut up.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    kernel: usize,
    stride: usize,
    groups: usize,
    /// Planes that an output sees.
    channels: usize,
    /// Outputs of a group.
    outputs: usize,
    /// Weights of a segment, at most.
    taps: usize,
    /// Segments of an output, a multiple of 3.
    segments: usize,
    /// Bytes of a value.
    value: usize,
}

impl Shape {
    /// Of a stage that is a convolution.
    pub(super) fn new(stage: &Stage, wide: bool) -> Self {
        let record = &stage.record;
        let (kernel, taps) = (usize::from(record.size), if wide { 1 } else { 3 });
        let channels = stage.stored.fan_in / (kernel * kernel);
        let groups = usize::from(stage.input.channels) / channels;
        Self {
            kernel,
            stride: record.stride.into(),
            groups,
            channels,
            outputs: stage.stored.outputs / groups,
            taps,
            segments: (channels * kernel * kernel.div_ceil(taps)).next_multiple_of(3),
            value: if wide { 4 } else { 2 },
        }
    }

    /// The outputs that the next chunk has, and how many of them there are.
    const fn chunk(&self, done: usize) -> (usize, usize) {
        let left = self.outputs - done;
        let width = if left > 4 || !self.segments.is_multiple_of(6) { 8 } else { 4 };
        (width, if left > width { width } else { left })
    }

    /// Positions in a row of the output, two columns each, those that a stride leaves out included.
    const fn positions(&self, width: u16) -> usize {
        ((width as usize - 1) * self.stride + 2) / 2
    }

    /// Words of scratch memory that [`run`] needs: offsets, accumulators, and values of 32 bits.
    pub(super) fn scratch(&self, stage: &Stage, input: &Planes) -> usize {
        let values = if self.taps == 1 { input.len() / 2 } else { 0 };
        self.offset_words() + self.accumulator_words(stage) + values
    }

    const fn offset_words(&self) -> usize {
        self.segments.div_ceil(2)
    }

    const fn accumulator_words(&self, stage: &Stage) -> usize {
        let output = &stage.output;
        // Four or eight columns at a time reach past the last row's last position.
        (output.height as usize * self.positions(output.width) + 4) * 8
    }
}

/// Whether four lanes are requantized at a time, and a pool can be part of it.
pub(super) const fn is_swift(record: &Record, wide: bool) -> bool {
    let Requantize { multipliers, shift, .. } = record.requantize;
    let largest = match multipliers {
        Multipliers::Layer(multiplier) => multiplier as u64,
        each => 1 << each.bits(),
    };
    record.stride == 1 && !wide && largest <= 1 << shift
}

/// The weights from bit `at` on: for each chunk of outputs a word each for the accumulators to begin with, the bias and
/// half the range in every lane, then `[segment][output]`.
pub(super) fn unpack(
    shape: &Shape,
    outputs: &[Output],
    format: Format,
    bits: &Bits,
    mut at: usize,
) -> Vec<u64> {
    let mut padded = 0;
    while padded < shape.outputs {
        padded += shape.chunk(padded).0;
    }
    let mut words = zeros(shape.groups * padded * (1 + shape.segments));
    let mut outputs = outputs.iter();
    let mut chunk: *mut u64 = words.as_mut_ptr();
    let pack = Pack::new(shape, format);
    for _ in 0..shape.groups {
        let mut done = 0;
        while done < shape.outputs {
            let (width, count) = shape.chunk(done);
            for output in outputs.by_ref().take(count) {
                let lanes = if shape.taps == 1 { 0x1_0000_0001 } else { ONES };
                let half = if shape.taps == 1 { 0x8000_0000_8000_0000 } else { HIGH };
                // SAFETY: the chunk has `width` words for the first and for each segment, of which these are the
                // output's. The fields are the layer's.
                unsafe {
                    *chunk = (output.bias as i64 as u64).wrapping_mul(lanes).wrapping_add(half);
                    at = if shape.kernel == 3 && shape.taps == 3 && format.bits <= 4 {
                        pack.kernels(bits, at, shape.channels, chunk, width)
                    } else {
                        pack.rows(bits, at, shape, chunk, width)
                    };
                    chunk = chunk.add(1);
                }
            }
            // SAFETY: the next chunk, or the end.
            chunk = unsafe { chunk.add(width * (1 + shape.segments) - count) };
            done += count;
        }
    }
    words
}

/// How fields become segments.
struct Pack {
    format: Format,
    /// Nine times what a field is XORed with.
    flips: u64,
    /// 1 in each lane of a full segment.
    lanes: u64,
}

impl Pack {
    fn new(shape: &Shape, format: Format) -> Self {
        let flips = (0..9).fold(0, |flips, _| flips << format.bits | format.flip);
        let lanes = if shape.taps == 1 { 1 } else { 1 | 1 << 16 | 1 << 32 };
        Self { format, flips, lanes }
    }

    /// The segments of so many 3×3 kernels of fields of up to four bits; the bit after them is returned.
    ///
    /// # Safety
    /// A word for each segment, `step` words apart from the one after `to` on, is writable.
    unsafe fn kernels(
        &self,
        bits: &Bits,
        mut at: usize,
        count: usize,
        mut to: *mut u64,
        step: usize,
    ) -> usize {
        let Format { bits: field, shift, offset, .. } = self.format;
        let row = 3 * field;
        // Copies of a row's three fields that do not touch each other, of which each lane takes one field.
        let apart = 16 - field;
        let copies = 1 | 1 << apart | 1 << (2 * apart);
        let mask = ((1 << row) - 1) << shift;
        let lanes = (self.lanes * ((1 << field) - 1)) << shift;
        let offsets = self.lanes * offset;
        let pack = |fields: u64| (((fields & mask) * copies) & lanes).wrapping_sub(offsets);
        for _ in 0..count {
            let fields = (bits.field(at, 3 * row) ^ self.flips) << shift;
            // SAFETY: as the caller says.
            unsafe {
                to = to.add(step);
                *to = pack(fields >> (2 * row));
                to = to.add(step);
                *to = pack(fields >> row);
                to = to.add(step);
                *to = pack(fields);
            }
            at += 3 * row;
        }
        at
    }

    /// The segments of an output; the bit after them is returned.
    ///
    /// # Safety
    /// As [`Pack::kernels`].
    unsafe fn rows(
        &self,
        bits: &Bits,
        mut at: usize,
        shape: &Shape,
        mut to: *mut u64,
        step: usize,
    ) -> usize {
        let Format { bits: field, shift, offset, .. } = self.format;
        let mask = (1 << field) - 1;
        for _ in 0..shape.channels * shape.kernel {
            let mut left = shape.kernel;
            while left > 0 {
                let taps = left.min(shape.taps);
                let missing = shape.taps - taps;
                let fields = bits.field(at, taps * field) << (missing * field) ^ self.flips;
                let lane = |index: usize| (fields >> (index * field) & mask) << (16 * index);
                let all = ((lane(2) | lane(1) | lane(0)) << shift) & (self.lanes * 0xffff);
                // The lanes of missing weights are zero.
                let taken = u64::MAX << (16 * missing);
                // SAFETY: as the caller says.
                unsafe {
                    to = to.add(step);
                    *to = (all & taken).wrapping_sub((self.lanes * offset) & taken);
                }
                at += taps * field;
                left -= taps;
            }
        }
        at
    }
}

/// The convolution, with the pool but without what a residual layer adds.
///
/// # Safety
/// `memory` holds the step's planes, the input with the convolution's padding as its border; `scratch` has as many words
/// as [`Shape::scratch`] says; the parameters are the convolution's.
pub(super) unsafe fn run(
    parameters: &Parameters,
    stage: &Stage,
    step: &Step,
    memory: *mut u8,
    scratch: *mut u64,
) {
    let (input, wide) = (&step.input, parameters.wide);
    let shape = Shape::new(stage, wide);
    let requantize = &stage.record.requantize;
    let is_swift = is_swift(&stage.record, wide);
    let offsets: *mut u32 = scratch.cast();
    // SAFETY: the parts of the scratch memory.
    let accumulators = unsafe { scratch.add(shape.offset_words()) };
    // SAFETY: the region of the input.
    let mut x: *const u8 = unsafe { memory.add(2 * input.start) };
    // SAFETY: the parts of the scratch memory have the lengths that are used.
    unsafe {
        shape.offsets(input, offsets);
        if wide {
            let copy = accumulators.add(shape.accumulator_words(stage));
            widen(x, input.len(), copy);
            x = copy.cast();
        }
    }
    let positions = shape.positions(stage.output.width);
    let mut weights = parameters.words.as_ptr();
    let mut outputs = parameters.outputs.iter();
    let mut plane = 0;
    for _ in 0..shape.groups {
        let mut done = 0;
        while done < shape.outputs {
            let (width, count) = shape.chunk(done);
            let mut block = Block {
                x,
                offsets,
                // SAFETY: behind the first words.
                weights: unsafe { weights.add(width) },
                from: weights,
                from_step: 0,
                to: accumulators,
                rows: stage.output.height.into(),
                row_step: shape.value * shape.stride * input.pitch(),
                step: 2 * shape.value,
                positions,
            };
            let mut left = shape.segments;
            while left > 0 {
                // SAFETY: as many offsets as segments are left, and `width` times as many weights. The rows and columns of
                // the positions are the convolution's, so that every load begins inside the padded planes, and ends at
                // most three values behind them. There is an accumulator for each position and output.
                unsafe {
                    let segments = block.run(left, width);
                    block.offsets = block.offsets.add(segments);
                    block.weights = block.weights.add(segments * width);
                    left -= segments;
                }
                block.from = accumulators;
                block.from_step = width * 8;
            }
            weights = block.weights;
            for (g, output) in outputs.by_ref().take(count).enumerate() {
                // SAFETY: the accumulators of the chunk's output `g`; as the caller says.
                unsafe {
                    let sums = Sums { words: accumulators.add(g), width, positions };
                    if !is_swift {
                        one_by_one(requantize, &shape, output, step, plane, sums, memory);
                    } else if step.pooled {
                        lanes::<true>(requantize, output, &step.output, plane, sums, memory);
                    } else {
                        lanes::<false>(requantize, output, &step.output, plane, sums, memory);
                    }
                }
                plane += 1;
            }
            done += count;
        }
        x = x.wrapping_add(shape.value * shape.channels * input.plane());
    }
    // SAFETY: as the caller says.
    unsafe { step.output.clear_behind(memory) };
}

impl Shape {
    /// From a position's first value to those of each segment.
    ///
    /// # Safety
    /// `to` has room for them.
    unsafe fn offsets(&self, input: &Planes, to: *mut u32) {
        let (mut plane, mut row, mut column) = (0, 0, 0);
        for index in 0..self.segments {
            // Segments of zeros, at the end, may look anywhere: behind the last plane they would look too far.
            let value =
                if plane < self.channels * input.plane() { plane + row + column } else { 0 };
            // SAFETY: as the caller says.
            unsafe { *to.add(index) = (self.value * value) as u32 };
            column += self.taps;
            if column >= self.kernel {
                column = 0;
                row += input.pitch();
                if row == self.kernel * input.pitch() {
                    row = 0;
                    plane += input.plane();
                }
            }
        }
    }
}

/// Copies values into lanes of 32 bits.
///
/// # Safety
/// `x` is as many values, a multiple of 4, and `to` half as many words.
unsafe fn widen(x: *const u8, values: usize, to: *mut u64) {
    for index in 0..values / 4 {
        // SAFETY: as the caller says.
        unsafe {
            let four = load(x, 8 * index);
            let two = |v: u64| v & 0xffff | (v & 0xffff_0000) << 16;
            store(to.cast(), 16 * index, two(four));
            store(to.cast(), 16 * index + 8, two(four >> 32));
        }
    }
}

/// The accumulators of an output.
#[derive(Clone, Copy)]
struct Sums {
    words: *const u64,
    /// Words from position to position.
    width: usize,
    /// Positions in a row.
    positions: usize,
}

/// Accumulators to activations, four at a time.
///
/// # Safety
/// As [`run`]; the convolution is [swift](is_swift).
unsafe fn lanes<const POOLED: bool>(
    requantize: &Requantize,
    output: &Output,
    planes: &Planes,
    plane: usize,
    sums: Sums,
    memory: *mut u8,
) {
    let scale = Scale::new(requantize, output.multiplier);
    let Sums { mut words, width, positions } = sums;
    let row_words = positions * width;
    let mut to = 2 * planes.first(plane);
    for _ in 0..planes.shape.height {
        // SAFETY: as the caller says: a row's words, and those after it, are inside the accumulators. A row's last four
        // lanes may reach behind it: to the border, which is mended later, or to what is written later.
        unsafe {
            let four = |words: *const u64| {
                let right = *words.add(width) >> 32 << 32;
                relu(*words >> 32 | right)
            };
            let (mut from, mut at) = (words, to);
            let end = to + 8 * planes.quads();
            loop {
                if POOLED {
                    let below = from.add(row_words);
                    let left = max(four(from), four(below));
                    let right = max(four(from.add(2 * width)), four(below.add(2 * width)));
                    let (even, odd) = pairs(left, right);
                    store(memory, at, in_order(scale.apply(max(even, odd))));
                    from = from.add(4 * width);
                } else {
                    store(memory, at, scale.apply(four(from)));
                    from = from.add(2 * width);
                }
                at += 8;
                if at == end {
                    break;
                }
            }
        }
        words = words.wrapping_add(if POOLED { 2 * row_words } else { row_words });
        to += 2 * planes.pitch();
    }
}

/// Accumulators to activations, one after another.
///
/// # Safety
/// As [`run`].
unsafe fn one_by_one(
    requantize: &Requantize,
    shape: &Shape,
    output: &Output,
    step: &Step,
    plane: usize,
    sums: Sums,
    memory: *mut u8,
) {
    for row in 0..step.output.shape.height as usize {
        let to = step.output.first(plane) + row * step.output.pitch();
        for column in 0..step.output.shape.width as usize {
            let computed = column * shape.stride;
            let position = row * sums.positions + computed / 2;
            // SAFETY: as the caller says.
            unsafe {
                let word = *sums.words.add(position * sums.width);
                let acc = if shape.taps == 1 {
                    (word >> (32 * (computed % 2))) as u32 as i64 - (1 << 31)
                } else {
                    (word >> (32 + 16 * (computed % 2))) as u16 as i64 - (1 << 15)
                };
                let activation = requantize.apply(acc as i32, output.multiplier);
                set_value(memory, to + column, activation.into());
            }
        }
    }
}
