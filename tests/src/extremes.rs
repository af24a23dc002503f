//! Networks at the bounds of `docs/format.md`, written by hand, and what of the format a network uses.

use crate::networks::{IMAGE, with_bounds, with_random_words};
use inkling::models::Model;
use inkling_network::{
    Bias, BiasWidth, Conv, Dense, Groups, Header, Input, Layer, Logits, Multipliers, Requantize,
    Shape, Weights,
};
use rand::{Rng, rngs::StdRng};
use std::collections::BTreeSet;

const BIAS: Bias = Bias { width: BiasWidth::Bits8, shift: 0 };

/// Its fields are changed where a network wants others.
const REQUANTIZE: Requantize =
    Requantize { multipliers: Multipliers::Each4, shift: 5, bits: 8, residual: false };

const CONV: Conv = Conv {
    outputs: 1,
    kernel: 1,
    stride: 1,
    padding: 0,
    groups: Groups::Count(1),
    weights: Weights::Int4,
    bias: BIAS,
    requantize: REQUANTIZE,
};

const DENSE: Dense =
    Dense { outputs: 1, weights: Weights::Int4, bias: BIAS, requantize: REQUANTIZE };

const fn logits(classes: u8, weights: Weights) -> Layer {
    Layer::Logits(Logits { classes, weights, bias: BIAS })
}

const fn input(channels: u16, height: u16, width: u16, bits: u8) -> Input {
    Input { shape: Shape { channels, height, width }, crop: 0, bits }
}

fn header(input: Input, layers: &[Layer]) -> Header {
    Header::new(input, layers).expect("it is within the bounds")
}

/// Headers at some bound, each with the bound's name.
fn headers() -> Vec<(&'static str, Header)> {
    let ternary = Weights::Ternary;
    let each8 = |shift, bits| Requantize {
        multipliers: Multipliers::Each8,
        shift,
        bits,
        ..REQUANTIZE
    };
    let layer = |multiplier, shift| Requantize {
        multipliers: Multipliers::Layer(multiplier),
        shift,
        ..REQUANTIZE
    };
    let residual = Requantize { residual: true, ..REQUANTIZE };
    let bias = |width, shift| Bias { width, shift };
    vec![
        ("one weight", header(input(1, 1, 1, 8), &[logits(1, Weights::Int8)])),
        ("one bit", header(input(1, 1, 1, 1), &[logits(2, Weights::Binary)])),
        ("255 classes", header(input(1, 2, 2, 8), &[logits(255, Weights::Int3)])),
        ("weights of 4,096 bits", header(input(1, 16, 16, 8), &[logits(16, Weights::Binary)])),
        ("weights of 4,097 bits", header(input(1, 17, 241, 8), &[logits(1, Weights::Binary)])),
        ("ternary weights of 4,096 bits", header(input(1, 20, 128, 8), &[logits(1, ternary)])),
        ("ternary weights of 4,104 bits", header(input(3, 9, 95, 8), &[logits(1, ternary)])),
        (
            "4,096 outputs",
            header(
                input(1, 1, 1, 8),
                &[
                    Dense { outputs: 4_096, weights: Weights::Binary, ..DENSE }.into(),
                    logits(1, Weights::Int2),
                ],
            ),
        ),
        ("a crop that leaves a pixel", header(Input { crop: 7, ..input(2, 15, 15, 3) }, &[
            Conv { outputs: 3, ..CONV }.into(),
            logits(2, Weights::Int2),
        ])),
        ("255 planes", header(input(1, 3, 3, 8), &[
            Conv { outputs: 255, kernel: 3, weights: Weights::Binary, ..CONV }.into(),
            Conv { outputs: 255, groups: Groups::Depthwise, ..CONV }.into(),
            logits(1, Weights::Int3),
        ])),
        ("15 groups", header(input(15, 5, 7, 8), &[
            Conv { outputs: 30, kernel: 2, groups: Groups::Count(15), ..CONV }.into(),
            Conv { outputs: 60, kernel: 2, groups: Groups::Depthwise, ..CONV }.into(),
            logits(3, Weights::Int2),
        ])),
        ("the largest kernel and padding", header(input(2, 3, 2, 8), &[
            Conv { outputs: 2, kernel: 15, padding: 14, weights: Weights::Int3, ..CONV }.into(),
            logits(3, ternary),
        ])),
        ("the largest stride", header(input(1, 20, 33, 8), &[
            Conv { outputs: 3, kernel: 3, stride: 15, padding: 2, ..CONV }.into(),
            logits(3, Weights::Int8),
        ])),
        ("the largest pools", header(input(2, 31, 44, 8), &[
            Layer::SumPool { size: 15, shift: 8 },
            Conv { outputs: 2, kernel: 2, ..CONV }.into(),
            logits(2, Weights::Int8),
        ])),
        ("a pool of bits", header(input(1, 46, 31, 1), &[
            Layer::SumPool { size: 15, shift: 0 },
            Layer::MaxPool { size: 2 },
            logits(2, Weights::Int8),
        ])),
        // 255² · 128 and 2^15 << 9, which is nearly 2^31.
        ("the largest image and sums", header(input(1, 255, 255, 8), &[Layer::Logits(Logits {
            classes: 1,
            weights: Weights::Int8,
            bias: bias(BiasWidth::Bits16, 9),
        })])),
        ("the largest accumulators and multipliers", header(input(1, 1, 3, 8), &[
            Dense {
                outputs: 2,
                bias: bias(BiasWidth::Bits16, 15),
                requantize: layer(65_535, 38),
                ..DENSE
            }.into(),
            Dense {
                outputs: 3,
                bias: bias(BiasWidth::Bits8, 23),
                requantize: each8(31, 8),
                ..DENSE
            }.into(),
            Dense {
                outputs: 3,
                bias: bias(BiasWidth::Bits8, 23),
                requantize: layer(65_535, 1),
                ..DENSE
            }.into(),
            Dense { outputs: 2, bias: bias(BiasWidth::Bits4, 23), requantize: layer(1, 47), ..DENSE }.into(),
            Layer::Logits(Logits {
                classes: 2,
                weights: Weights::Int8,
                bias: bias(BiasWidth::Bits16, 15),
            }),
        ])),
        ("sums above what residuals hold", header(Input { crop: 2, ..IMAGE }, &[
            Conv { outputs: 4, kernel: 3, padding: 1, requantize: each8(9, 4), ..CONV }.into(),
            Conv {
                outputs: 4,
                kernel: 3,
                padding: 1,
                groups: Groups::Depthwise,
                requantize: Requantize { residual: true, ..each8(9, 4) },
                ..CONV
            }.into(),
            Layer::Again { layer: 1 },
            Layer::Again { layer: 1 },
            Layer::MaxPool { size: 2 },
            Layer::Again { layer: 1 },
            // Fewer bits than come in, so that a sum of them is cut.
            Conv { outputs: 4, requantize: Requantize { bits: 2, ..residual }, ..CONV }.into(),
            logits(10, Weights::Int3),
        ])),
        ("32 layers in 255 bytes", header(input(1, 5, 5, 8), &longest())),
    ]
}

