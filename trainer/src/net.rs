//! The network under training.
//!
//! [`Net`] is built from a header whose numbers (multipliers, shifts) are still placeholders, trained, and exported with
//! those that were found. All parameters are one flat vector, for [`Adam`]; the forward pass computes
//! with whole numbers in 32-bit floats. Max pooling that follows a layer without residual is moved before the
//! normalization: multipliers are positive, so the result is the same, and there is less to normalize.

use inkling_network::{
    Bias, Header, HeaderError, Layer, Logits, Network, NetworkError, Parameters,
};
use rand::Rng;
use rand::rngs::StdRng;
use tch::{TchError, Tensor};
use thiserror::Error;

use crate::block::{Block, Slices, integers};
use crate::exact::{cut, sum_pool};
use crate::optimizer::Adam;
use crate::quantize;

/// Units of a logit's bias before it is a whole number.
const LOGIT_BIAS_UNITS: f64 = 8.0;
/// The deviation of the logits before training.
const LOGIT_DEVIATION: f64 = 2.0;
/// The most that the scale of the logits moves, as a logarithm.
const SCALE_LIMIT: f32 = 10.0;
/// No limit: far beyond what any parameter reaches.
const FAR: f32 = 1e6;

/// Why a network cannot be exported.
#[derive(Debug, Error)]
pub enum Error {
    /// The layers break a rule of `docs/format.md`, for instance by accumulators that might overflow.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The parameters do not fit the layers.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// libtorch could not copy a tensor out, or a parameter is no number.
    #[error("cannot read a tensor: {0}")]
    Tensor(#[from] TchError),
}

/// The network under training.
#[derive(Debug)]
pub struct Net {
    header: Header,
    steps: Vec<Step>,
    blocks: Vec<Block>,
    head: Head,
    /// A leaf of the graph: for each block weights, gains and offsets; then the weights, the biases and the logarithm of the
    /// scale of the logits.
    parameters: Tensor,
    sizes: Vec<i64>,
    frozen: bool,
}

/// What the forward pass does.
#[derive(Debug, Clone, Copy)]
enum Step {
    Block { index: usize, residual: bool, pool: Option<u8> },
    MaxPool(u8),
    SumPool { size: u8, shift: u8 },
}

/// The last layer.
#[derive(Debug)]
struct Head {
    layer: Logits,
    inputs: i64,
    /// The real value of one unit of the logits before training; 0 until the first batch.
    scale: f64,
    bias_shift: Option<u8>,
}

impl Net {
    /// A network of these layers with random weights.
    pub fn new(header: Header, rng: &mut StdRng) -> Self {
        let (mut steps, mut blocks) = (Vec::new(), Vec::new());
        for stage in header.stages() {
            let residual = match stage.computed() {
                Layer::Conv(conv) => conv.requantize.residual,
                Layer::Dense(dense) => dense.requantize.residual,
                _ => false,
            };
            // A layer that is applied again is none of its own, and makes no block.
            blocks.extend(Block::new(stage.layer(), stage.input));
            let step = match (stage.computed(), steps.last_mut()) {
                (Layer::MaxPool { size }, Some(Step::Block { residual: false, pool, .. }))
                    if pool.is_none() =>
                {
                    *pool = Some(size);
                    continue;
                }
                (Layer::MaxPool { size }, _) => Step::MaxPool(size),
                (Layer::SumPool { size, shift }, _) => Step::SumPool { size, shift },
                (Layer::Logits(_), _) => break,
                _ => Step::Block { index: stage.parameters.unwrap_or(0), residual, pool: None },
            };
            steps.push(step);
        }
        let Some((Layer::Logits(layer), input)) =
            header.stages().last().map(|stage| (stage.layer(), stage.input))
        else {
            unreachable!("a header ends with logits")
        };
        let head = Head { layer, inputs: input.len() as i64, scale: 0.0, bias_shift: None };
        let (values, sizes) = initial(&blocks, &head, rng);
        let parameters = Tensor::from_slice(&values).set_requires_grad(true);
        Self { header, steps, blocks, head, parameters, sizes, frozen: false }
    }

