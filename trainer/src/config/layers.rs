//! The part of a configuration that says what a network is made of.

use inkling_network::{
    Bias, BiasWidth, Conv, Dense, Groups, Header, Input, Layer, Logits, Multipliers, Requantize,
    Shape, Weights,
};
use serde::{Deserialize, Serialize};

use super::{Config, Error, rule};

/// Rows and columns of the images that every network here reads.
const SIDE: u16 = inkling_data::preprocess::SIDE as u16;

/// The digits, or whatever else there are ten of.
pub const CLASSES: u8 = 10;

/// What of an image of 20×20 gray pixels the network reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputConfig {
    /// Pixels that are left out on each side: 0 to 9.
    #[serde(default)]
    pub crop: u8,
    /// Bits of a pixel, the high ones: 1 to 8.
    pub bits: u8,
}

/// A layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LayerConfig {
    /// Fully connected.
    Dense {
        /// Values it gives: 1 to 4,096.
        outputs: u16,
        /// See [`LayerConfig::Logits`].
        weight_bits: f64,
        /// See [`LayerConfig::Logits`].
        bias_bits: u8,
        /// 4 or 8: of the multiplier of each output; 16: of the one of the layer.
        multiplier_bits: u8,
        /// Bits of what it gives: 1 to 8.
        activation_bits: u8,
        /// Whether it adds its input.
        #[serde(default)]
        residual: bool,
    },
    /// A convolution.
    Conv {
        /// Planes it gives: 1 to 255.
        outputs: u8,
        /// Rows and columns of a plane's weights: 1 to 15.
        kernel: u8,
        /// 1 to 15.
        #[serde(default = "one")]
        stride: u8,
        /// Zero rows and columns around the input: 0 to below `kernel`.
        #[serde(default)]
        padding: u8,
        /// Groups of planes that do not see each other: 1 to 15; 0 means as many as input planes (depthwise).
        #[serde(default = "one")]
        groups: u8,
        /// See [`LayerConfig::Logits`].
        weight_bits: f64,
        /// See [`LayerConfig::Logits`].
        bias_bits: u8,
        /// 4 or 8: of the multiplier of each plane; 16: of the one of the layer.
        multiplier_bits: u8,
        /// Bits of what it gives: 1 to 8.
        activation_bits: u8,
        /// Whether it adds its input.
        #[serde(default)]
        residual: bool,
    },
    /// The largest of each square.
    MaxPool {
        /// The square's side: 2 to 15.
        size: u8,
    },
    /// The sum of each square.
    SumPool {
        /// The square's side: 2 to 15.
        size: u8,
        /// Bits that the sum is shifted right by, rounded: 0 to 8.
        shift: u8,
    },
    /// An earlier convolution again.
    Again {
        /// Its place in the list, counted from 0.
        layer: u8,
    },
    /// The last layer.
    Logits {
        /// Bits of a weight: 1, 1.58 (ternary), 2, 3, 4 or 8.
        weight_bits: f64,
        /// Bits of a stored bias: 4, 8 or 16.
        bias_bits: u8,
    },
}

fn one() -> u8 {
    1
}

/// The fields that dense layers and convolutions share.
#[derive(Debug, Clone, Copy)]
struct Storage {
    weight_bits: f64,
    bias_bits: u8,
    multiplier_bits: u8,
    activation_bits: u8,
    residual: bool,
}

impl Config {
    /// The network as a header whose numbers (multipliers and shifts) are the smallest there are: training finds them.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for bits that no layer has, [`Error::Header`] where the layers do not fit each other.
    pub fn header(&self) -> Result<Header, Error> {
        let layers = self.layers.iter().enumerate().map(|(at, layer)| layer.layer(at));
        let shape = Shape { channels: 1, height: SIDE, width: SIDE };
        let input = Input { shape, crop: self.input.crop, bits: self.input.bits };
        Ok(Header::new(input, &layers.collect::<Result<Vec<_>, _>>()?)?)
    }
}

impl InputConfig {
    pub(super) fn check(&self) -> Result<(), Error> {
        rule(self.crop <= 9, "input.crop", &self.crop, "0 to 9")?;
        rule((1..=8).contains(&self.bits), "input.bits", &self.bits, "1 to 8")
    }
}

