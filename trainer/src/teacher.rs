//! The teacher: a larger network of floats, whose probabilities the integer network learns from.
//!
//! Two convolutions, pooling, two of twice the planes, pooling, logits; batch normalization and ReLU after each
//! convolution. It sees the same varied images as its pupil, at the same moment ("consistent teaching": Beyer et al.,
//! "Knowledge Distillation: A Good Teacher Is Patient and Consistent", 2022). It is trained once for a configuration and kept
//! in a file.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use inkling_data::preprocess::SIDE;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use sha2::{Digest, Sha256};
use tch::{Device, Kind, TchError, Tensor};

use crate::config::{CLASSES, Config, TeacherConfig};
use crate::net::normal;
use crate::optimizer::Adam;
use crate::samples::{Batches, Samples};
use crate::training::{Error, cosine};

/// The first step's learning rate, in units of each parameter's rate.
const LEARNING_RATE: f64 = 0.02;
/// Share of a new batch in the running statistics.
const MOMENTUM: f64 = 0.1;
const EPSILON: f64 = 1e-5;
/// No limit: far beyond what any parameter reaches.
const FAR: f32 = 1e6;
const FLOAT: (Kind, Device) = (Kind::Float, Device::Cpu);
/// Where trained teachers are kept.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../build/teachers");
/// The seed of every teacher: pupils of different seeds have the same one.
const SEED: u64 = 0;

/// The network of floats.
#[derive(Debug)]
pub struct Teacher {
    /// Of each convolution weights `[outputs, 3, 3, inputs]`, gains and offsets; weights and biases of the logits.
    parameters: Tensor,
    shapes: Vec<Vec<i64>>,
    /// Of each parameter, what its learning rate is in proportion to.
    rates: Vec<f32>,
    /// Mean and variance of each convolution's outputs.
    statistics: Vec<[Tensor; 2]>,
}

impl Teacher {
    /// The teacher of a configuration: from `folder` where it is there, else trained and put there.
    ///
    /// # Errors
    /// [`Error::Stopped`], [`Error::Diverged`], or of libtorch or a file.
    pub(crate) fn of(
        config: &Config,
        teacher: &TeacherConfig,
        samples: &Samples,
        batches: &Batches,
        data_sha256: &str,
        folder: &Path,
        stop: &AtomicBool,
    ) -> Result<Self, Error> {
        let path = folder.join(format!("{}.safetensors", hash(config, teacher, data_sha256)));
        let mut this = Self::new(teacher.width, &mut StdRng::seed_from_u64(SEED));
        if path.exists() {
            this.load(&path)?;
            return Ok(this);
        }
        this.train(config.training.batch, teacher.epochs, samples, batches, stop)?;
        this.save(folder, &path)?;
        Ok(this)
    }

    fn new(width: i64, rng: &mut StdRng) -> Self {
        let (mut shapes, mut values, mut rates) = (Vec::new(), Vec::new(), Vec::new());
        let mut add = |shape: Vec<i64>, rate: f64, value: &mut dyn FnMut() -> f64| {
            let count = shape.iter().product();
            values.extend((0..count).map(|_| value() as f32));
            rates.extend((0..count).map(|_| rate as f32));
            shapes.push(shape);
        };
        let (mut statistics, mut inputs) = (Vec::new(), 1);
        for outputs in [width, width, 2 * width, 2 * width] {
            // He et al., 2015.
            let spread = (2.0 / (9 * inputs) as f64).sqrt();
            add(vec![outputs, 3, 3, inputs], spread, &mut || spread * normal(rng));
            add(vec![outputs], 0.3, &mut || 1.0);
            add(vec![outputs], 0.3, &mut || 0.0);
            statistics.push([Tensor::zeros([outputs], FLOAT), Tensor::ones([outputs], FLOAT)]);
            inputs = outputs;
        }
        let features = inputs * (SIDE as i64 / 4).pow(2);
        let spread = (features as f64).sqrt().recip();
        add(vec![features, CLASSES.into()], spread, &mut || spread * normal(rng));
        add(vec![CLASSES.into()], 0.1, &mut || 0.0);
        let parameters = Tensor::from_slice(&values).set_requires_grad(true);
        Self { parameters, shapes, rates, statistics }
    }

