//! Adam over one flat vector of parameters.
//!
//! All parameters of a network here are slices of one vector, so that a step is a handful of tensor operations however
//! many layers there are. Each element has a rate of its own, by which the common learning rate is multiplied
//! (quantized weights move in units of their grid, gains in units of the activations), and a limit that it never
//! exceeds: beyond the largest representable weight a gradient would only be lost.

use tch::{Kind, Tensor};

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
const EPSILON: f64 = 1e-8;

/// The optimizer of Kingma and Ba (2015).
#[derive(Debug)]
pub struct Adam {
    /// `[parameters]`
    rates: Tensor,
    limits: Tensor,
    first: Tensor,
    second: Tensor,
    steps: i32,
}

impl Adam {
    /// An optimizer of as many parameters as there are rates and limits.
    pub fn new(rates: &[f32], limits: &[f32]) -> Self {
        let zeros = || Tensor::zeros([rates.len() as i64], (Kind::Float, tch::Device::Cpu));
        Self {
            rates: Tensor::from_slice(rates),
            limits: Tensor::from_slice(limits),
            first: zeros(),
            second: zeros(),
            steps: 0,
        }
    }

    /// Moves `parameters` (a leaf of the graph) against its gradient, which is forgotten.
    pub fn step(&mut self, parameters: &mut Tensor, learning_rate: f64) {
        let mut gradient = parameters.grad();
        if !gradient.defined() {
            return;
        }
        self.steps += 1;
        tch::no_grad(|| {
            let _ = self.first.lerp_(&gradient, 1.0 - BETA1);
            let _ = self.second.lerp_(&gradient.square(), 1.0 - BETA2);
            let correction = (1.0 - BETA2.powi(self.steps)).sqrt();
            let deviation = self.second.sqrt() / correction + EPSILON;
            let factor = -learning_rate / (1.0 - BETA1.powi(self.steps));
            let _ = parameters.addcmul_(&(&self.first / deviation), &(&self.rates * factor));
            let _ = parameters.clamp_tensor_(Some(&-&self.limits), Some(&self.limits));
            let _ = gradient.zero_();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_by_rate_and_stays_within_limits() {
        let mut x = Tensor::from_slice(&[1f32, 1.0, 1.0]).set_requires_grad(true);
        let mut adam = Adam::new(&[1.0, 2.0, 2.0], &[10.0, 10.0, 0.9]);
        (&x * Tensor::from_slice(&[3f32, 3.0, 3.0])).sum(Kind::Float).backward();
        adam.step(&mut x, 0.1);
        // The first step of Adam is the learning rate, whatever the gradient's size.
        let got: Vec<f32> = x.shallow_clone().try_into().unwrap();
        for (got, expected) in got.iter().zip([0.9f32, 0.8, 0.8]) {
            assert!((got - expected).abs() < 1e-6, "{got}");
        }
        assert_eq!(Vec::<f32>::try_from(x.grad()).unwrap(), [0.0; 3]);
    }

    #[test]
    fn finds_a_minimum() {
        let mut x = Tensor::from_slice(&[4f32]).set_requires_grad(true);
        let mut adam = Adam::new(&[1.0], &[100.0]);
        for step in 0..500 {
            (&x - 1.5).square().sum(Kind::Float).backward();
            adam.step(&mut x, 0.1 * (1.0 - f64::from(step) / 500.0));
        }
        assert!((x.double_value(&[0]) - 1.5).abs() < 1e-2);
    }
}
