//! Convolutions: parameters in the form that [`super::block`] likes, and the pass over all groups, outputs and segments.
//!
//! A kernel of `k` columns is `⌈k / 3⌉` segments a row, so an output is a list of segments whatever its kernel; the list
//! is cut into blocks of 24, 12, 6 and 3, the outputs of a group into chunks of eight, four and one, and what is missing
//! at the end of either is filled with zero weights. With a stride every column is computed and some are kept.

use alloc::vec;
use alloc::vec::Vec;

use super::bits::{Bits, Format};
use super::block::Block;
use super::memory::{Planes, set_value, store};
use super::scale::{ONES, Scales, in_order, max, pairs, relu};
use crate::layer::{Conv, Shape};

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
    /// `None` where a scale is more than 1.
    scales: Option<Scales>,
    /// Of each output.
    multipliers: Vec<u16>,
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
        let segments = (channels * kernel * kernel.div_ceil(3)).next_multiple_of(3);
        let outputs = conv.outputs as usize / groups;
        let mut padded = 0;
        while padded < outputs {
            padded += chunk_width(outputs - padded);
        }
        let mut parameters = Self {
            conv,
            groups,
            channels,
            segments,
            weights: vec![0; groups * padded * segments],
            first: vec![HALF; groups * padded],
            scales: Scales::new(&conv.requantize, &multipliers),
            multipliers,
        };
        parameters.unpack(biases, format, bits, at);
        parameters
    }

    /// Whether four lanes are requantized at a time, and a pool can be part of it.
    pub(super) const fn is_swift(&self) -> bool {
        self.conv.stride == 1 && self.scales.is_some()
    }

    /// Outputs of a group.
    const fn group_outputs(&self) -> usize {
        self.conv.outputs as usize / self.groups
    }

    /// Fills in weights and first words.
    fn unpack(&mut self, biases: &[i32], format: Format, bits: &Bits, mut at: usize) {
        let kernel = self.conv.kernel as usize;
        let outputs = self.group_outputs();
        let nine = kernel == 3 && format.bits <= 4;
        let rows = self.channels * if nine { 1 } else { kernel };
        let pack = Pack::new(format);
        let mut weights = self.weights.as_mut_ptr();
        let (mut first, mut biases) = (self.first.iter_mut(), biases.iter());
        for _ in 0..self.groups {
            let mut output = 0;
            while output < outputs {
                let width = chunk_width(outputs - output);
                let count = width.min(outputs - output);
                for g in 0..width {
                    let Some(first) = first.next() else { return };
                    if g >= count {
                        continue;
                    }
                    let bias = biases.next().map_or(0, |bias| *bias as i64 as u64);
                    *first = bias.wrapping_mul(ONES).wrapping_add(HALF);
                    // SAFETY: the chunk has `width` words for each segment, and these are the segments of its output `g`.
                    // The fields are the layer's.
                    unsafe {
                        let to = weights.add(g);
                        at = if nine {
                            pack.kernels(bits, at, rows, to, width)
                        } else {
                            pack.rows(bits, at, rows, kernel, to, width)
                        };
                    }
                }
                // SAFETY: the chunk is part of the weights.
                weights = unsafe { weights.add(width * self.segments) };
                output += count;
            }
        }
    }
}

/// 2^15 in each lane.
const HALF: u64 = ONES << 15;

/// 1 in the lanes of a segment's first 0 to 3 weights.
const LANES: [u64; 4] = [0, 1 << 32, 1 << 32 | 1 << 16, 1 << 32 | 1 << 16 | 1];

/// How fields become segments.
struct Pack {
    bits: usize,
    shift: u32,
    /// Nine times what a field is XORed with.
    flips: u64,
    /// What is taken off for a segment of 0 to 3 weights.
    offsets: [u64; 4],
}

impl Pack {
    fn new(format: Format) -> Self {
        let flips = (0..9).fold(0, |flips, _| flips << format.bits | format.flip);
        let offsets = LANES.map(|lanes| lanes * format.offset);
        Self { bits: format.bits as usize, shift: format.shift, flips, offsets }
    }

