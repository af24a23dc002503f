//! Networks for tests: small and random, but the same each time.

use crate::{models::Model, samples::Samples};
use inkling_network::{
    Bias, BiasWidth, Dense, Header, Input, Layer, Logits, Multipliers, Network, Parameters,
    Requantize, Shape, Weights,
};

/// A network of 20×20 images with these layers, the last one logits, its integers from a small generator. `Naive` takes
/// it if each layer has more than 512 weights.
pub(crate) fn tiny_model(seed: u64, widths: &[u16]) -> Model {
    let mut state = seed;
    // Knuth's MMIX generator; its high bits are good enough.
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8 as i8
    };
    let multipliers = Multipliers::Layer(300);
    let requantize = Requantize { multipliers, shift: 16, bits: 8, residual: false };
    let (weights, bias) = (Weights::Int8, Bias { width: BiasWidth::Bits8, shift: 2 });
    let (classes, hidden) = widths.split_last().expect("there is a layer");
    let hidden = hidden.iter().map(|&outputs| Dense { outputs, weights, bias, requantize }.into());
    let logits = Logits { classes: *classes as u8, weights, bias };
    let layers: Vec<Layer> = hidden.chain([logits.into()]).collect();
    let shape = Shape { channels: 1, height: 20, width: 20 };
    let header = Header::new(Input { shape, crop: 0, bits: 8 }, &layers).unwrap();
    let parameters = header.stored().map(|stored| Parameters {
        weights: (0..stored.count()).map(|_| next()).collect(),
        biases: (0..stored.outputs).map(|_| next().into()).collect(),
        multipliers: Vec::new(),
    });
    let parameters = parameters.collect();
    Model::new(format!("random-{seed}"), Network::new(header, parameters).unwrap()).unwrap()
}

/// Gray images, the first black.
pub(crate) fn tiny_samples(count: u8) -> Samples {
    let images = (0..count).map(|n| [n * 20; 400]).collect();
    Samples { images, labels: vec![0; count.into()] }
}
