//! The stream of bits that words are, in a form that a WASM program can cut fields from cheaply.
//!
//! Words are big-endian and WASM is little-endian, so the bytes are kept in reverse: byte `k` of the stream lies `k` bytes
//! before the end. An unaligned load then has the stream's next eight bytes in its register with the earliest bit on
//! top, wherever the field begins, and two shifts cut it out.

use alloc::vec::Vec;

use super::memory::{load, store};
use crate::layer::Weights;
use crate::pack::Word;
use crate::room::zeros;

/// Bytes behind the stream that a load of eight touches, which may begin up to 16 bytes behind its end.
const SLACK: usize = 24;

/// Fields one after another, from the most significant bit of the first byte on.
#[derive(Default)]
pub(super) struct Bits {
    /// [`SLACK`] bytes of zeros, then the bytes in reverse, as little-endian numbers.
    reversed: Vec<u64>,
}

impl Bits {
    /// Room for so many words, all zero.
    pub(super) fn of_words(words: usize) -> Self {
        Self { reversed: zeros(SLACK / 8 + words * 4) }
    }

    /// Room for what [`Bits::ternary_fields`] makes of so many weights.
    pub(super) fn of_ternary_fields(count: usize) -> Self {
        Self::of_words(count / 128 + 1)
    }

    /// Puts a word at its place in the stream.
    pub(super) fn set_word(&mut self, index: usize, word: &Word) {
        let (fours, _) = word.as_chunks();
        let swap = |four: usize| u32::from_be_bytes(fours[four]).to_le_bytes();
        let reversed = [[swap(7), swap(6), swap(5), swap(4)], [swap(3), swap(2), swap(1), swap(0)]];
        let at = self.bytes() - 32 * (index + 1);
        assert!(at < self.bytes());
        // SAFETY: 32 bytes inside, since the length is a multiple of 8 and `at` at most 32 below it.
        unsafe {
            self.reversed.as_mut_ptr().byte_add(at).cast::<[[[u8; 4]; 4]; 2]>().write(reversed)
        };
    }

    /// Bytes, the slack included.
    const fn bytes(&self) -> usize {
        self.reversed.len() * 8
    }

    /// The `width` bits (1–57) from bit `at` on, which is at most 16 bytes behind the stream; zeros follow its end.
    #[inline(always)]
    pub(super) fn field(&self, at: usize, width: usize) -> u64 {
        let byte = at >> 3;
        debug_assert!((1..=57).contains(&width) && byte <= self.bytes() - 8);
        // SAFETY: the load begins 0 to `bytes - 8` bytes after the start.
        let window = unsafe { load(self.reversed.as_ptr().cast(), self.bytes() - 8 - byte) };
        window << (at & 7) >> (64 - width)
    }

    /// Ternary weights, five to a byte from bit `at` on, as a stream `to` of two-bit fields that hold `w + 1`.
    pub(super) fn ternary_fields(&self, at: usize, count: usize, to: &mut Self) {
        let bytes = to.bytes();
        // Four bytes, 20 weights, 40 bits at a time. A lane holds a byte; v / 3 is v · 171 >> 9 up to 255.
        for group in 0..count.div_ceil(20) {
            let four = self.field(at + group * 32, 32);
            let two = (four | four << 16) & 0x0000_ffff_0000_ffff;
            let mut lanes = (two | two << 8) & 0x00ff_00ff_00ff_00ff;
            let mut digits = 0;
            let mut digit = || {
                let thirds = ((lanes * 171) >> 9) & 0x007f_007f_007f_007f;
                digits = (digits << 2) + lanes - 3 * thirds;
                lanes = thirds;
            };
            digit();
            digit();
            digit();
            digit();
            digit();
            let odd = digits >> 6 & 0x000f_fc00_000f_fc00;
            let pairs = digits & 0x0000_03ff_0000_03ff | odd;
            let all = (pairs >> 32 << 20 | pairs & 0xf_ffff) << 24;
            let at = bytes - 8 - group * 5;
            assert!(at < bytes);
            // SAFETY: eight bytes inside, since `at` is at most `bytes - 8`. The last three are written again, or slack.
            unsafe { store(to.reversed.as_mut_ptr().cast(), at, all) };
        }
    }
}

/// How fields become weights: `w = (u << shift) − offset`, where `u` is the field, its sign bit inverted if it has one.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// Bits of a field: 1, 2, 3, 4 or 8.
    pub(super) bits: usize,
    /// What a field is XORed with: the sign bit of two's complement.
    pub(super) flip: u64,
    /// 1 where weights are odd numbers.
    pub(super) shift: u32,
    /// What is taken off: the largest magnitude.
    pub(super) offset: u64,
}

impl Format {
    /// The fields of a storage format; those of ternary weights are what [`Bits::ternary_fields`] gives.
    pub(super) fn of(weights: Weights) -> Self {
        let offset = u64::from(weights.max_magnitude());
        let (bits, flip, shift) = match weights {
            Weights::Ternary => (2, 0, 0),
            Weights::Binary | Weights::Int2 => (weights.code().into(), 0, 1),
            _ => (weights.code().into(), offset, 0),
        };
        Self { bits, flip, shift, offset }
    }
}
