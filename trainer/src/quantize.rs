//! Numbers on a grid, with gradients.
//!
//! Every function here gives whole numbers forwards and, backwards, the gradient of what was rounded (the
//! straight-through estimator of Bengio et al., 2013). Weights are trained in units of their grid: how much a unit is
//! worth is learned with the gain of the layer (the multiplier), so that a step size apart from it, as LSQ (Esser et
//! al., 2020) has it, would be one factor in two places.

use inkling_network::{Bias, Multipliers, Weights};
use tch::Tensor;

/// How much a multiplier or bias may still grow after its shift was fixed.
pub const ROOM: f64 = 1.2;

/// The largest magnitude that a weight is trained to. Formats stay symmetric: −128, −8 and −4 are unused.
pub fn max_weight(format: Weights) -> f64 {
    match format {
        Weights::Int8 => 127.0,
        Weights::Int4 => 7.0,
        Weights::Int3 | Weights::Int2 => 3.0,
        Weights::Ternary | Weights::Binary => 1.0,
    }
}

/// The deviation of a layer's weights before training, in units of the grid: its learning rate is in proportion.
pub fn spread(format: Weights) -> f64 {
    match format {
        Weights::Int8 => 40.0,
        Weights::Int4 => 2.6,
        Weights::Int3 => 1.5,
        Weights::Int2 => 2.0,
        Weights::Ternary => 0.8,
        Weights::Binary => 0.6,
    }
}

/// The magnitude that real weights are kept within: a little beyond what rounds to the largest.
pub fn limit(format: Weights) -> f64 {
    match format {
        Weights::Int8 | Weights::Int4 | Weights::Int3 => max_weight(format) + 0.5,
        Weights::Int2 => 4.0,
        Weights::Ternary => 1.4,
        Weights::Binary => 1.5,
    }
}

/// The nearest weights that a format has.
pub fn weights(real: &Tensor, format: Weights) -> Tensor {
    let max = max_weight(format);
    match format {
        Weights::Int8 | Weights::Int4 | Weights::Int3 | Weights::Ternary => {
            straight_through(&real.round().clamp(-max, max), real)
        }
        // The odd numbers: two grid steps apart.
        Weights::Int2 => {
            straight_through(&(((real / 2.0).floor() * 2.0) + 1.0).clamp(-max, max), real)
        }
        Weights::Binary => straight_through(&(real.ge(0.0).to_kind(real.kind()) * 2.0 - 1.0), real),
    }
}

/// The largest multiplier of a format: what is stored is one less, but for the one of a layer.
pub fn max_multiplier(multipliers: Multipliers) -> u16 {
    match multipliers {
        Multipliers::Layer(_) => u16::MAX,
        Multipliers::Each4 => 16,
        Multipliers::Each8 => 256,
    }
}

/// The value of `rounded` with the gradient of `real`.
pub fn straight_through(rounded: &Tensor, real: &Tensor) -> Tensor {
    // In this order: exact, because the second term is zero.
    rounded.detach() + (real - real.detach())
}

/// Half the width and the middle of what rounds to activations of so many bits, −½ to `2^bits − ½`.
pub fn span(bits: u8) -> (f64, f64) {
    let half = f64::from(bits).exp2() / 2.0;
    (half, half - 0.5)
}

/// Activations of so many bits: `y`, rounded (half to even) and cut off at both ends; no gradient beyond. `scaled` is
/// `(y − middle) / half` of [`span`]'s: −1 to 1 are what is not cut off.
///
/// In four fast passes; libtorch's own fake quantization takes longer than a convolution.
pub fn activations(scaled: &Tensor, bits: u8) -> Tensor {
    let (half, middle) = span(bits);
    let y = scaled.hardtanh() * half;
    // The same memory, but not in the graph: the gradient is that of `y`.
    let mut values = y.detach();
    let _ = values.g_add_scalar_(middle);
    let _ = values.round_();
    // The upper end rounds up to one too many.
    let _ = values.clamp_max_(2.0 * half - 1.0);
    y
}