    /// An optimizer whose rates and limits are those of the parameters.
    pub fn optimizer(&self) -> Adam {
        let (mut rates, mut limits) = (Vec::new(), Vec::new());
        let mut add = |size: i64, rate: f64, limit: f32| {
            rates.extend((0..size).map(|_| rate as f32));
            limits.extend((0..size).map(|_| limit));
        };
        for (block, sizes) in self.blocks.iter().zip(self.sizes.chunks(3)) {
            let format = block.weights;
            add(sizes[0], quantize::spread(format), quantize::limit(format) as f32);
            add(sizes[1] + sizes[2], block.max() / 3.0, FAR);
        }
        let Head { layer: Logits { classes, weights, .. }, inputs, .. } = self.head;
        let count = inputs * i64::from(classes);
        add(count, quantize::spread(weights), quantize::limit(weights) as f32);
        add(classes.into(), LOGIT_BIAS_UNITS / 3.0, FAR);
        add(1, 0.5 / 3.0, SCALE_LIMIT);
        Adam::new(&rates, &limits)
    }

    /// The parameters, for the optimizer.
    pub fn parameters_mut(&mut self) -> &mut Tensor {
        &mut self.parameters
    }

    /// The logits `[n, classes]` of inputs `[n, 20, 20]` (whole numbers 0–255 of 32-bit floats), as real numbers with a
    /// gradient.
    pub fn forward(&mut self, inputs: &Tensor) -> Tensor {
        let (blocks, last) = self.slices();
        let input = self.header.input();
        let mut x = cut(inputs, input.crop, input.bits);
        self.blocks.iter_mut().for_each(Block::begin);
        for &step in &self.steps {
            x = match step {
                Step::Block { index, residual, pool } => {
                    let (block, slices) = (&mut self.blocks[index], &blocks[index]);
                    let mut acc = block.accumulate(&x, &slices.weights);
                    if let Some(size) = pool {
                        acc = max_pool(&acc, size);
                    }
                    let y = block.activate(&acc, slices);
                    if residual { (y + x).clamp_max(block.max()) } else { y }
                }
                Step::MaxPool(size) => max_pool(&x, size),
                Step::SumPool { size, shift: 0 } => sum_pool(&x, size),
                Step::SumPool { size, shift } => {
                    let real = sum_pool(&x, size) / f64::from(shift).exp2();
                    quantize::straight_through(&(&real + 0.5).floor(), &real)
                }
            };
        }
        self.head.forward(&x, &last, self.frozen)
    }

    /// Whether every parameter is a number.
    pub fn is_finite(&self) -> bool {
        tch::no_grad(|| self.parameters.isfinite().all().int64_value(&[]) == 1)
    }

    /// Whether the statistics are fixed and multipliers and biases rounded.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// Fixes the statistics, as the mean of those of some batches of inputs, and the shifts.
    ///
    /// Running statistics would lag behind the weights: a binary weight that changes its sign changes much.
    pub fn freeze(&mut self, batches: impl Iterator<Item = Tensor>) {
        for (count, inputs) in batches.enumerate() {
            let momentum = 1.0 / (count + 1) as f64;
            self.blocks.iter_mut().for_each(|block| block.momentum = momentum);
            let _ = tch::no_grad(|| self.forward(&inputs));
        }
        let (blocks, last) = tch::no_grad(|| self.slices());
        for (block, slices) in self.blocks.iter_mut().zip(&blocks) {
            block.freeze(slices);
        }
        self.head.bias_shift = Some(self.head.bias_shift(&last));
        self.frozen = true;
    }

    /// The integer network of this moment.
    ///
    /// # Errors
    /// [`Error`], for instance where accumulators might overflow.
    pub fn export(&self) -> Result<Network, Error> {
        tch::no_grad(|| {
            let (blocks, last) = self.slices();
            let mut layers: Vec<Layer> =
                self.header.stages().iter().map(|stage| stage.layer()).collect();
            let mut parameters = Vec::new();
            let owners = self.header.stages().iter().enumerate();
            let owners = owners.filter(|(_, stage)| stage.own().is_some()).map(|(at, _)| at);
            for ((at, block), slices) in owners.zip(&self.blocks).zip(&blocks) {
                let (layer, integers) = block.export(slices)?;
                layers[at] = layer;
                parameters.push(integers);
            }
            let (logits, integers) = self.head.export(&last)?;
            if let Some(layer) = layers.last_mut() {
                *layer = logits;
            }
            parameters.push(integers);
            let header = Header::new(self.header.input(), &layers)?;
            Ok(Network::new(header, parameters)?)
        })
    }

