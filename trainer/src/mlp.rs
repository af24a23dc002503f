//! A multilayer perceptron under quantization-aware training.
//!
//! [`Mlp`] holds real weights and biases, and a running estimate of how large each hidden activation gets. From these
//! [`Mlp::grids`] derives the integer network's scales, and the forward pass computes with the integers: a quantized
//! value enters as `q + (r − r)`, where the second `r` has no gradient, so that the value is `q` to the last bit and
//! the gradient that of the real value `r`.

use inkling_data::model::LayerScales;
use inkling_network::{
    Bias, Dense, Header, HeaderError, Network, NetworkError, Parameters, Requantize, Shape, Weights,
};
use rand::Rng;
use rand::rngs::StdRng;
use tch::nn::VarStore;
use tch::{Kind, Tensor};
use thiserror::Error;

use crate::config::NetworkConfig;
use crate::quantize::{self, WEIGHT_MAX};

/// The input of every network here: 20×20 gray pixels.
pub const INPUT: Shape = Shape { height: 20, width: 20, channels: 1 };

/// The real value of one unit of the input: pixels are 0 to 1.
pub const INPUT_SCALE: f64 = 1.0 / 255.0;

/// The digits.
pub const CLASSES: u16 = 10;

/// Share of a new batch in the running estimate of an activation's range.
const RANGE_MOMENTUM: f64 = 0.05;

/// Why a network cannot be exported.
#[derive(Debug, Error)]
pub enum Error {
    /// The layers break a rule of `docs/format.md`.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The parameters do not fit the layers.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// libtorch could not copy a tensor out.
    #[error("cannot read a tensor: {0}")]
    Tensor(#[from] tch::TchError),
}

/// The network under training.
#[derive(Debug)]
pub struct Mlp {
    layers: Vec<TrainedLayer>,
    bias_bits: u8,
    activation_bits: u8,
}

#[derive(Debug)]
struct TrainedLayer {
    /// Real weights `[inputs, outputs]`.
    weight: Tensor,
    /// Real biases `[outputs]`.
    bias: Tensor,
    /// Running estimate of the largest activation; zero before the first batch.
    range: f64,
}

/// Where a layer's integers lie on the real line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// The real value of one unit of the layer's input.
    pub input_scale: f64,
    /// The real value of one unit of a weight.
    pub weight_scale: f64,
    /// Storage of the biases.
    pub bias: Bias,
    /// `None` in the last layer.
    pub requantize: Option<Requantize>,
}

impl Grid {
    /// The real value of one unit of an accumulator.
    pub fn accumulator_scale(&self) -> f64 {
        self.input_scale * self.weight_scale
    }

    /// The real value of one unit of an activation; `None` in the last layer.
    pub fn activation_scale(&self) -> Option<f64> {
        Some(self.accumulator_scale() / quantize::factor(self.requantize?))
    }
}

impl Mlp {
    /// A network with weights drawn uniformly with variance `2 / inputs` (He et al., 2015) and zero biases, held by
    /// an empty `store`.
    pub fn new(store: &mut VarStore, config: &NetworkConfig, rng: &mut StdRng) -> Self {
        // Integers up to 2^53 are exact in 64 bits; in 32 only up to 2^24.
        store.set_kind(Kind::Double);
        let outputs = config.hidden.iter().copied().chain([CLASSES]).map(i64::from);
        let mut inputs = INPUT.len() as i64;
        let mut layers = Vec::new();
        for (k, outputs) in outputs.enumerate() {
            let bound = (6.0 / inputs as f64).sqrt();
            let weights: Vec<f64> =
                (0..inputs * outputs).map(|_| rng.random_range(-bound..bound)).collect();
            let path = store.root() / format!("layer{k}");
            layers.push(TrainedLayer {
                weight: path
                    .var_copy("weight", &Tensor::from_slice(&weights).view([inputs, outputs])),
                bias: path
                    .var_copy("bias", &Tensor::zeros([outputs], (Kind::Double, path.device()))),
                range: 0.0,
            });
            inputs = outputs;
        }
        Self { layers, bias_bits: config.bias_bits, activation_bits: config.activation_bits }
    }

    /// The grid of each layer, from its weights, biases and activation range of this moment.
    pub fn grids(&self) -> Vec<Grid> {
        let mut input_scale = INPUT_SCALE;
        let mut grids = Vec::new();
        for (k, layer) in self.layers.iter().enumerate() {
            let grid = self.grid(layer, input_scale, k + 1 == self.layers.len());
            input_scale = grid.activation_scale().unwrap_or(input_scale);
            grids.push(grid);
        }
        grids
    }

