//! Networks and images made from a generator of random numbers. A seed gives the same ones each time.
//!
//! Headers are drawn layer by layer, and what breaks a rule is drawn again; shifts suit the numbers that come in, so
//! that most layers pass on what they were given, which blind choices do not. Networks at the bounds of the format are
//! written by hand, in [`crate::extremes`].

use alloy::primitives::keccak256;
use inkling::models::Model;
use inkling_network::{
    Bias, BiasWidth, Conv, Dense, Groups, Header, Input, Layer, Logits, Multipliers, Network,
    Parameters, Requantize, Shape, Weights, pack,
};
use rand::{Rng, rngs::StdRng, seq::IndexedRandom};

/// A 20×20 image of 8 bits, all of which the first layer sees.
pub const IMAGE: Input =
    Input { shape: Shape { channels: 1, height: 20, width: 20 }, crop: 0, bits: 8 };

/// What a random network may have.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Layers before the logits.
    pub layers: usize,
    /// Multiply-adds of an inference.
    pub multiply_adds: usize,
    /// Words.
    pub words: u32,
}

impl Size {
    /// Some million gas in Solidity.
    pub const SMALL: Self = Self { layers: 5, multiply_adds: 30_000, words: 100 };

    /// What a contract with weights in code holds, and an inference of some milliseconds natively.
    pub const LARGE: Self = Self { layers: 8, multiply_adds: 400_000, words: 700 };

    fn holds(&self, header: &Header) -> bool {
        header.multiply_adds() <= self.multiply_adds && header.word_count() <= self.words
    }
}

/// A network of random layers with random bits as its words: also those bits that only fill a word, and ternary bytes
/// of 243 and more.
pub fn random_network(rng: &mut StdRng, input: Input, size: Size) -> Model {
    let header = random_header(rng, input, size);
    with_random_words(rng, header)
}

/// Dense layers of 8-bit weights over [`IMAGE`], the last one logits, with random bits as words. `[8]` makes 101 words,
/// in chunks of 32, 32, 32 and 5; `Naive` takes layers of more than 512 weights.
pub fn random_mlp(rng: &mut StdRng, widths: &[u16]) -> Model {
    let bias = Bias { width: BiasWidth::Bits16, shift: 2 };
    let (classes, hidden) = widths.split_last().expect("there are logits");
    let multipliers = Multipliers::Layer(40_000);
    let requantize = Requantize { multipliers, shift: 28, bits: 8, residual: false };
    let weights = Weights::Int8;
    let dense = |&outputs: &u16| Dense { outputs, weights, bias, requantize }.into();
    let mut layers: Vec<Layer> = hidden.iter().map(dense).collect();
    layers.push(Logits { classes: *classes as u8, weights, bias }.into());
    with_random_words(rng, Header::new(IMAGE, &layers).expect("it is a good header"))
}

/// The network that a header and random bits are.
pub fn with_random_words(rng: &mut StdRng, header: Header) -> Model {
    let words: Vec<pack::Word> = (0..header.word_count()).map(|_| rng.random()).collect();
    let network = pack::network(header, &words).expect("the number of words is right");
    let mut model = Model::new("random".into(), network).expect("it is small enough");
    model.hash = pack::model_hash(&model.header, &words, |bytes| keccak256(bytes).0).into();
    model.words = words;
    model
}

/// The network of a header whose weights, biases and multipliers are each the least, the middle or the greatest of what
/// can be stored, chosen by `choose` among the three.
pub fn with_bounds(header: Header, mut choose: impl FnMut() -> usize) -> Model {
    let mut parameters = Vec::new();
    for stored in header.stored() {
        let all: Vec<i8> = (i8::MIN..=i8::MAX).filter(|&w| stored.weights.contains(w)).collect();
        let weights = [all[0], all[all.len() / 2], all[all.len() - 1]];
        let (least, greatest) = stored.bias.range();
        let biases = [least, 0, greatest];
        let most: u16 = 1 << stored.multiplier_bits;
        let multipliers = [1, most / 2, most];
        let own = if stored.multiplier_bits > 0 { stored.outputs } else { 0 };
        parameters.push(Parameters {
            weights: (0..stored.count()).map(|_| weights[choose()]).collect(),
            biases: (0..stored.outputs).map(|_| biases[choose()]).collect(),
            multipliers: (0..own).map(|_| multipliers[choose()]).collect(),
        });
    }
    let network = Network::new(header, parameters).expect("counts and ranges are right");
    Model::new("bounds".into(), network).expect("it is small enough")
}