    /// The segments of so many 3×3 kernels of fields of up to four bits; the bit after them is returned.
    ///
    /// # Safety
    /// A word for each segment, `step` words apart from `to` on, is writable.
    unsafe fn kernels(
        &self,
        bits: &Bits,
        mut at: usize,
        count: usize,
        mut to: *mut u64,
        step: usize,
    ) -> usize {
        let (field, row) = (self.bits, 3 * self.bits);
        // Copies of a row's three fields that do not touch each other, of which each lane takes one field.
        let apart = 16 - field;
        let copies = 1 | 1 << apart | 1 << (2 * apart);
        let lanes = (LANES[3] * ((1 << field) - 1)) << self.shift;
        let mask = ((1 << row) - 1) << self.shift;
        let pack = |fields: u64| ((fields & mask) * copies & lanes).wrapping_sub(self.offsets[3]);
        for _ in 0..count {
            let fields = (bits.field(at, 3 * row as u32) ^ self.flips) << self.shift;
            // SAFETY: as the caller says.
            unsafe {
                *to = pack(fields >> (2 * row));
                to = to.add(step);
                *to = pack(fields >> row);
                to = to.add(step);
                *to = pack(fields);
                to = to.add(step);
            }
            at += 3 * row;
        }
        at
    }

    /// The segments of so many rows of `kernel` fields; the bit after them is returned.
    ///
    /// # Safety
    /// As [`Pack::kernels`].
    unsafe fn rows(
        &self,
        bits: &Bits,
        mut at: usize,
        count: usize,
        kernel: usize,
        mut to: *mut u64,
        step: usize,
    ) -> usize {
        let field = (1 << self.bits) - 1;
        for _ in 0..count {
            let mut left = kernel;
            while left > 0 {
                let taps = left.min(3);
                let fields = bits.field(at, (taps * self.bits) as u32);
                let fields = (fields << ((3 - taps) * self.bits)) ^ self.flips;
                let lane = |index: usize| (fields >> (index * self.bits) & field) << (16 * index);
                let all = (lane(2) | lane(1) | lane(0)) << self.shift;
                // The lanes of missing weights are zero.
                let taken = u64::MAX << (16 * (3 - taps));
                // SAFETY: as the caller says.
                unsafe {
                    *to = (all & taken).wrapping_sub(self.offsets[taps]);
                    to = to.add(step);
                }
                at += taps * self.bits;
                left -= taps;
            }
        }
        at
    }
}

/// A convolution in its place in the network.
pub(super) struct Place {
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
    /// `shape` is that of the convolution's output, before a pool.
    pub(super) fn new(parameters: &Parameters, input: &Planes, shape: Shape, pooled: bool) -> Self {
        let kernel = parameters.conv.kernel as usize;
        // Segments of zeros may look anywhere.
        let mut offsets = vec![0u32; parameters.segments];
        let (mut plane, mut row, mut column) = (0, 0, 0);
        for offset in &mut offsets[..parameters.channels * kernel * kernel.div_ceil(3)] {
            *offset = 2 * (plane + row + column) as u32;
            column += 3;
            if column >= kernel {
                column = 0;
                row += input.pitch();
                if row == kernel * input.pitch() {
                    row = 0;
                    plane += input.plane();
                }
            }
        }
        let columns = (shape.width as usize - 1) * parameters.conv.stride as usize + 1;
        Self { shape, pooled, positions: columns.div_ceil(2), offsets }
    }

    /// Words of accumulators that [`run`] needs.
    pub(super) fn accumulators(&self) -> usize {
        // Four or eight columns at a time reach past the last row's last position.
        (self.shape.height as usize * self.positions + 4) * 8
    }
}