    fn grid(&self, layer: &TrainedLayer, input_scale: f64, last: bool) -> Grid {
        let weight_scale = quantize::weight_scale(max_magnitude(&layer.weight));
        let accumulator = input_scale * weight_scale;
        let factor = quantize::activation_factor(accumulator, layer.range, self.activation_bits);
        Grid {
            input_scale,
            weight_scale,
            bias: quantize::bias_format(max_magnitude(&layer.bias) / accumulator, self.bias_bits),
            requantize: (!last).then(|| quantize::requantize(factor, self.activation_bits)),
        }
    }

    /// The integer logits of images `[n, 400]` (any kind, values 0–255), as 64-bit floats `[n, 10]` with the
    /// straight-through gradient, and the real value of one unit of them.
    pub fn forward(&self, images: &Tensor) -> (Tensor, f64) {
        let mut x = images.to_kind(Kind::Double);
        let mut scale = INPUT_SCALE;
        for (layer, grid) in self.layers.iter().zip(self.grids()) {
            let acc = layer.accumulate(&x, &grid);
            scale = grid.accumulator_scale();
            x = match grid.requantize {
                Some(requantize) => activate(&acc, requantize),
                None => acc,
            };
        }
        (x, scale)
    }

    /// [`Mlp::forward`] that first moves the ranges of the activations towards those of this batch.
    pub fn forward_observing(&mut self, images: &Tensor) -> (Tensor, f64) {
        tch::no_grad(|| {
            let mut x = images.to_kind(Kind::Double);
            let mut input_scale = INPUT_SCALE;
            for k in 0..self.layers.len() - 1 {
                // Weights and biases do not depend on the range: any grid will do for the accumulators.
                let grid = self.grid(&self.layers[k], input_scale, false);
                let acc = self.layers[k].accumulate(&x, &grid);
                let largest = acc.max().double_value(&[]).max(0.0) * grid.accumulator_scale();
                let range = &mut self.layers[k].range;
                *range += if *range == 0.0 { largest } else { RANGE_MOMENTUM * (largest - *range) };
                let grid = self.grid(&self.layers[k], input_scale, false);
                if let (Some(requantize), Some(scale)) = (grid.requantize, grid.activation_scale())
                {
                    x = activate(&acc, requantize);
                    input_scale = scale;
                }
            }
        });
        self.forward(images)
    }

    /// The integer network of this moment, and the scales of its layers.
    ///
    /// # Errors
    /// [`Error::Header`] where the layers break a rule of the format, for instance by accumulators that might
    /// overflow.
    pub fn export(&self) -> Result<(Network, Vec<LayerScales>), Error> {
        let mut layers = Vec::new();
        let mut parameters = Vec::new();
        let mut scales = Vec::new();
        for (layer, grid) in self.layers.iter().zip(self.grids()) {
            layers.push(
                Dense {
                    outputs: layer.bias.size()[0] as u16,
                    weights: Weights::Int8,
                    bias: grid.bias,
                    requantize: grid.requantize,
                }
                .into(),
            );
            let weights: Vec<f64> = layer.weights(&grid).flatten(0, -1).try_into()?;
            let biases: Vec<f64> = layer.biases(&grid).try_into()?;
            parameters.push(Parameters {
                weights: weights.into_iter().map(|weight| weight as i8).collect(),
                biases: biases.into_iter().map(|bias| bias as i32).collect(),
            });
            let (weight, activation) = (grid.weight_scale, grid.activation_scale());
            scales.push(LayerScales { weight, activation });
        }
        Ok((Network::new(Header::new(INPUT, layers)?, parameters)?, scales))
    }
}

impl TrainedLayer {
    /// The integer weights.
    fn weights(&self, grid: &Grid) -> Tensor {
        (&self.weight / grid.weight_scale).round().clamp(-WEIGHT_MAX, WEIGHT_MAX)
    }

    /// The integer biases as stored.
    fn biases(&self, grid: &Grid) -> Tensor {
        let (min, max) = grid.bias.range();
        let unit = grid.accumulator_scale() * f64::from(grid.bias.shift()).exp2();
        (&self.bias / unit).round().clamp(f64::from(min), f64::from(max))
    }

    /// `(b << bias shift) + x · w`, with the gradient of the real weights and biases.
    fn accumulate(&self, x: &Tensor, grid: &Grid) -> Tensor {
        let weights = straight_through(&self.weights(grid), &(&self.weight / grid.weight_scale));
        let biases = self.biases(grid) * f64::from(grid.bias.shift()).exp2();
        let biases = straight_through(&biases, &(&self.bias / grid.accumulator_scale()));
        x.matmul(&weights) + biases
    }
}