/// An image of 20×20 pixels, or another one of up to four planes; cropped and with fewer bits, or whole.
pub fn random_input(rng: &mut StdRng) -> Input {
    let shape = match rng.random_range(0..3) {
        0 => Shape {
            channels: rng.random_range(1..=4),
            height: rng.random_range(1..=12),
            width: rng.random_range(1..=12),
        },
        _ => IMAGE.shape,
    };
    let room = (shape.height.min(shape.width) - 1) / 2;
    let crop = if rng.random() { rng.random_range(0..=room.min(4)) as u8 } else { 0 };
    let bits = if rng.random() { rng.random_range(1..=8) } else { 8 };
    Input { shape, crop, bits }
}

/// The header of a network over `input`, drawn layer by layer.
pub fn random_header(rng: &mut StdRng, input: Input, size: Size) -> Header {
    // Logits that break no rule, so that what is there already is a header.
    let bias = Bias { width: BiasWidth::Bits4, shift: 0 };
    let probe = Layer::Logits(Logits { classes: 1, weights: Weights::Binary, bias });
    let mut layers = Vec::new();
    let mut header = Header::new(input, &[probe]).expect("a layer of nothing breaks no rule");
    for _ in 0..rng.random_range(0..=size.layers) {
        let next = (0..100).find_map(|_| {
            let with = [&layers[..], &[random_layer(rng, &header), probe]].concat();
            let longer = Header::new(input, &with).ok().filter(|header| size.holds(header))?;
            Some((with, longer))
        });
        let Some((with, longer)) = next else { break };
        (layers, header) = (with, longer);
        layers.pop();
    }
    let last = (0..1_000).find_map(|_| {
        let (input_shape, max_input) = end(&header);
        let weights = *Weights::ALL.choose(rng).expect("there are some");
        let bias = random_bias(rng, typical(input_shape.len(), max_input, weights));
        let logits = Logits { classes: rng.random_range(1..=12), weights, bias };
        let with = [&layers[..], &[logits.into()]].concat();
        Header::new(input, &with).ok().filter(|header| size.holds(header))
    });
    last.unwrap_or(header)
}

/// What comes into the last layer.
fn end(header: &Header) -> (Shape, u8) {
    let last = header.stages().last().expect("a header has layers");
    (last.input, last.max_input)
}

/// A layer in place of the last of `header`; it may break a rule.
fn random_layer(rng: &mut StdRng, header: &Header) -> Layer {
    let (shape, max_input) = end(header);
    let flat = shape.height * shape.width == 1;
    let kind = if flat { [0, 4, 5][rng.random_range(0..3)] } else { rng.random_range(0..10) };
    match kind {
        1 => Layer::MaxPool { size: rng.random_range(2..=3) },
        2 => Layer::SumPool { size: rng.random_range(2..=3), shift: rng.random_range(0..=3) },
        3 | 4 => Layer::Again { layer: rng.random_range(0..header.stages().len().min(16)) as u8 },
        0 => random_dense(rng, shape, max_input),
        _ => random_conv(rng, shape, max_input),
    }
}

fn random_dense(rng: &mut StdRng, shape: Shape, max_input: u8) -> Layer {
    let weights = *Weights::ALL.choose(rng).expect("there are some");
    let residual = shape.height * shape.width == 1 && rng.random_range(0..3) == 0;
    let outputs = if residual { shape.channels } else { rng.random_range(1..=40) };
    let typical = typical(shape.len(), max_input, weights);
    let requantize = Requantize { residual, ..random_requantize(rng, typical) };
    Dense { outputs, weights, bias: random_bias(rng, typical), requantize }.into()
}

