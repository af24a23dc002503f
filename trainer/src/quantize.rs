//! From real scales to the integers of `docs/format.md`.
//!
//! A *scale* is the real value of one unit of an integer. A layer whose inputs have scale `x` and whose weights have
//! scale `w` has accumulators of scale `x · w`; requantization to activations of scale `y` multiplies by `x · w / y`,
//! which the integer network does by a multiplier and a shift.

use inkling_network::{Bias, Requantize};

/// The largest magnitude of a quantized weight. −128 is left unused, so that weights are symmetric.
pub const WEIGHT_MAX: f64 = 127.0;

/// The least range that is quantized: keeps scales of all-zero tensors above zero.
const MIN_RANGE: f64 = 1e-6;

/// The scale of weights whose largest magnitude is `max`.
pub fn weight_scale(max: f64) -> f64 {
    max.max(MIN_RANGE) / WEIGHT_MAX
}

/// The storage of biases of at most this magnitude, in units of the accumulators, with the smallest shift that fits.
///
/// Beyond the largest shift (15 for 16 bits, 23 for 8: half of what an accumulator holds) biases saturate.
pub fn bias_format(max: f64, bits: u8) -> Bias {
    let (limit, largest): (f64, u8) = if bits == 8 { (127.0, 23) } else { (32_767.0, 15) };
    let fits = |shift: &u8| (max / f64::from(1u32 << shift)).round() <= limit;
    let shift = (0..largest).find(fits).unwrap_or(largest);
    if bits == 8 { Bias::Int8 { shift } } else { Bias::Int16 { shift } }
}

/// The multiplier and shift nearest to a positive factor, with as many bits of the multiplier as there are (16).
///
/// Factors below 2^−47 or above 32,767 have none that is near and get the smallest or largest there is.
pub fn requantize(factor: f64, bits: u8) -> Requantize {
    // The multiplier is between 2^15 and 2^16 at this shift, but where a bound of the shift cuts in.
    let shift = (15.0 - factor.log2().floor()).clamp(1.0, 47.0);
    let multiplier = (factor * shift.exp2()).round();
    let (multiplier, shift) = if multiplier > 65_535.0 && shift > 1.0 {
        (32_768.0, shift - 1.0)
    } else {
        (multiplier, shift)
    };
    Requantize { multiplier: multiplier.clamp(1.0, 65_535.0) as u16, shift: shift as u8, bits }
}

/// The real factor that a multiplier and shift stand for.
pub fn factor(requantize: Requantize) -> f64 {
    f64::from(requantize.multiplier) / f64::from(requantize.shift).exp2()
}

/// The factor that takes accumulators of scale `accumulator` to activations of `bits` bits that reach up to `max`.
pub fn activation_factor(accumulator: f64, max: f64, bits: u8) -> f64 {
    accumulator * (f64::from(bits).exp2() - 1.0) / max.max(MIN_RANGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales() {
        assert_eq!(weight_scale(254.0), 2.0);
        assert_eq!(weight_scale(0.0), 1e-6 / 127.0);
        assert_eq!(activation_factor(2.0, 51.0, 8), 10.0);
    }

    #[test]
    fn the_smallest_bias_shift_that_fits() {
        assert_eq!(bias_format(0.0, 16), Bias::Int16 { shift: 0 });
        assert_eq!(bias_format(32_767.4, 16), Bias::Int16 { shift: 0 });
        assert_eq!(bias_format(32_768.0, 16), Bias::Int16 { shift: 1 });
        assert_eq!(bias_format(65_534.9, 16), Bias::Int16 { shift: 1 });
        assert_eq!(bias_format(65_535.0, 16), Bias::Int16 { shift: 2 });
        assert_eq!(bias_format(1e30, 16), Bias::Int16 { shift: 15 });
        assert_eq!(bias_format(1_000.0, 8), Bias::Int8 { shift: 3 });
        assert_eq!(bias_format(1e30, 8), Bias::Int8 { shift: 23 });
    }

    #[test]
    fn the_nearest_multiplier_and_shift() {
        let of = |factor| {
            let requantize = requantize(factor, 8);
            (requantize.multiplier, requantize.shift)
        };
        assert_eq!(of(1.0), (32_768, 15));
        assert_eq!(of(0.75), (49_152, 16));
        assert_eq!(of(0.000_4), (53_687, 27));
        assert_eq!(of(0.999_999_9), (32_768, 15)); // rounds up to 65,536, one more than a multiplier holds
        assert_eq!(of(30_000.0), (60_000, 1));
        assert_eq!(of(1e9), (65_535, 1));
        assert_eq!(of(1e-30), (1, 47));
        for factor in [3.7, 0.11, 4.2e-4, 1e-9] {
            let error = super::factor(requantize(factor, 8)) / factor - 1.0;
            assert!(error.abs() <= 1.0 / 65_536.0, "{factor}: {error}");
        }
    }
}
