//! Headers as bytes.

use alloc::vec::Vec;

use super::{DEPTHWISE, Kind, SUM_POOL, VERSION};
use crate::layer::{Bias, Groups, Input, Layer, Multipliers, Requantize, Shape};

/// Bytes before the first record.
pub(super) const PREAMBLE: usize = 4;

/// A header of these layers; a number that its field cannot hold is cut off.
pub(super) fn to_bytes(input: Input, layers: &[Layer]) -> Vec<u8> {
    let Shape { channels, height, width } = input.shape;
    let mut bytes = Vec::from([
        VERSION << 4 | channels as u8 & 15,
        height as u8,
        width as u8,
        input.crop << 4 | input.bits & 15,
    ]);
    for layer in layers {
        bytes.extend(record(layer));
    }
    bytes
}

/// The record of a layer.
pub(super) fn record(layer: &Layer) -> Vec<u8> {
    let kind = |kind: Kind, argument: u8| (kind as u8) << 4 | argument & 15;
    match *layer {
        Layer::Dense(dense) => {
            let mut bytes = Vec::from([kind(Kind::Dense, dense.weights.code())]);
            bytes.extend(dense.outputs.to_be_bytes());
            bytes.push(bias_byte(dense.bias));
            push_requantize(&mut bytes, dense.requantize);
            bytes
        }
        Layer::Conv(conv) => {
            let groups = match conv.groups {
                Groups::Count(count) => count.wrapping_sub(1) & 15,
                Groups::Depthwise => DEPTHWISE,
            };
            let mut bytes = Vec::from([
                kind(Kind::Conv, conv.weights.code()),
                conv.outputs,
                conv.kernel << 4 | conv.stride & 15,
                conv.padding << 4 | groups,
                bias_byte(conv.bias),
            ]);
            push_requantize(&mut bytes, conv.requantize);
            bytes
        }
        Layer::MaxPool { size } => Vec::from([kind(Kind::MaxPool, size)]),
        Layer::SumPool { size, shift: 0 } => Vec::from([SUM_POOL << 4 | size & 15]),
        Layer::SumPool { size, shift } => Vec::from([kind(Kind::SumPool, size), shift]),
        Layer::Again { layer } => Vec::from([kind(Kind::Again, layer)]),
        Layer::Logits(logits) => {
            let weights = logits.weights.code();
            Vec::from([kind(Kind::Logits, weights), logits.classes, bias_byte(logits.bias)])
        }
    }
}

fn bias_byte(bias: Bias) -> u8 {
    (bias.width as u8) << 6 | bias.shift & 0x3f
}

fn push_requantize(bytes: &mut Vec<u8>, requantize: Requantize) {
    let Requantize { multipliers, shift, bits, residual } = requantize;
    let storage = match multipliers {
        Multipliers::Layer(_) => 0,
        Multipliers::Each4 => 1,
        Multipliers::Each8 => 2,
    };
    let field = storage << 14
        | u16::from(residual) << 13
        | u16::from(bits & 15) << 9
        | u16::from(shift & 0x3f);
    bytes.extend(field.to_be_bytes());
    if let Multipliers::Layer(multiplier) = multipliers {
        bytes.extend(multiplier.to_be_bytes());
    }
}