    /// The parameters of each block and those of the last layer, weights on their grids.
    fn slices(&self) -> (Vec<Slices>, Slices) {
        let parts = self.parameters.split_with_sizes(&self.sizes, 0);
        let blocks = self.blocks.iter().zip(parts.chunks(3)).map(|(block, parts)| Slices {
            weights: quantize::weights(&parts[0], block.weights)
                .view(block.weight_shape.as_slice()),
            gain: parts[1].shallow_clone(),
            offset: parts[2].shallow_clone(),
        });
        let blocks = blocks.collect();
        let parts = &parts[3 * self.blocks.len()..];
        let weights = quantize::weights(&parts[0], self.head.layer.weights);
        let last = Slices {
            weights: weights.view([self.head.inputs, -1]),
            gain: parts[2].shallow_clone(),
            offset: parts[1].shallow_clone(),
        };
        (blocks, last)
    }
}

impl Head {
    /// Logits as real numbers: the integers times a learned scale.
    fn forward(&mut self, x: &Tensor, slices: &Slices, frozen: bool) -> Tensor {
        let acc = x.flatten(1, -1).matmul(&slices.weights);
        if self.scale == 0.0 {
            let deviation = tch::no_grad(|| acc.std(false).double_value(&[]));
            self.scale = LOGIT_DEVIATION / deviation.max(1.0);
        }
        let scale = slices.gain.exp() * self.scale;
        if frozen {
            let shift = self.bias_shift(slices);
            return (acc + self.rounded(slices, shift) * f64::from(shift).exp2()) * scale;
        }
        acc * scale + &slices.offset / LOGIT_BIAS_UNITS
    }

    /// Biases in units of the accumulators.
    fn biases(&self, slices: &Slices) -> Tensor {
        // 0 before the first batch: any unit will do for biases of zero.
        let unit = if self.scale == 0.0 { 1.0 } else { self.scale };
        &slices.offset / LOGIT_BIAS_UNITS / (slices.gain.exp() * unit)
    }

    fn bias_shift(&self, slices: &Slices) -> u8 {
        self.bias_shift.unwrap_or_else(|| {
            let biases = tch::no_grad(|| self.biases(slices));
            let largest = biases.abs().max().double_value(&[]) * quantize::ROOM;
            quantize::bias_shift(largest, self.layer.bias)
        })
    }

    /// Biases as stored.
    fn rounded(&self, slices: &Slices, shift: u8) -> Tensor {
        let real = self.biases(slices) / f64::from(shift).exp2();
        let (least, largest) = self.layer.bias.range();
        let rounded = quantize::straight_through(&real.round(), &real);
        rounded.clamp(f64::from(least), f64::from(largest))
    }

    fn export(&self, slices: &Slices) -> Result<(Layer, Parameters), TchError> {
        let shift = self.bias_shift(slices);
        let (weights, biases) =
            (integers(&slices.weights)?, integers(&self.rounded(slices, shift))?);
        let layer = Logits { bias: Bias { shift, ..self.layer.bias }, ..self.layer };
        Ok((layer.into(), Parameters { weights, biases, multipliers: Vec::new() }))
    }
}

/// The first values of all parameters, and how many there are of each.
fn initial(blocks: &[Block], head: &Head, rng: &mut StdRng) -> (Vec<f32>, Vec<i64>) {
    let (mut values, mut sizes) = (Vec::new(), Vec::new());
    let mut add = |size: i64, value: &mut dyn FnMut() -> f64| {
        values.extend((0..size).map(|_| value() as f32));
        sizes.push(size);
    };
    for block in blocks {
        let (spread, max) = (quantize::spread(block.weights), block.max());
        add(block.weight_shape.iter().product(), &mut || spread * normal(rng));
        // Normalized accumulators spread from 0 to some 3 deviations.
        add(block.gains(), &mut || max / 3.0);
        add(block.outputs, &mut || max / 10.0);
    }
    let Logits { classes, weights, .. } = head.layer;
    let spread = quantize::spread(weights);
    add(head.inputs * i64::from(classes), &mut || spread * normal(rng));
    add(classes.into(), &mut || 0.0);
    add(1, &mut || 0.0);
    (values, sizes)
}

/// A number of the standard normal distribution, by Box and Muller's transform.
pub(crate) fn normal(rng: &mut StdRng) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - rng.random::<f64>(), rng.random());
    (-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
}

fn max_pool(x: &Tensor, size: u8) -> Tensor {
    x.max_pool2d([i64::from(size)], [i64::from(size)], [0], [1], false)
}
