//! One layer with weights under training: a convolution or a dense layer, its normalization and its rounding.
//!
//! The weights' integers make integer accumulators, exact in 32-bit floats. These are normalized as in batch
//! normalization (Ioffe and Szegedy, 2015): `y = g · (acc − µ) / σ + o`, on a scale where one unit is one step of the
//! activations, and rounded. A gain for each output becomes its multiplier; where a layer has a single multiplier, all
//! outputs share `g` and `σ`. *Freezing* fixes `µ` and `σ`, so that the same line reads
//! `(acc + b) · m / 2^s` with `b = o σ / g − µ` and `m / 2^s = g / σ`, and from then on `b` and `m` are rounded as they
//! will be stored, while `g` and `o` still learn.

use inkling_network::{Bias, Conv, Layer, Multipliers, Parameters, Requantize, Shape, Weights};
use tch::{Device, Kind, TchError, Tensor};

use crate::quantize;

/// Added to variances, which may be zero.
const EPSILON: f64 = 1e-5;
/// Share of a new batch in the running statistics.
const MOMENTUM: f64 = 0.05;

/// A layer's parameters as tensors: weights on their grid, gain and offset.
#[derive(Debug)]
pub(crate) struct Slices {
    /// As [`Block::weight_shape`].
    pub(crate) weights: Tensor,
    /// `[outputs]` or `[1]`.
    pub(crate) gain: Tensor,
    /// `[outputs]`
    pub(crate) offset: Tensor,
}

/// Means and variances of the accumulators of each output, `[outputs]`.
#[derive(Debug)]
struct Statistics {
    mean: Tensor,
    variance: Tensor,
}

/// The shifts, fixed when a block is frozen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Grid {
    pub(crate) shift: u8,
    pub(crate) bias_shift: u8,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Block {
    /// As in the header, its numbers not yet those that training finds.
    layer: Layer,
    pub(crate) weights: Weights,
    bias: Bias,
    requantize: Requantize,
    pub(crate) outputs: i64,
    /// `[inputs, outputs]`, or, of a convolution, `[outputs, kernel, kernel, planes of a group]`: planes last, as
    /// activations are, which is libtorch's fastest order.
    pub(crate) weight_shape: Vec<i64>,
    running: Option<Statistics>,
    /// Share of a new batch in the running statistics.
    pub(crate) momentum: f64,
    /// Of the batch that goes through, as the block's first application found them.
    batch: Option<Statistics>,
    grid: Option<Grid>,
}

impl Block {
    /// A dense layer or convolution of an input of this shape; `None` of another layer.
    pub(crate) fn new(layer: Layer, input: Shape) -> Option<Self> {
        let (weights, bias, requantize, outputs, weight_shape) = match layer {
            Layer::Dense(dense) => {
                let shape = vec![input.len() as i64, dense.outputs.into()];
                (dense.weights, dense.bias, dense.requantize, shape[1], shape)
            }
            Layer::Conv(conv) => {
                let planes = input.channels / conv.groups(input.channels);
                let shape = [conv.outputs.into(), conv.kernel.into(), conv.kernel.into(), planes];
                let shape: Vec<i64> = shape.map(i64::from).into();
                (conv.weights, conv.bias, conv.requantize, shape[0], shape)
            }
            _ => return None,
        };
        let (running, batch, grid) = (None, None, None);
        Some(Self {
            layer,
            weights,
            bias,
            requantize,
            outputs,
            weight_shape,
            running,
            momentum: MOMENTUM,
            batch,
            grid,
        })
    }

    /// Gains: one an output, or one for all.
    pub(crate) fn gains(&self) -> i64 {
        match self.requantize.multipliers {
            Multipliers::Layer(_) => 1,
            Multipliers::Each4 | Multipliers::Each8 => self.outputs,
        }
    }

    /// The largest activation.
    pub(crate) fn max(&self) -> f64 {
        f64::from(self.requantize.max())
    }

    /// Forgets the last batch's statistics: the next application is the first.
    pub(crate) fn begin(&mut self) {
        self.batch = None;
    }