impl LayerConfig {
    /// Layer number `at` as the header has it.
    fn layer(&self, at: usize) -> Result<Layer, Error> {
        let check = |holds, field, got: &dyn std::fmt::Debug, allowed| {
            rule(holds, format!("layers[{at}].{field}"), got, allowed)
        };
        Ok(match *self {
            Self::Dense {
                outputs,
                weight_bits,
                bias_bits,
                multiplier_bits,
                activation_bits,
                residual,
            } => {
                check((1..=4_096).contains(&outputs), "outputs", &outputs, "1 to 4096")?;
                let storage =
                    Storage { weight_bits, bias_bits, multiplier_bits, activation_bits, residual };
                let (weights, bias, requantize) = storage.read(at)?;
                Dense { outputs, weights, bias, requantize }.into()
            }
            Self::Conv {
                outputs,
                kernel,
                stride,
                padding,
                groups,
                weight_bits,
                bias_bits,
                multiplier_bits,
                activation_bits,
                residual,
            } => {
                check(outputs > 0, "outputs", &outputs, "1 to 255")?;
                check((1..=15).contains(&kernel), "kernel", &kernel, "1 to 15")?;
                check((1..=15).contains(&stride), "stride", &stride, "1 to 15")?;
                check(padding < kernel, "padding", &padding, "0 to below the kernel")?;
                let allowed = "1 to 15, 0 for depthwise";
                check(groups <= 15, "groups", &groups, allowed)?;
                let storage =
                    Storage { weight_bits, bias_bits, multiplier_bits, activation_bits, residual };
                let (weights, bias, requantize) = storage.read(at)?;
                let groups = if groups == 0 { Groups::Depthwise } else { Groups::Count(groups) };
                Conv { outputs, kernel, stride, padding, groups, weights, bias, requantize }.into()
            }
            Self::MaxPool { size } => {
                check((2..=15).contains(&size), "size", &size, "2 to 15")?;
                Layer::MaxPool { size }
            }
            Self::SumPool { size, shift } => {
                check((2..=15).contains(&size), "size", &size, "2 to 15")?;
                check(shift <= 8, "shift", &shift, "0 to 8")?;
                Layer::SumPool { size, shift }
            }
            Self::Again { layer } => {
                check(usize::from(layer) < at, "layer", &layer, "an earlier layer's place")?;
                Layer::Again { layer }
            }
            Self::Logits { weight_bits, bias_bits } => {
                let weights = weights(at, weight_bits)?;
                Logits { classes: CLASSES, weights, bias: bias(at, bias_bits)? }.into()
            }
        })
    }
}

impl Storage {
    fn read(self, at: usize) -> Result<(Weights, Bias, Requantize), Error> {
        let Self { weight_bits, bias_bits, multiplier_bits, activation_bits: bits, residual } =
            self;
        let multipliers = match multiplier_bits {
            4 => Multipliers::Each4,
            8 => Multipliers::Each8,
            16 => Multipliers::Layer(1),
            got => return Err(out_of_range(at, "multiplier_bits", &got, "4, 8 and 16")),
        };
        if !(1..=8).contains(&bits) {
            return Err(out_of_range(at, "activation_bits", &bits, "1 to 8"));
        }
        let requantize = Requantize { multipliers, shift: 1, bits, residual };
        Ok((weights(at, weight_bits)?, bias(at, bias_bits)?, requantize))
    }
}

fn weights(at: usize, bits: f64) -> Result<Weights, Error> {
    let formats = [
        (1.0, Weights::Binary),
        (1.58, Weights::Ternary),
        (2.0, Weights::Int2),
        (3.0, Weights::Int3),
        (4.0, Weights::Int4),
        (8.0, Weights::Int8),
    ];
    let format = formats.into_iter().find(|&(of, _)| of == bits).map(|(_, format)| format);
    format.ok_or_else(|| out_of_range(at, "weight_bits", &bits, "1, 1.58, 2, 3, 4 and 8"))
}

fn bias(at: usize, bits: u8) -> Result<Bias, Error> {
    let width = match bits {
        4 => BiasWidth::Bits4,
        8 => BiasWidth::Bits8,
        16 => BiasWidth::Bits16,
        got => return Err(out_of_range(at, "bias_bits", &got, "4, 8 and 16")),
    };
    Ok(Bias { width, shift: 0 })
}

fn out_of_range(at: usize, field: &str, got: &dyn std::fmt::Debug, allowed: &'static str) -> Error {
    Error::OutOfRange { field: format!("layers[{at}].{field}"), got: format!("{got:?}"), allowed }
}
