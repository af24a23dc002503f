//! For tests, and the same each time: small random networks, gray images, an evaluation.

use crate::{
    artifacts::Contract,
    gas::Stats,
    models::Model,
    report::{Evaluation, GasBy, Histogram, Misread},
    samples::Samples,
};
use alloy::primitives::B256;
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

/// Four images of two classes, one of them misread.
pub(crate) fn tiny_evaluation() -> Evaluation {
    Evaluation {
        model: "m".into(),
        shape: "400→2".into(),
        model_hash: B256::ZERO,
        contract: Contract::Packed,
        sha256: Some("ab12".into()),
        chain_id: 412_346,
        address: None,
        gas_by: GasBy::Transaction,
        cached: false,
        samples: 4,
        correct: 3,
        disagreements: vec![2],
        confusion: vec![vec![2, 0], vec![1, 1]],
        misread: vec![Misread { image: 3, label: 1, digit: 0, logits: vec![5, -5] }],
        transaction_gas: Some(Stats { min: 1, mean: 2_000, max: 3_000 }),
        execution_gas: Some(Stats { min: 1, mean: 2, max: 3 }),
        l1_gas: Some(Stats::of(&[0])),
        histogram: Some(Histogram::of(&[1, 3_000])),
        gas_price_wei: 100_000_000,
        eth_price: Some(3_000.0),
    }
}

/// Gray images, the first black.
pub(crate) fn tiny_samples(count: u8) -> Samples {
    let images = (0..count).map(|n| [n * 20; 400]).collect();
    Samples { images, labels: vec![0; count.into()] }
}