/// 27 convolutions of 9 bytes, the sixteenth of them three times more, a pool of 2 bytes, and logits.
fn longest() -> Vec<Layer> {
    let requantize = |k: u8| Requantize {
        multipliers: Multipliers::Layer(3 + u16::from(k) % 4),
        shift: 4,
        bits: 4 + k % 5,
        residual: k % 7 == 3,
    };
    let conv = |k: u8| {
        let weights = Weights::ALL[usize::from(k) % 5];
        let bias = Bias { width: BiasWidth::Bits4, shift: k % 3 };
        let (kernel, padding) = if k % 2 == 0 { (3, 1) } else { (1, 0) };
        let conv = Conv { outputs: 2, kernel, padding, weights, bias, ..CONV };
        Conv { requantize: requantize(k), ..conv }.into()
    };
    let mut layers: Vec<Layer> = (0..27).map(conv).collect();
    layers.extend([Layer::Again { layer: 15 }; 3]);
    layers.push(Layer::SumPool { size: 2, shift: 2 });
    layers.push(logits(3, Weights::Int4));
    layers
}

/// Each with random words and with numbers at the bounds of their formats: at random, all the least, all the greatest.
pub fn extremes(rng: &mut StdRng) -> Vec<(&'static str, Model)> {
    let mut models = Vec::new();
    for (name, header) in headers() {
        models.push((name, with_random_words(rng, header.clone())));
        models.push((name, with_bounds(header.clone(), || rng.random_range(0..3))));
        models.push((name, with_bounds(header.clone(), || 0)));
        models.push((name, with_bounds(header, || 2)));
    }
    models
}

/// What of the format a network uses, in words.
pub fn features(header: &Header) -> BTreeSet<String> {
    let mut features = BTreeSet::new();
    let mut note = |feature: String| drop(features.insert(feature));
    let input = header.input();
    note(format!("{} input bits", input.bits));
    note(if input.crop > 0 { "crop" } else { "no crop" }.into());
    note(if input.shape.channels > 1 { "planes" } else { "one plane" }.into());
    note(if header.to_bytes().len() > 31 { "long header" } else { "short header" }.into());
    for stage in header.stages() {
        let (kind, requantize) = match stage.computed {
            Layer::Dense(dense) => ("dense", Some(dense.requantize)),
            Layer::Conv(conv) => {
                note(match conv.groups {
                    Groups::Count(1) => "all planes".into(),
                    Groups::Count(_) => "groups".into(),
                    Groups::Depthwise => "depthwise".into(),
                });
                note(format!("stride {}", conv.stride));
                note(format!("padding {}", conv.padding));
                note(format!("kernel {}", conv.kernel));
                ("convolution", Some(conv.requantize))
            }
            Layer::Logits(_) => ("logits", None),
            Layer::MaxPool { size } => {
                note(format!("max pool {size}"));
                continue;
            }
            Layer::SumPool { size, shift } => {
                note(format!("sum pool {size} >> {shift}"));
                continue;
            }
            Layer::Again { .. } => continue,
        };
        if let Layer::Again { layer } = stage.layer {
            let same = header.stages()[usize::from(layer)].input == stage.input;
            note(format!("again {}", if same { "on the same shape" } else { "on another shape" }));
        }
        let stored = stage.stored().expect("it has parameters");
        let streamed = if stored.streamed { "streamed" } else { "inline" };
        note(format!("{streamed} {kind} {:?}", stored.weights));
        note(format!("biases {:?}", stored.bias.width));
        if let Some(requantize) = requantize {
            note(format!("multipliers of {} bits", requantize.multipliers.bits()));
            note(format!("activations of {} bits", requantize.bits));
            if requantize.residual {
                note(format!("residual {kind}"));
            }
        }
    }
    features
}
