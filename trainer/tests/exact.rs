//! The batched forward pass and the network under training against the reference, on random networks.

use inkling_network::header::{Header, Stage};
use inkling_network::{
    Bias, BiasWidth, Conv, Dense, Groups, Input, Layer, Logits, Multipliers, Network, Parameters,
    Requantize, Shape, Weights, reference,
};
use inkling_trainer::exact;
use inkling_trainer::net::Net;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tch::{Kind, Tensor};

const SIDE: u16 = 20;

fn pick<T: Copy>(rng: &mut StdRng, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}

fn weights(rng: &mut StdRng) -> Weights {
    pick(rng, &Weights::ALL)
}

fn bias(rng: &mut StdRng) -> Bias {
    let width = pick(rng, &[BiasWidth::Bits4, BiasWidth::Bits8, BiasWidth::Bits16]);
    Bias { width, shift: rng.random_range(0..6) }
}

fn requantize(rng: &mut StdRng) -> Requantize {
    let layer = Multipliers::Layer(rng.random_range(1..=u16::MAX));
    let multipliers = pick(rng, &[layer, Multipliers::Each4, Multipliers::Each8]);
    let shift = match multipliers {
        Multipliers::Layer(_) => rng.random_range(14..26),
        Multipliers::Each4 => rng.random_range(3..12),
        Multipliers::Each8 => rng.random_range(8..16),
    };
    let bits = rng.random_range(1..=8);
    Requantize { multipliers, shift, bits, residual: rng.random_bool(0.5) }
}

fn layer(rng: &mut StdRng, at: u8) -> Layer {
    match rng.random_range(0..10) {
        0 => Layer::MaxPool { size: rng.random_range(2..4) },
        1 => Layer::SumPool { size: rng.random_range(2..4), shift: rng.random_range(0..6) },
        2 if at > 0 => Layer::Again { layer: rng.random_range(0..at) },
        3 => Dense {
            outputs: pick(rng, &[8, 24]),
            weights: weights(rng),
            bias: bias(rng),
            requantize: requantize(rng),
        }
        .into(),
        _ => {
            let kernel = rng.random_range(1..6);
            Conv {
                outputs: pick(rng, &[4, 8]),
                kernel,
                stride: pick(rng, &[1, 1, 2]),
                padding: kernel / 2,
                groups: pick(rng, &[Groups::Count(1), Groups::Count(2), Groups::Depthwise]),
                weights: weights(rng),
                bias: bias(rng),
                requantize: requantize(rng),
            }
            .into()
        }
    }
}

/// A header of random layers: those that do not fit the ones before are drawn again.
fn header(rng: &mut StdRng) -> Header {
    let crop = rng.random_range(0..5);
    let shape = Shape { channels: 1, height: SIDE, width: SIDE };
    let input = Input { shape, crop, bits: rng.random_range(1..=8) };
    let last = Logits { classes: 10, weights: weights(rng), bias: bias(rng) }.into();
    let mut layers = Vec::new();
    for _ in 0..40 {
        let more = [layers.as_slice(), &[layer(rng, layers.len() as u8), last]].concat();
        if layers.len() < 6 && Header::new(input, &more).is_ok() {
            layers = more[..more.len() - 1].to_vec();
        }
    }
    layers.push(last);
    Header::new(input, &layers).unwrap()
}

fn network(rng: &mut StdRng) -> Network {
    let header = header(rng);
    let parameters = header
        .stored()
        .map(|stored| {
            let weights: Vec<i8> =
                (i8::MIN..=i8::MAX).filter(|&w| stored.weights.contains(w)).collect();
            let (min, max) = stored.bias.range();
            let multipliers = if stored.multiplier_bits > 0 { stored.outputs } else { 0 };
            Parameters {
                weights: (0..stored.count()).map(|_| pick(rng, &weights)).collect(),
                biases: (0..stored.outputs).map(|_| rng.random_range(min..=max)).collect(),
                multipliers: (0..multipliers)
                    .map(|_| rng.random_range(1..=1 << stored.multiplier_bits))
                    .collect(),
            }
        })
        .collect();
    Network::new(header, parameters).unwrap()
}

fn images(rng: &mut StdRng, count: usize) -> Vec<u8> {
    let size = usize::from(SIDE * SIDE);
    (0..count * size)
        .map(|i| if i / size % 2 == 0 { rng.random() } else { 255 * rng.random_range(0..2) })
        .collect()
}

fn tensor(images: &[u8]) -> Tensor {
    Tensor::from_slice(images).view([-1, SIDE.into(), SIDE.into()])
}

fn reference_logits(network: &Network, images: &[u8]) -> Vec<f64> {
    let images = images.chunks_exact(usize::from(SIDE * SIDE));
    let logits = images.flat_map(|image| reference::forward(network, image).unwrap());
    logits.map(f64::from).collect()
}

#[test]
fn batches_compute_what_the_reference_computes() {
    let mut kinds = [0; 6];
    for seed in 0..300 {
        let mut rng = StdRng::seed_from_u64(seed);
        let network = network(&mut rng);
        let images = images(&mut rng, 4);
        let ours: Vec<f64> =
            exact::logits(&network, &tensor(&images)).flatten(0, -1).try_into().unwrap();
        assert_eq!(ours, reference_logits(&network, &images), "seed {seed}: {network:?}");
        for layer in network.header().stages().iter().map(Stage::layer) {
            kinds[match layer {
                Layer::Dense(_) => 0,
                Layer::Conv(_) => 1,
                Layer::MaxPool { .. } => 2,
                Layer::SumPool { .. } => 3,
                Layer::Again { .. } => 4,
                Layer::Logits(_) => 5,
            }] += 1;
        }
    }
    assert!(kinds.iter().all(|&count| count >= 20), "{kinds:?}");
}

/// What the frozen network under training computes is what it exports, whatever the layers: the logits agree up to a
/// factor, the learned scale.
#[test]
fn what_is_trained_is_what_is_exported() {
    let mut compared = 0;
    for seed in 0..60 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut net = Net::new(header(&mut rng), &mut rng);
        let mut optimizer = net.optimizer();
        let images = images(&mut rng, 40);
        let inputs = tensor(&images).to_kind(Kind::Float);
        let labels = Tensor::from_slice(&(0..40).map(|i| i % 10).collect::<Vec<i64>>());
        for step in 0..6 {
            if step == 3 {
                net.freeze(std::iter::once(inputs.shallow_clone()));
            }
            net.forward(&inputs).cross_entropy_for_logits(&labels).backward();
            optimizer.step(net.parameters_mut(), 0.01);
        }
        let Ok(network) = net.export() else { continue };
        let ours = tch::no_grad(|| net.forward(&inputs).to_kind(Kind::Double));
        let ours: Vec<f64> = ours.flatten(0, -1).try_into().unwrap();
        let reference = reference_logits(&network, &images);
        let (index, largest) =
            reference.iter().enumerate().max_by(|a, b| a.1.abs().total_cmp(&b.1.abs())).unwrap();
        if *largest != 0.0 {
            let scale = ours[index] / largest;
            assert!(scale > 0.0);
            for (ours, reference) in ours.iter().zip(&reference) {
                let error = (ours / scale - reference).abs();
                assert!(error <= 1e-5 * largest.abs(), "seed {seed}: {error} of {largest}");
            }
            compared += 1;
        }
    }
    assert!(compared >= 40, "{compared}");
}