/// The convolution, with the pool but without what a residual layer adds, of `input` to `output`.
///
/// # Safety
/// `memory` holds both, `input` with the convolution's padding as its border; `accumulators` are as many words as
/// [`Place::accumulators`].
pub(super) unsafe fn run(
    parameters: &Parameters,
    place: &Place,
    input: &Planes,
    output: &Planes,
    memory: *mut u8,
    accumulators: *mut u64,
) {
    let outputs = parameters.group_outputs();
    let stride = parameters.conv.stride as usize;
    let (mut weights, mut first) = (parameters.weights.as_ptr(), parameters.first.as_ptr());
    for group in 0..parameters.groups {
        let plane = group * parameters.channels * input.plane();
        let mut done = 0;
        while done < outputs {
            let width = chunk_width(outputs - done);
            let mut block = Block {
                // SAFETY: the first value of a plane, its border included.
                x: unsafe { memory.add(2 * (input.start + plane)) },
                offsets: place.offsets.as_ptr(),
                weights,
                from: first,
                from_step: 0,
                to: accumulators,
                rows: place.shape.height as usize,
                row_step: 2 * stride * input.pitch(),
                positions: place.positions,
            };
            let mut left = parameters.segments;
            while left > 0 {
                // SAFETY: as many offsets as segments are left, and `width` times as many weights. The rows and columns of
                // the positions are the convolution's, so that every load begins inside the padded planes, and ends at
                // most three values behind them. `accumulators` has a word for each position and output.
                let segments = unsafe { block.run(left, width) };
                // SAFETY: the next segments, or the end.
                unsafe {
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
            let count = width.min(outputs - done);
            for g in 0..count {
                let index = group * outputs + done + g;
                // SAFETY: the accumulators of the chunk's output `g`, and the planes of output `index`.
                unsafe {
                    let accumulators = accumulators.add(g);
                    finish(parameters, place, output, index, accumulators, width, memory);
                }
            }
            done += count;
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
    output: &Planes,
    index: usize,
    accumulators: *const u64,
    width: usize,
    memory: *mut u8,
) {
    // SAFETY: as the caller says.
    unsafe {
        match &parameters.scales {
            Some(scales) if parameters.conv.stride == 1 => {
                let lanes = match (place.pooled, scales.narrow) {
                    (false, false) => lanes::<false, false>,
                    (false, true) => lanes::<false, true>,
                    (true, false) => lanes::<true, false>,
                    (true, true) => lanes::<true, true>,
                };
                lanes(scales, place, output, index, accumulators, width, memory);
            }
            _ => one_by_one(parameters, place, output, index, accumulators, width, memory),
        }
    }
}

/// Four outputs at a time.
///
/// # Safety
/// As [`finish`].
unsafe fn lanes<const POOLED: bool, const NARROW: bool>(
    scales: &Scales,
    place: &Place,
    output: &Planes,
    index: usize,
    accumulators: *const u64,
    width: usize,
    memory: *mut u8,
) {
    let scale = scales.of::<NARROW>(index);
    let quads = output.quads();
    let row_words = place.positions * width;
    let mut words = accumulators;
    let mut to = 2 * output.first(index);
    for _ in 0..output.shape.height {
        // SAFETY: as the caller says: a row's words, and those after it, are inside the accumulators. A row's last four
        // lanes may reach behind it, where zeros go: to the border, or to what is written later.
        unsafe {
            let four = |words: *const u64| {
                let right = *words.add(width) >> 32 << 32;
                relu(*words >> 32 | right)
            };
            let (mut words, mut at) = (words, to);
            let end = to + 8 * quads;
            loop {
                let v = if POOLED {
                    let below = words.add(row_words);
                    let left = max(four(words), four(below));
                    let (right, below) = (words.add(2 * width), below.add(2 * width));
                    let right = max(four(right), four(below));
                    let (even, odd) = pairs(left, right);
                    words = words.add(4 * width);
                    in_order(scale.apply::<NARROW>(max(even, odd)))
                } else {
                    let v = scale.apply::<NARROW>(four(words));
                    words = words.add(2 * width);
                    v
                };
                store(memory, at, v);
                at += 8;
                if at == end {
                    break;
                }
            }
            output.end_row(memory, end);
        }
        words = words.wrapping_add(if POOLED { 2 * row_words } else { row_words });
        to += 2 * output.pitch();
    }
}

/// One output after another: with a stride, or with a scale above 1.
///
/// # Safety
/// As [`finish`].
unsafe fn one_by_one(
    parameters: &Parameters,
    place: &Place,
    output: &Planes,
    index: usize,
    accumulators: *const u64,
    width: usize,
    memory: *mut u8,
) {
    let Conv { stride, requantize, .. } = parameters.conv;
    let multiplier = parameters.multipliers[index];
    for row in 0..place.shape.height as usize {
        let to = output.first(index) + row * output.pitch();
        for column in 0..place.shape.width as usize {
            let computed = column * stride as usize;
            // SAFETY: as the caller says.
            unsafe {
                let word = *accumulators.add((row * place.positions + computed / 2) * width);
                let lane = (word >> (32 + 16 * (computed % 2))) as u16;
                let activation = requantize.apply(i32::from(lane) - (1 << 15), multiplier);
                set_value(memory, to + column, activation.into());
            }
        }
    }
}
