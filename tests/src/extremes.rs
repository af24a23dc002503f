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

/// Headers at some bound, each with the bound's name.
fn headers() -> Vec<(&'static str, Header)> {
    let ternary = Weights::Ternary;
    let bias = |width, shift| Bias { width, shift };
    let each8 =
        |shift, bits| Requantize { multipliers: Multipliers::Each8, shift, bits, ..REQUANTIZE };
    let layer = |multiplier, shift| Requantize {
        multipliers: Multipliers::Layer(multiplier),
        shift,
        ..REQUANTIZE
    };
    let mut headers = Vec::new();
    let mut add = |name, input, layers: &[Layer]| {
        headers.push((name, Header::new(input, layers).expect("it is within the bounds")));
    };

    add("one weight", input(1, 1, 1, 8), &[logits(1, Weights::Int8)]);
    add("one bit", input(1, 1, 1, 1), &[logits(2, Weights::Binary)]);
    add("255 classes", input(1, 2, 2, 8), &[logits(255, Weights::Int3)]);
    add("weights of 4,096 bits", input(1, 16, 16, 8), &[logits(16, Weights::Binary)]);
    add("weights of 4,097 bits", input(1, 17, 241, 8), &[logits(1, Weights::Binary)]);
    add("ternary weights of 4,096 bits", input(1, 20, 128, 8), &[logits(1, ternary)]);
    add("ternary weights of 4,104 bits", input(3, 9, 95, 8), &[logits(1, ternary)]);
    let dense = Dense { outputs: 4_096, weights: Weights::Binary, ..DENSE };
    add("4,096 outputs", input(1, 1, 1, 8), &[dense.into(), logits(1, Weights::Int2)]);

    let cropped = Input { crop: 7, ..input(2, 15, 15, 3) };
    let conv = Conv { outputs: 3, ..CONV };
    add("a crop that leaves a pixel", cropped, &[conv.into(), logits(2, Weights::Int2)]);
    let conv = Conv { outputs: 255, kernel: 3, weights: Weights::Binary, ..CONV };
    let depthwise = Conv { outputs: 255, groups: Groups::Depthwise, ..CONV };
    let layers = [conv.into(), depthwise.into(), logits(1, Weights::Int3)];
    add("255 planes", input(1, 3, 3, 8), &layers);
    let conv = Conv { outputs: 30, kernel: 2, groups: Groups::Count(15), ..CONV };
    let depthwise = Conv { outputs: 60, kernel: 2, groups: Groups::Depthwise, ..CONV };
    let layers = [conv.into(), depthwise.into(), logits(3, Weights::Int2)];
    add("15 groups", input(15, 5, 7, 8), &layers);
    let conv = Conv { outputs: 2, kernel: 15, padding: 14, weights: Weights::Int3, ..CONV };
    add("the largest kernel", input(2, 3, 2, 8), &[conv.into(), logits(3, ternary)]);
    let conv = Conv { outputs: 3, kernel: 3, stride: 15, padding: 2, ..CONV };
    add("the largest stride", input(1, 20, 33, 8), &[conv.into(), logits(3, Weights::Int8)]);

    let conv = Conv { outputs: 2, kernel: 2, ..CONV };
    let pool = Layer::SumPool { size: 15, shift: 8 };
    let layers = [pool, conv.into(), logits(2, Weights::Int8)];
    add("the largest pools", input(2, 31, 44, 8), &layers);
    let pools = [Layer::SumPool { size: 15, shift: 0 }, Layer::MaxPool { size: 2 }];
    let layers = [pools[0], pools[1], logits(2, Weights::Int8)];
    add("a pool of bits", input(1, 46, 31, 1), &layers);

    // 255² · 255 · 128 and 2^15 << 9, which is nearly 2^31.
    let wide = bias(BiasWidth::Bits16, 9);
    let last = Logits { classes: 1, weights: Weights::Int8, bias: wide };
    add("the largest image and sums", input(1, 255, 255, 8), &[last.into()]);
    let largest = bias(BiasWidth::Bits16, 15);
    let dense =
        |outputs, bias, requantize| Layer::from(Dense { outputs, bias, requantize, ..DENSE });
    let layers = [
        dense(2, largest, layer(65_535, 38)),
        dense(3, bias(BiasWidth::Bits8, 23), each8(31, 8)),
        dense(3, bias(BiasWidth::Bits8, 23), layer(65_535, 1)),
        dense(2, bias(BiasWidth::Bits4, 23), layer(1, 47)),
        Logits { classes: 2, weights: Weights::Int8, bias: largest }.into(),
    ];
    add("the largest biases and multipliers", input(1, 1, 3, 8), &layers);

    let conv = Conv { outputs: 4, kernel: 3, padding: 1, requantize: each8(9, 4), ..CONV };
    let again = Layer::Again { layer: 1 };
    let layers = [
        conv.into(),
        Conv {
            groups: Groups::Depthwise,
            requantize: Requantize { residual: true, ..each8(9, 4) },
            ..conv
        }
        .into(),
        again,
        again,
        Layer::MaxPool { size: 2 },
        again,
        // Fewer bits than come in: the sum is cut.
        Conv {
            outputs: 4,
            requantize: Requantize { bits: 2, residual: true, ..REQUANTIZE },
            ..CONV
        }
        .into(),
        logits(10, Weights::Int3),
    ];
    add("residual sums that are cut", Input { crop: 2, ..IMAGE }, &layers);
    add("32 layers in 255 bytes", input(1, 5, 5, 8), &longest());
    headers
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
        let (kernel, padding) = if k.is_multiple_of(2) { (3, 1) } else { (1, 0) };
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
    let mut note = |feature: String| {
        features.insert(feature);
    };
    let input = header.input();
    note(format!("{} input bits", input.bits));
    note(if input.crop > 0 { "crop" } else { "no crop" }.into());
    note(if input.shape.channels > 1 { "planes" } else { "one plane" }.into());
    note(if header.to_bytes().len() > 31 { "long header" } else { "short header" }.into());
    for stage in header.stages() {
        let (kind, requantize) = match stage.computed() {
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
        if let Layer::Again { layer } = stage.layer() {
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