/// [`Requantize::apply`] on a tensor, with the gradient of a ReLU that is cut off at the largest activation.
fn activate(acc: &Tensor, requantize: Requantize) -> Tensor {
    let max = f64::from(requantize.max());
    let real = (acc * quantize::factor(requantize)).clamp(0.0, max);
    // Exact: an accumulator has at most 31 bits and the multiplier 16, a 64-bit float holds 53; division by a power
    // of two only changes the exponent.
    let half = f64::from(requantize.shift - 1).exp2();
    let scaled = acc.relu() * f64::from(requantize.multiplier) + half;
    let quantized = (scaled / (2.0 * half)).floor().clamp_max(max);
    straight_through(&quantized, &real)
}

/// The value of `quantized` with the gradient of `real`.
fn straight_through(quantized: &Tensor, real: &Tensor) -> Tensor {
    quantized.detach() + (real - real.detach())
}

fn max_magnitude(tensor: &Tensor) -> f64 {
    tch::no_grad(|| tensor.abs().max().double_value(&[]))
}

#[cfg(test)]
mod tests {
    use inkling_network::reference;
    use rand::SeedableRng;
    use tch::nn::{AdamW, OptimizerConfig};

    use super::*;
    use crate::config::{Config, tests::TINY};

    #[test]
    fn straight_through_keeps_value_and_gradient_apart() {
        let x = Tensor::from_slice(&[0.3, 1.7]).set_requires_grad(true);
        let y = straight_through(&x.round(), &(&x * 3.0));
        y.sum(Kind::Double).backward();
        assert_eq!(Vec::<f64>::try_from(&y).unwrap(), [0.0, 2.0]);
        assert_eq!(Vec::<f64>::try_from(x.grad()).unwrap(), [3.0, 3.0]);
    }

    #[test]
    fn activate_is_requantize() {
        for (multiplier, shift, bits) in
            [(65_535, 24, 8), (40_000, 27, 8), (1, 1, 3), (32_768, 47, 1)]
        {
            let requantize = Requantize { multiplier, shift, bits };
            let edge = (1i64 << (shift - 1)) / i64::from(multiplier);
            let accs: Vec<i32> = (-3..=3)
                .flat_map(|d| [edge + d, 3 * edge + d, d, i64::from(i32::MAX) - 3 + d, d << 20])
                .map(|acc| acc.clamp(i32::MIN.into(), i32::MAX.into()) as i32)
                .collect();
            let tensor = Tensor::from_slice(&accs).to_kind(Kind::Double);
            let got: Vec<f64> = activate(&tensor, requantize).try_into().unwrap();
            let expected: Vec<f64> = accs.iter().map(|&acc| requantize.apply(acc).into()).collect();
            assert_eq!(got, expected, "{requantize:?}");
        }
    }

    #[test]
    fn trains_what_the_reference_computes() {
        let base = Config::parse(TINY).unwrap().network;
        for (hidden, bias_bits, activation_bits) in
            [(vec![12, 9], 16, 8), (vec![], 16, 8), (vec![64], 8, 4), (vec![5, 5, 5], 8, 1)]
        {
            let config = NetworkConfig { hidden, bias_bits, activation_bits, ..base.clone() };
            let mut rng = StdRng::seed_from_u64(3);
            let mut store = VarStore::new(tch::Device::Cpu);
            let mut mlp = Mlp::new(&mut store, &config, &mut rng);
            let images: Vec<u8> = (0..300 * 400)
                .map(|i| if i % 800 < 400 { rng.random() } else { 255 * rng.random_range(0..2) })
                .collect();
            let tensor = Tensor::from_slice(&images).view([-1, 400]);
            let labels = Tensor::from_slice(&(0..300).map(|i| i % 10).collect::<Vec<i64>>());
            let mut optimizer = AdamW::default().build(&store, 0.05).unwrap();
            for _ in 0..5 {
                let (logits, scale) = mlp.forward_observing(&tensor);
                optimizer.backward_step(&(logits * scale).cross_entropy_for_logits(&labels));
            }
            let (network, scales) = mlp.export().unwrap();
            assert!(network.parameters().iter().all(|p| p.biases.iter().any(|&bias| bias != 0)));
            assert_eq!(scales.len(), config.hidden.len() + 1);
            let ours: Vec<f64> = mlp.forward(&tensor).0.flatten(0, -1).try_into().unwrap();
            let reference: Vec<f64> = images
                .chunks_exact(400)
                .flat_map(|image| reference::forward(&network, image).unwrap())
                .map(f64::from)
                .collect();
            assert_eq!(ours, reference);
        }
    }
}