/// The smallest shift with which biases of at most this magnitude fit, at most 23.
pub fn bias_shift(magnitude: f64, bias: Bias) -> u8 {
    let max = f64::from(bias.range().1);
    let fits = |shift: &u8| (magnitude / f64::from(*shift).exp2()).round() <= max;
    (0..23).find(fits).unwrap_or(23)
}

/// The largest shift with which a multiplier for factors up to this one fits, 1 to 47.
pub fn shift(factor: f64, multipliers: Multipliers) -> u8 {
    let max = f64::from(max_multiplier(multipliers));
    let fits = |shift: &u8| (factor * f64::from(*shift).exp2()).round() <= max;
    (1..=47).rev().find(fits).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use inkling_network::BiasWidth;
    use tch::Kind;

    use super::*;

    #[test]
    fn straight_through_keeps_value_and_gradient_apart() {
        let x = Tensor::from_slice(&[0.3, 1.7]).set_requires_grad(true);
        let y = straight_through(&x.round(), &(&x * 3.0));
        y.sum(Kind::Double).backward();
        assert_eq!(Vec::<f64>::try_from(&y).unwrap(), [0.0, 2.0]);
        assert_eq!(Vec::<f64>::try_from(x.grad()).unwrap(), [3.0, 3.0]);
    }

    #[test]
    fn weights_of_each_format() {
        let real = [-200.0, -5.4, -2.1, -0.4, 0.0, 0.6, 1.9, 2.1, 9.0];
        let rounded = |format| {
            let got: Vec<f64> = weights(&Tensor::from_slice(&real), format).try_into().unwrap();
            got
        };
        assert_eq!(rounded(Weights::Int8), [-127.0, -5.0, -2.0, 0.0, 0.0, 1.0, 2.0, 2.0, 9.0]);
        assert_eq!(rounded(Weights::Int4), [-7.0, -5.0, -2.0, 0.0, 0.0, 1.0, 2.0, 2.0, 7.0]);
        assert_eq!(rounded(Weights::Int3), [-3.0, -3.0, -2.0, 0.0, 0.0, 1.0, 2.0, 2.0, 3.0]);
        assert_eq!(rounded(Weights::Int2), [-3.0, -3.0, -3.0, -1.0, 1.0, 1.0, 1.0, 3.0, 3.0]);
        assert_eq!(rounded(Weights::Ternary), [-1.0, -1.0, -1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(rounded(Weights::Binary), [-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    }

    #[test]
    fn activations_have_a_gradient_between_zero_and_the_largest() {
        let x = Tensor::from_slice(&[-0.6f32, -0.4, 0.0, 2.6, 15.4, 15.6]).set_requires_grad(true);
        let (half, middle) = span(4);
        let y = activations(&((&x - middle) / half), 4);
        // A gradient that depends on the values, as a later layer's does.
        (&y * &y).sum(Kind::Float).backward();
        assert_eq!(Vec::<f32>::try_from(&y).unwrap(), [0.0, 0.0, 0.0, 3.0, 15.0, 15.0]);
        assert_eq!(Vec::<f32>::try_from(x.grad()).unwrap(), [0.0, 0.0, 0.0, 6.0, 30.0, 0.0]);
    }

    #[test]
    fn shifts_use_the_bits_there_are() {
        let bias_shift = |magnitude, width| super::bias_shift(magnitude, Bias { width, shift: 0 });
        assert_eq!(bias_shift(127.4, BiasWidth::Bits8), 0);
        assert_eq!(bias_shift(128.0, BiasWidth::Bits8), 1);
        assert_eq!(bias_shift(1_000.0, BiasWidth::Bits4), 8);
        assert_eq!(bias_shift(1e30, BiasWidth::Bits16), 23);
        assert_eq!(shift(1.0, Multipliers::Each8), 8);
        assert_eq!(shift(0.9, Multipliers::Each4), 4);
        assert_eq!(shift(0.03, Multipliers::Layer(1)), 21);
        assert_eq!(shift(1e9, Multipliers::Each4), 1);
        assert_eq!(shift(1e-30, Multipliers::Each4), 47);
    }
}
