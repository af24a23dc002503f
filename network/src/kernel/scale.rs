//! Requantization of four lanes at a time.
//!
//! An accumulator lies in a 16-bit lane with 2^15 added, so that lanes are unsigned and bit 15 says "not negative": ReLU
//! is a mask made of that bit. The upper end of the activations' range is another ReLU, from the other side: with `R` the
//! smallest value that saturates,
//!
//! ```text
//! r = max(acc, 0)        y = max(R − r, 0)        x' = (R·m + half − y·m) >> s
//! ```
//!
//! A product takes up to 32 bits, so even and odd lanes are multiplied apart.

use crate::layer::Requantize;

/// 1 in each lane.
pub(super) const ONES: u64 = 0x0001_0001_0001_0001;
/// Bit 15 of each lane.
pub(super) const HIGH: u64 = ONES << 15;
/// 1 in each half.
const BOTH: u64 = 0x1_0000_0001;
/// Lanes 0 and 2.
const EVEN: u64 = BOTH * 0xffff;
/// The largest magnitude of an accumulator in a lane.
pub(super) const MAX_LANE: u64 = 0x7fff;

/// `max(v − 2^15, 0)` in each lane.
#[inline(always)]
pub(super) const fn relu(v: u64) -> u64 {
    v & (v >> 15 & ONES).wrapping_mul(MAX_LANE)
}

/// The larger one in each lane, of values below 2^15.
#[inline(always)]
pub(super) const fn max(a: u64, b: u64) -> u64 {
    b.wrapping_add(relu((a | HIGH).wrapping_sub(b)))
}

/// Eight lanes by twos: those of even index and those of odd, in the order 0 4 2 6 and 1 5 3 7.
#[inline(always)]
pub(super) const fn pairs(left: u64, right: u64) -> (u64, u64) {
    (left & EVEN | (right & EVEN) << 16, left >> 16 & EVEN | right & !EVEN)
}

/// Lanes in the order 0 2 1 3: what [`pairs`] did.
#[inline(always)]
pub(super) const fn in_order(v: u64) -> u64 {
    const MIDDLE: u64 = 0xffff;
    v & !(MIDDLE << 16 | MIDDLE << 32) | (v >> 16 & MIDDLE << 16) | (v & MIDDLE << 16) << 16
}

/// The requantization of one output (plane).
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    multiplier: u64,
    /// `R + 2^15` in each lane.
    top: u64,
    /// `R · m + half` in each half.
    offset: u64,
    shift: u32,
    /// The bits that the shift leaves of a half.
    mask: u64,
}

impl Scale {
    /// For a multiplier of at most `2^shift`: with more, a value might leap over the largest activation.
    pub(super) const fn new(requantize: &Requantize, multiplier: u16) -> Self {
        let (mut shift, mut multiplier) = (requantize.shift as u32, multiplier as u64);
        if shift > 31 {
            // 32,767 · 65,535 + 2^(s−1) is below 2^s: all is 0.
            (shift, multiplier) = (31, 1);
        }
        let half = 1 << (shift - 1);
        let mut top = (((requantize.max() as u64) << shift) - half).div_ceil(multiplier);
        if top > MAX_LANE {
            top = MAX_LANE;
        }
        Self {
            multiplier,
            top: (top + (1 << 15)) * ONES,
            offset: (top * multiplier + half) * BOTH,
            shift,
            mask: (0xffff_ffff >> shift) * BOTH,
        }
    }

    /// The activations of values below 2^15.
    #[inline(always)]
    pub(super) const fn apply(&self, r: u64) -> u64 {
        let y = relu(self.top.wrapping_sub(r));
        self.scaled(y & EVEN) | self.scaled(y >> 16 & EVEN) << 16
    }

    #[inline(always)]
    const fn scaled(&self, y: u64) -> u64 {
        self.offset.wrapping_sub(y.wrapping_mul(self.multiplier)) >> self.shift & self.mask
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layer::Multipliers;

    #[test]
    fn lanes() {
        assert_eq!(relu(0x8005_7fff_8000_0000), 0x0005_0000_0000_0000);
        assert_eq!(max(0x7fff_0000_0005_0003, 0x0000_7fff_0004_0003), 0x7fff_7fff_0005_0003);
        let (even, odd) = pairs(0x0003_0002_0001_0000, 0x0007_0006_0005_0004);
        assert_eq!((even, odd), (0x0006_0002_0004_0000, 0x0007_0003_0005_0001));
        assert_eq!(in_order(even), 0x0006_0004_0002_0000);
    }

    #[test]
    #[cfg_attr(
        miri,
        ignore = "720,885 accumulators take Miri too long, and nothing here is unsafe"
    )]
    fn every_accumulator_is_scaled_as_the_definition_says() {
        let cases = [
            (1, 1, 1),
            (2, 1, 8),
            (3, 2, 4),
            (13, 8, 4),
            (200, 12, 4),
            (256, 8, 8),
            (65_535, 16, 8),
            (65_535, 31, 8),
            (65_535, 32, 8),
            (9, 32, 2),
            (9, 47, 8),
        ];
        for (multiplier, shift, bits) in cases {
            let multipliers = Multipliers::Layer(multiplier);
            let requantize = Requantize { multipliers, shift, bits, residual: false };
            let scale = Scale::new(&requantize, multiplier);
            for acc in -32_767..=32_767i32 {
                // Its neighbours are extremes.
                let lane = (acc + 32_768) as u64;
                let lanes = relu(0x0001_0000_ffff_0000 | lane | lane << 32);
                let want = u64::from(requantize.apply(acc, multiplier));
                let top = u64::from(requantize.apply(32_767, multiplier));
                assert_eq!(scale.apply(lanes), want | top << 16 | want << 32, "{acc} {scale:?}");
            }
        }
    }
}
