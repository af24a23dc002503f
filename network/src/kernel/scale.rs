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
//! The product takes 32 bits, so the even and the odd lanes are multiplied apart.

use crate::layer::Requantize;

/// 1 in each lane.
pub(super) const ONES: u64 = 0x0001_0001_0001_0001;
/// Bit 15 of each lane.
pub(super) const HIGH: u64 = ONES << 15;
/// Lanes 0 and 2.
const EVEN: u64 = 0x0000_ffff_0000_ffff;
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

/// `min(v, 2^bits − 1)` in each lane, of values below 2^15.
#[inline(always)]
pub(super) const fn saturate(v: u64, limit: u64) -> u64 {
    let over = v.wrapping_add(ONES.wrapping_mul(MAX_LANE - limit)) >> 15 & ONES;
    (v | over.wrapping_mul(limit)) & ONES.wrapping_mul(limit)
}

/// The requantization of one output (plane).
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    multiplier: u64,
    /// `R + 2^15` in each lane.
    top: u64,
    /// `R · m + half` in both halves.
    offset: u64,
    shift: u32,
    /// The bits of a half that are left after the shift.
    mask: u64,
}

impl Scale {
    /// `None` where the scale is more than 1: then a value may leap over the largest activation.
    pub(super) const fn new(requantize: &Requantize, multiplier: u16) -> Option<Self> {
        let (mut shift, mut multiplier) = (requantize.shift as u32, multiplier as u64);
        if multiplier > 1 << shift {
            return None;
        }
        if shift > 31 {
            // 32,767 · 65,535 + 2^(s−1) is below 2^s: all is 0.
            (shift, multiplier) = (1, 0);
        }
        let half = 1 << (shift - 1);
        let largest = ((requantize.max() as u64) << shift) - half;
        let top =
            if multiplier * MAX_LANE < largest { MAX_LANE } else { largest.div_ceil(multiplier) };
        Some(Self {
            multiplier,
            top: (HIGH >> 15) * (top + (1 << 15)),
            offset: (top * multiplier + half) * 0x1_0000_0001,
            shift,
            mask: (u32::MAX >> shift) as u64 * 0x1_0000_0001,
        })
    }

    /// The activations of values below 2^15: lanes 0 and 2, and lanes 1 and 3, each in the lower end of a half.
    #[inline(always)]
    pub(super) const fn halves(&self, r: u64) -> (u64, u64) {
        let y = relu(self.top.wrapping_sub(r));
        (self.half(y & EVEN), self.half(y >> 16 & EVEN))
    }

    /// The activations of values below 2^15.
    #[inline(always)]
    pub(super) const fn apply(&self, r: u64) -> u64 {
        let (even, odd) = self.halves(r);
        even | odd << 16
    }

    #[inline(always)]
    const fn half(&self, y: u64) -> u64 {
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
        assert_eq!(saturate(0x01fe_000f_0010_0003, 15), 0x000f_000f_000f_0003);
    }

    #[test]
    fn every_accumulator_is_scaled_as_the_definition_says() {
        for (multiplier, shift, bits) in [
            (1, 1, 1),
            (3, 2, 4),
            (200, 12, 4),
            (256, 8, 8),
            (65_535, 16, 8),
            (65_535, 31, 8),
            (9, 32, 2),
            (9, 47, 8),
        ] {
            let multipliers = Multipliers::Layer(multiplier);
            let requantize = Requantize { multipliers, shift, bits, residual: false };
            let scale = Scale::new(&requantize, multiplier).unwrap();
            for acc in -32_767..=32_767i32 {
                // Its neighbours are extremes.
                let lane = (acc + 32_768) as u64;
                let lanes = 0x0001_0000_ffff_0000 | lane | lane << 32;
                let want = u64::from(requantize.apply(acc, multiplier));
                let top = u64::from(requantize.apply(32_767, multiplier));
                assert_eq!(
                    scale.apply(relu(lanes)),
                    want | top << 16 | want << 32,
                    "{acc} {scale:?}"
                );
            }
        }
    }

    #[test]
    fn a_scale_above_one_is_refused() {
        let multipliers = Multipliers::Layer(5);
        let requantize = Requantize { multipliers, shift: 2, bits: 4, residual: false };
        assert!(Scale::new(&requantize, 5).is_none());
        assert!(Scale::new(&requantize, 4).is_some());
    }
}
