//! The integer network's forward pass over batches: what `inkling_network::reference` computes, by libtorch.
//!
//! Accumulators are sums of whole numbers, exact in 32-bit floats below 2^24 and in 64-bit floats up to any bound that
//! a header allows; which one a layer needs follows from its bound. Requantization is done in 64-bit floats: an
//! accumulator has at most 31 bits and a multiplier 16, and dividing by a power of two changes only the exponent.

use inkling_network::header::Stage;
use inkling_network::layer::Stored;
use inkling_network::{Layer, Multipliers, Network, Parameters, Requantize};
use tch::{Kind, Tensor};

/// Below it, sums of whole numbers are exact in 32-bit floats.
const EXACT: u64 = 1 << 24;

/// Images a pass.
const BATCH: i64 = 1_000;

/// The logits `[n, classes]` (64-bit floats, whole) of images `[n, height, width]` or `[n, bytes]`, u8.
///
/// # Panics
/// Where an image has another number of bytes than the network reads.
pub fn logits(network: &Network, images: &Tensor) -> Tensor {
    let outputs: Vec<Tensor> = tch::no_grad(|| {
        images.split(BATCH, 0).iter().map(|images| forward(network, images)).collect()
    });
    Tensor::cat(&outputs, 0)
}

/// The share (0–1) of images whose largest logit is that of their label, `[n]`, i64; of no images: 0.
pub fn accuracy(network: &Network, images: &Tensor, labels: &Tensor) -> f64 {
    let digits = logits(network, images).argmax(1, false);
    let correct = digits.eq_tensor(labels).sum(Kind::Int64).int64_value(&[]);
    correct as f64 / labels.size()[0].max(1) as f64
}

/// What of the images `[n, height, width]` the first layer sees: `[n, 1, …]`, planes last in memory, 32-bit floats.
pub(crate) fn cut(images: &Tensor, crop: u8, bits: u8) -> Tensor {
    let (crop, sides) = (i64::from(crop), images.size());
    let inner = |x: Tensor, axis: usize| x.narrow(axis as i64, crop, sides[axis] - 2 * crop);
    let x = inner(inner(images.shallow_clone(), 1), 2).to_kind(Kind::Float);
    (x / f64::from(8 - bits).exp2()).floor_().contiguous().unsqueeze(-1).permute([0, 3, 1, 2])
}

fn forward(network: &Network, images: &Tensor) -> Tensor {
    let input = network.header().input();
    let side = |side: u16| i64::from(side);
    let shape = [-1, side(input.shape.height), side(input.shape.width)];
    let mut x = cut(&images.view(shape), input.crop, input.bits);
    for stage in network.header().stages() {
        x = match (stage.computed(), stage.parameters.zip(stage.stored())) {
            (Layer::MaxPool { size }, _) => {
                x.max_pool2d([i64::from(size)], [i64::from(size)], [0], [1], false)
            }
            (Layer::SumPool { size, shift }, _) => {
                let (sum, unit) = (sum_pool(&x, size), f64::from(shift).exp2());
                ((sum + (0.5 * unit).floor()) / unit).floor()
            }
            (computed, Some((index, stored))) => {
                let parameters = &network.parameters()[index];
                let acc = accumulate(stage, &stored, parameters, &x);
                match requantize_of(computed) {
                    Some(requantize) => activate(&acc, requantize, parameters, &x),
                    None => acc,
                }
            }
            (_, None) => x,
        };
    }
    x.to_kind(Kind::Double).flatten(1, -1)
}

/// The sum of each square.
pub(crate) fn sum_pool(x: &Tensor, size: u8) -> Tensor {
    x.avg_pool2d([i64::from(size)], [i64::from(size)], [0], false, false, 1)
}

fn requantize_of(layer: Layer) -> Option<Requantize> {
    match layer {
        Layer::Dense(dense) => Some(dense.requantize),
        Layer::Conv(conv) => Some(conv.requantize),
        _ => None,
    }
}

/// Accumulators, `[n, outputs, height, width]`, 64-bit floats.
fn accumulate(stage: &Stage, stored: &Stored, parameters: &Parameters, x: &Tensor) -> Tensor {
    let kind = if stored.bound(stage.max_input) < EXACT { Kind::Float } else { Kind::Double };
    let weights = Tensor::from_slice(&parameters.weights).to_kind(kind);
    let biases: Vec<i64> =
        parameters.biases.iter().map(|&bias| i64::from(bias) << stored.bias.shift).collect();
    let biases = Tensor::from_slice(&biases).to_kind(Kind::Double);
    let (x, outputs) = (x.to_kind(kind), stored.outputs as i64);
    let sums = match stage.computed() {
        Layer::Conv(conv) => {
            let kernel = i64::from(conv.kernel);
            let groups = i64::from(conv.groups(stage.input.channels));
            let weights = weights.view([outputs, -1, kernel, kernel]);
            let (stride, padding) = ([conv.stride.into()], [conv.padding.into()]);
            x.conv2d(&weights, None::<Tensor>, stride, padding, [1], groups)
        }
        _ => x.flatten(1, -1).matmul(&weights.view([-1, outputs])).view([-1, outputs, 1, 1]),
    };
    sums.to_kind(Kind::Double) + biases.view([1, outputs, 1, 1])
}

/// `min((max(acc, 0) · m + 2^(s−1)) >> s, 2^a − 1)`, and `min(x' + x, 2^a − 1)` of a residual layer.
fn activate(acc: &Tensor, requantize: Requantize, parameters: &Parameters, x: &Tensor) -> Tensor {
    let multipliers: Vec<f64> = match requantize.multipliers {
        Multipliers::Layer(multiplier) => vec![multiplier.into()],
        Multipliers::Each4 | Multipliers::Each8 => {
            parameters.multipliers.iter().map(|&multiplier| multiplier.into()).collect()
        }
    };
    let multipliers = Tensor::from_slice(&multipliers).view([1, -1, 1, 1]);
    let (unit, max) = (f64::from(requantize.shift).exp2(), f64::from(requantize.max()));
    let y = ((acc.relu() * multipliers + 0.5 * unit) / unit).floor().clamp_max(max);
    let y = if requantize.residual { (y + x).clamp_max(max) } else { y };
    y.to_kind(Kind::Float)
}
