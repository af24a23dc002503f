//! Random networks and images. A seed gives the same ones each time.

use inkling::models::Model;
use inkling_network::{Bias, Dense, Header, Network, Parameters, Requantize, Shape, Weights};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

/// A network of these layers with random formats and integers; where `extreme`, every weight and bias is the smallest,
/// the largest or 0.
///
/// Multipliers, shifts and biases are such that most layers pass on what they were given, which numbers drawn blindly
/// do not.
pub fn random_network(rng: &mut StdRng, input: Shape, widths: &[u16], extreme: bool) -> Model {
    // Not every bias shift leaves room for the products.
    let layers = (0..1_000).find_map(|_| {
        let layers = random_layers(rng, input, widths);
        let header = Header::new(input, layers.iter().map(|&(dense, _)| dense.into()).collect());
        Some((header.ok()?, layers))
    });
    let (header, layers) = layers.expect("some bias shifts fit");
    let mut integer = |(min, max): (i32, i32)| match extreme {
        true => *[min, max, 0].choose(rng).expect("there are three"),
        false => rng.random_range(min..=max),
    };
    let parameters = header.layers_with_inputs().zip(layers).map(|((inputs, layer), (_, most))| {
        let weights = (0..layer.weights(inputs)).map(|_| integer((-128, 127)) as i8).collect();
        let biases = (0..layer.biases()).map(|_| integer((-most, most))).collect();
        Parameters { weights, biases }
    });
    let network = Network::new(header.clone(), parameters.collect()).expect("counts are right");
    Model::new("random".into(), network).expect("it is small enough")
}

/// Random layers, and the largest bias of each.
fn random_layers(rng: &mut StdRng, input: Shape, widths: &[u16]) -> Vec<(Dense, i32)> {
    let (mut inputs, mut max_input) = (input.len() as f64, 255.0);
    let mut layers = Vec::new();
    for (index, &outputs) in widths.iter().enumerate() {
        let (multiplier, bits) = (rng.random_range(1..=u16::MAX), rng.random_range(1..=8));
        // Half of the inputs at half of their most, times weights of random sign.
        let typical = (inputs / 2.0).sqrt() * max_input / 2.0 * 74.0;
        let scale = typical * f64::from(multiplier) / f64::from(1u16 << bits);
        let shift = scale.log2().round().clamp(1.0, 47.0) as u8;
        let requantize = Requantize { multiplier, shift, bits };
        // Any shift for one layer in eight; else one at which a bias of 1 is less than the products.
        let most = if rng.random_range(0..8) == 0 { 23 } else { typical.log2() as u8 / 2 };
        let bias = match rng.random() {
            true => Bias::Int8 { shift: rng.random_range(0..=most) },
            false => Bias::Int16 { shift: rng.random_range(0..=most) },
        };
        let most = (typical as i32 >> bias.shift()).clamp(1, bias.range().1);
        let requantize = (index + 1 < widths.len()).then_some(requantize);
        layers.push((Dense { outputs, weights: Weights::Int8, bias, requantize }, most));
        (inputs, max_input) = (outputs.into(), requantize.map_or(0, Requantize::max).into());
    }
    layers
}

/// An image of `length` bytes: blank, full, of one pixel, or random with some share of background.
pub fn random_image(rng: &mut StdRng, length: usize) -> Vec<u8> {
    let mut image = vec![0; length];
    match rng.random_range(0..8) {
        0 => {}
        1 => image.fill(255),
        2 => image[rng.random_range(0..length)] = rng.random(),
        _ => {
            let background = rng.random::<f64>();
            for pixel in &mut image {
                if rng.random::<f64>() >= background {
                    *pixel = rng.random();
                }
            }
        }
    }
    image
}