    /// The logits `[n, classes]` of inputs `[n, 20, 20]` (0–255), without gradient.
    pub fn logits(&self, inputs: &Tensor) -> Tensor {
        tch::no_grad(|| self.forward(inputs, false))
    }

    fn forward(&self, inputs: &Tensor, training: bool) -> Tensor {
        let sizes: Vec<i64> = self.shapes.iter().map(|shape| shape.iter().product()).collect();
        let parts = self.parameters.split_with_sizes(&sizes, 0);
        let part = |index: usize| parts[index].view(self.shapes[index].as_slice());
        let mut x = (inputs / 255.0).unsqueeze(-1).permute([0, 3, 1, 2]);
        for (layer, [mean, variance]) in self.statistics.iter().enumerate() {
            let weights = part(3 * layer).permute([0, 3, 1, 2]);
            x = x.conv2d(&weights, None::<Tensor>, [1], [1], [1], 1);
            if layer % 2 == 1 {
                // Before the normalization: there is less of it.
                x = x.max_pool2d([2], [2], [0], [1], false);
            }
            let (gain, offset) = (part(3 * layer + 1), part(3 * layer + 2));
            let (gain, offset) = (Some(&gain), Some(&offset));
            let (mean, variance) = (Some(mean), Some(variance));
            x = x.batch_norm(gain, offset, mean, variance, training, MOMENTUM, EPSILON, false);
            x = x.relu();
        }
        let last = 3 * self.statistics.len();
        x.flatten(1, -1).matmul(&part(last)) + part(last + 1)
    }

    fn train(
        &mut self,
        batch: usize,
        epochs: u32,
        samples: &Samples,
        batches: &Batches,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let mut rng = StdRng::seed_from_u64(SEED);
        let mut adam = Adam::new(&self.rates, &vec![FAR; self.rates.len()]);
        let mut order: Vec<i64> = (0..samples.len() as i64).collect();
        let steps = order.len().div_ceil(batch) * epochs as usize;
        let mut step = 0;
        for epoch in 1..=epochs {
            order.shuffle(&mut rng);
            for indices in order.chunks(batch) {
                if stop.load(Ordering::Relaxed) {
                    return Err(Error::Stopped);
                }
                let (inputs, labels) = batches.draw(samples, indices, &mut rng);
                let loss = self.forward(&inputs, true).cross_entropy_for_logits(&labels);
                loss.backward();
                adam.step(&mut self.parameters, LEARNING_RATE * cosine(step, steps));
                step += 1;
                let loss = loss.double_value(&[]);
                if !loss.is_finite() {
                    return Err(Error::Diverged { epoch, loss });
                }
            }
        }
        Ok(())
    }

    /// Names and tensors, for a file.
    fn tensors(&self) -> Vec<(String, Tensor)> {
        let mut tensors = vec![("parameters".to_owned(), self.parameters.detach())];
        for (layer, [mean, variance]) in self.statistics.iter().enumerate() {
            tensors.push((format!("mean{layer}"), mean.shallow_clone()));
            tensors.push((format!("variance{layer}"), variance.shallow_clone()));
        }
        tensors
    }

    fn save(&self, folder: &Path, path: &Path) -> Result<(), Error> {
        let io = |source| Error::Io { path: path.into(), source };
        std::fs::create_dir_all(folder).map_err(io)?;
        // Beside its place first, so that no run reads half of it.
        let partial = path.with_extension(format!("partial-{}", std::process::id()));
        Tensor::write_safetensors(&self.tensors(), &partial)?;
        std::fs::rename(&partial, path).map_err(io)
    }