fn random_conv(rng: &mut StdRng, shape: Shape, max_input: u8) -> Layer {
    let weights = *Weights::ALL.choose(rng).expect("there are some");
    let channels = shape.channels as u8;
    let kernel = *[1, 2, 3, 3, 3, 3, 4, 5, 7].choose(rng).expect("there are some");
    let residual = rng.random_range(0..4) == 0;
    let (stride, padding) = match residual || rng.random() {
        true => (1, (kernel - 1) / 2),
        false => (*[1, 1, 2, 3].choose(rng).expect("there are some"), rng.random_range(0..kernel)),
    };
    let groups = match rng.random_range(0..6) {
        0 | 1 => Groups::Depthwise,
        2 => Groups::Count(rng.random_range(1..=4)),
        _ => Groups::Count(1),
    };
    let outputs = match groups {
        _ if residual => channels,
        Groups::Depthwise => channels.saturating_mul(rng.random_range(1..=2)),
        // So that it can be applied again.
        Groups::Count(1) if channels > 1 && rng.random() => channels,
        Groups::Count(count) => count * rng.random_range(1..=12 / count),
    };
    let fan_in = match groups {
        Groups::Depthwise => 1,
        Groups::Count(count) => shape.channels as usize / count as usize,
    };
    let typical = typical(fan_in * kernel as usize * kernel as usize, max_input, weights);
    let requantize = Requantize { residual, ..random_requantize(rng, typical) };
    let bias = random_bias(rng, typical);
    Conv { outputs, kernel, stride, padding, groups, weights, bias, requantize }.into()
}

/// What an accumulator typically is: half of the inputs at half of their most, times weights of random sign.
fn typical(fan_in: usize, max_input: u8, weights: Weights) -> f64 {
    let weight = (f64::from(weights.max_magnitude()) * 0.6).max(1.0);
    ((fan_in as f64 / 2.0).sqrt() * f64::from(max_input) / 2.0 * weight).max(1.0)
}

/// Biases about as large as a typical accumulator or less; one in twenty may be of any size.
fn random_bias(rng: &mut StdRng, typical: f64) -> Bias {
    let widths = [BiasWidth::Bits4, BiasWidth::Bits8, BiasWidth::Bits16];
    let any = rng.random_range(0..20) == 0;
    let fits = |&&width: &&BiasWidth| any || bias_bits(width) <= typical.log2() as i32 + 2;
    let fitting: Vec<BiasWidth> = widths.iter().filter(fits).copied().collect();
    let width = *fitting.choose(rng).unwrap_or(&BiasWidth::Bits4);
    let shift = match any {
        true => rng.random_range(0..=23),
        false => typical.log2() as i32 - bias_bits(width) + rng.random_range(-1..=2),
    };
    Bias { width, shift: shift.clamp(0, 23) as u8 }
}

const fn bias_bits(width: BiasWidth) -> i32 {
    Bias { width, shift: 0 }.bits() as i32
}

/// A scale that makes a typical accumulator a typical activation.
fn random_requantize(rng: &mut StdRng, typical: f64) -> Requantize {
    let (multipliers, mean) = match rng.random_range(0..3) {
        0 => {
            let multiplier = rng.random_range(1..=u16::MAX);
            (Multipliers::Layer(multiplier), f64::from(multiplier))
        }
        1 => (Multipliers::Each4, 8.5),
        _ => (Multipliers::Each8, 128.5),
    };
    let bits = rng.random_range(1..=8);
    let scale = typical * mean / f64::from(1u16 << bits);
    let shift = scale.log2().round().clamp(1.0, 47.0) as u8;
    Requantize { multipliers, shift, bits, residual: false }
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