    /// Accumulators without bias of `x`, `[n, planes, height, width]`; those of a dense layer are planes of 1×1.
    pub(crate) fn accumulate(&self, x: &Tensor, weights: &Tensor) -> Tensor {
        match self.layer {
            Layer::Conv(Conv { stride, padding, .. }) => {
                let groups = x.size()[1] / self.weight_shape[3];
                let weights = weights.permute([0, 3, 1, 2]);
                let (stride, padding) = ([stride.into()], [padding.into()]);
                x.conv2d(&weights, None::<Tensor>, stride, padding, [1], groups)
            }
            _ => x.flatten(1, -1).matmul(weights).view([-1, self.outputs, 1, 1]),
        }
    }

    /// The activations of accumulators: whole numbers.
    pub(crate) fn activate(&mut self, acc: &Tensor, slices: &Slices) -> Tensor {
        let (half, middle) = quantize::span(self.requantize.bits);
        let scaled = match self.grid {
            Some(grid) => {
                let (multipliers, biases) = self.rounded(grid, slices);
                let alpha = multipliers / f64::from(grid.shift).exp2();
                // Half a unit of the last place: halves go up, as the format wants it, not to even.
                let beta = biases * f64::from(grid.bias_shift).exp2() * &alpha
                    + f64::from(grid.shift).exp2().recip() * 0.5;
                affine(acc, &(alpha / half), &((beta - middle) / half))
            }
            None => {
                let (gain, offset) = (slices.gain.abs() / half, (&slices.offset - middle) / half);
                self.normalize(acc, &gain, &offset)
            }
        };
        quantize::activations(&scaled, self.requantize.bits)
    }

    /// Batch normalization by this batch's statistics, which later applications within the same batch use again.
    fn normalize(&mut self, acc: &Tensor, gain: &Tensor, offset: &Tensor) -> Tensor {
        if let Some(Statistics { mean, variance }) = &self.batch {
            let alpha = gain / deviation(variance, self.gains());
            let beta = offset - mean * &alpha;
            return affine(acc, &alpha, &beta);
        }
        let (y, batch) = if self.gains() == 1 {
            let axes: Vec<i64> = (0..acc.dim() as i64).filter(|&axis| axis != 1).collect();
            let mean = acc.mean_dim(axes.as_slice(), false, None);
            let variance = acc.var_dim(axes.as_slice(), false, false);
            let alpha = gain / deviation(&variance, 1);
            let y = affine(acc, &alpha, &(offset - &mean * &alpha));
            (y, Statistics { mean: mean.detach(), variance: variance.detach() })
        } else {
            let batch = Statistics { mean: zeros(self.outputs), variance: zeros(self.outputs) };
            // A momentum of 1 leaves the batch's own statistics.
            let Statistics { mean, variance } = &batch;
            let y = acc.batch_norm(
                Some(gain),
                Some(offset),
                Some(mean),
                Some(variance),
                true,
                1.0,
                EPSILON,
                false,
            );
            (y, batch)
        };
        match &mut self.running {
            Some(Statistics { mean, variance }) => {
                let _ = mean.lerp_(&batch.mean, self.momentum);
                let _ = variance.lerp_(&batch.variance, self.momentum);
            }
            None => {
                let (mean, variance) = (batch.mean.copy(), batch.variance.copy());
                self.running = Some(Statistics { mean, variance });
            }
        }
        self.batch = Some(batch);
        y
    }

    /// Fixes the shifts.
    pub(crate) fn freeze(&mut self, slices: &Slices) {
        self.grid = Some(self.grid(slices));
    }

    /// The shifts: the fixed ones, or those that fit the parameters of this moment.
    fn grid(&self, slices: &Slices) -> Grid {
        self.grid.unwrap_or_else(|| {
            let (factor, bias) = tch::no_grad(|| self.folded(slices));
            let largest = |x: Tensor| x.abs().max().double_value(&[]) * quantize::ROOM;
            Grid {
                shift: quantize::shift(largest(factor), self.requantize.multipliers),
                bias_shift: quantize::bias_shift(largest(bias), self.bias),
            }
        })
    }