    fn load(&mut self, path: &Path) -> Result<(), Error> {
        let mut read = Tensor::read_safetensors(path)?;
        tch::no_grad(|| {
            for (name, mut tensor) in self.tensors() {
                let found = read.iter_mut().find(|(other, _)| *other == name);
                let found = found.filter(|(_, found)| found.size() == tensor.size());
                let Some((_, found)) = found else {
                    return Err(TchError::FileFormat(format!("{}: no {name}", path.display())))?;
                };
                tensor.copy_(found);
            }
            Ok(())
        })
    }
}

/// The loss of a pupil: cross-entropy to the teacher's probabilities, both softened by `temperature`, times its square, so
/// that the gradient stays as large as that of the labels.
pub(crate) fn distillation(pupil: &Tensor, teacher: &Tensor, temperature: f64) -> Tensor {
    let target = (teacher / temperature).softmax(-1, Kind::Float);
    let got = (pupil / temperature).log_softmax(-1, Kind::Float);
    -(target * got).sum_dim_intlist([-1].as_slice(), false, Kind::Float).mean(Kind::Float)
        * (temperature * temperature)
}

/// A hash of all that a teacher depends on: 16 hex digits.
fn hash(config: &Config, teacher: &TeacherConfig, data_sha256: &str) -> String {
    let Config { augmentation, validation, training, .. } = config;
    let TeacherConfig { epochs, width, .. } = teacher;
    let text = format!(
        "{} {data_sha256} {epochs} {width} {} {augmentation:?} {validation:?}",
        env!("CARGO_PKG_VERSION"),
        training.batch,
    );
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::TINY;
    use crate::samples::tests::stripes;

    const TEACHER: &str = "[teacher]\nepochs = 3\nwidth = 4\nweight = 0.5\ntemperature = 2.0\n";

    #[test]
    fn learns_and_is_read_again() {
        let config = Config::parse(&format!("{TINY}{TEACHER}")).unwrap();
        let teacher = config.teacher.clone().unwrap();
        let set = stripes(300, 1);
        let samples = Samples::new(&set, &(0..300).collect::<Vec<_>>());
        let batches = Batches::new(&config, &set);
        let folder = std::env::temp_dir().join(format!("inkling-teacher-{}", std::process::id()));
        let of = |stop: bool| {
            let stop = AtomicBool::new(stop);
            Teacher::of(&config, &teacher, &samples, &batches, &set.sha256, &folder, &stop)
        };
        assert!(matches!(of(true), Err(Error::Stopped)));
        let trained = of(false).unwrap();
        // From the file: what would stop a training does not matter.
        let read = of(true).unwrap();
        let inputs = samples.inputs().to_kind(Kind::Float);
        let digits = trained.logits(&inputs).argmax(1, false);
        let correct = digits.eq_tensor(&samples.labels).sum(Kind::Int64).int64_value(&[]);
        assert!(correct >= 285, "{correct}");
        assert_eq!(trained.logits(&inputs), read.logits(&inputs));

        // A file of another network is refused.
        let path = folder.join(format!("{}.safetensors", hash(&config, &teacher, &set.sha256)));
        Teacher::new(3, &mut StdRng::seed_from_u64(0)).save(&folder, &path).unwrap();
        assert!(matches!(of(false), Err(Error::Torch(_))));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_teachers_own_logits_are_the_best_answer() {
        let teacher = Tensor::from_slice(&[2f32, 0.0, -1.0]).view([1, 3]);
        let loss = |logits: [f32; 3]| {
            let pupil = Tensor::from_slice(&logits).view([1, 3]);
            distillation(&pupil, &teacher, 2.0).double_value(&[])
        };
        let best = loss([2.0, 0.0, -1.0]);
        // Probabilities 0.6285, 0.2312, 0.1402 at temperature 2; four times their entropy.
        assert!((best - 3.623_8).abs() < 1e-3, "{best}");
        assert!(loss([2.1, 0.0, -1.0]) > best && loss([2.0, 0.1, -1.0]) > best);
        assert!((loss([7.0, 5.0, 4.0]) - best).abs() < 1e-5);
    }
}
