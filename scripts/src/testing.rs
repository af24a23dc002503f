//! Networks for tests: small and random, but the same each time.

use crate::models::Model;
use inkling_network::{Bias, Dense, Header, Network, Parameters, Requantize, Shape, Weights};

/// A network of 20×20 images with these layers, its integers from a small generator.
pub(crate) fn tiny_model(seed: u64, widths: &[u16]) -> Model {
    let mut state = seed;
    // Knuth's MMIX generator; its high bits are good enough.
    let mut next = move || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8 as i8
    };
    let requantize = Requantize { multiplier: 300, shift: 16, bits: 8 };
    let last = widths.len() - 1;
    let layers = widths.iter().enumerate().map(|(k, &outputs)| {
        let requantize = (k != last).then_some(requantize);
        Dense { outputs, weights: Weights::Int8, bias: Bias::Int8 { shift: 2 }, requantize }.into()
    });
    let input = Shape { height: 20, width: 20, channels: 1 };
    let header = Header::new(input, layers.collect()).unwrap();
    let parameters = header.layers_with_inputs().map(|(inputs, layer)| Parameters {
        weights: (0..layer.weights(inputs)).map(|_| next()).collect(),
        biases: (0..layer.biases()).map(|_| next().into()).collect(),
    });
    let network = Network::new(header.clone(), parameters.collect()).unwrap();
    Model::new(format!("random-{seed}"), network).unwrap()
}