    /// `g / σ` and `o σ / g − µ`.
    fn folded(&self, slices: &Slices) -> (Tensor, Tensor) {
        let factor = slices.gain.abs().clamp_min(1e-6);
        match &self.running {
            Some(Statistics { mean, variance }) => {
                let factor = factor / deviation(variance, self.gains());
                let bias = &slices.offset / &factor - mean;
                (factor, bias)
            }
            None => (factor.shallow_clone(), &slices.offset / &factor),
        }
    }

    /// Multipliers, `[gains]`, and biases, `[outputs]`, as stored (a multiplier as itself).
    fn rounded(&self, grid: Grid, slices: &Slices) -> (Tensor, Tensor) {
        let (factor, bias) = self.folded(slices);
        let most = f64::from(quantize::max_multiplier(self.requantize.multipliers));
        let factor = factor * f64::from(grid.shift).exp2();
        let bias = bias / f64::from(grid.bias_shift).exp2();
        let (least, largest) = self.bias.range();
        (
            quantize::straight_through(&factor.round(), &factor).clamp(1.0, most),
            quantize::straight_through(&bias.round(), &bias)
                .clamp(f64::from(least), f64::from(largest)),
        )
    }

    /// The layer as it is stored, and its integers.
    pub(crate) fn export(&self, slices: &Slices) -> Result<(Layer, Parameters), TchError> {
        let grid = self.grid(slices);
        let (multipliers, biases) = self.rounded(grid, slices);
        let multipliers: Vec<u16> = integers(&multipliers)?;
        let bias = Bias { shift: grid.bias_shift, ..self.bias };
        let mut requantize = Requantize { shift: grid.shift, ..self.requantize };
        let mut each = multipliers.clone();
        if let (Multipliers::Layer(multiplier), [only]) =
            (&mut requantize.multipliers, multipliers.as_slice())
        {
            *multiplier = *only;
            each.clear();
        }
        let mut layer = self.layer;
        let weights = match &mut layer {
            Layer::Conv(conv) => {
                (conv.bias, conv.requantize) = (bias, requantize);
                slices.weights.permute([0, 3, 1, 2])
            }
            other => {
                if let Layer::Dense(dense) = other {
                    (dense.bias, dense.requantize) = (bias, requantize);
                }
                slices.weights.shallow_clone()
            }
        };
        let (weights, biases) = (integers(&weights)?, integers(&biases)?);
        Ok((layer, Parameters { weights, biases, multipliers: each }))
    }
}

/// `acc · alpha + beta` for each output, in one pass.
fn affine(acc: &Tensor, alpha: &Tensor, beta: &Tensor) -> Tensor {
    let (zeros, ones) = (zeros(beta.size()[0]), beta.ones_like().detach());
    // libtorch reads as many numbers as there are outputs, even of a tensor that repeats one.
    let alpha = alpha.expand_as(beta).contiguous();
    acc.batch_norm(Some(&alpha), Some(beta), Some(&zeros), Some(&ones), false, 0.0, 0.0, false)
}

/// The deviation of each output's accumulators, `[outputs]`, or of all of them, `[1]`.
fn deviation(variance: &Tensor, gains: i64) -> Tensor {
    let variance = match gains {
        1 => variance.mean_dim([0].as_slice(), true, None),
        _ => variance.shallow_clone(),
    };
    (variance + EPSILON).sqrt()
}

fn zeros(len: i64) -> Tensor {
    Tensor::zeros([len], (Kind::Float, Device::Cpu))
}

/// Whole numbers that fit `T`.
pub(crate) fn integers<T: TryFrom<i64>>(x: &Tensor) -> Result<Vec<T>, TchError> {
    let values: Vec<i64> = x.detach().to_kind(Kind::Int64).flatten(0, -1).try_into()?;
    let fits =
        |value| T::try_from(value).map_err(|_| TchError::Convert(format!("{value} does not fit")));
    values.into_iter().map(fits).collect()
}
