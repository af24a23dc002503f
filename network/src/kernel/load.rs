//! From a header and its bits to a [`Model`]: parameters, and where activations lie.

use alloc::vec;
use alloc::vec::Vec;

use super::bits::{Bits, Format};
use super::dense::{self, Rows, Stream};
use super::conv::Place;
use super::memory::Planes;
use super::pool::Pool;
use super::scale::MAX_LANE;
use super::{Model, Step, Work, conv, wide};
use crate::header::{Header, Stage};
use crate::layer::{Conv, Layer, Multipliers, Shape, Stored, Weights};

/// A model that is being loaded.
pub(super) struct Loader<'a> {
    stages: &'a [Stage],
    /// The first bit that was not read.
    at: usize,
    /// The first word of the next streamed weights.
    stream: u32,
    /// For each of the network's parameters that are a convolution's: index among those in lanes, and among the others.
    convs: Vec<(usize, usize)>,
    /// Regions of activations. Those that are equal in all but their start share their zeros, so they are used in turn.
    regions: Vec<Planes>,
    /// Values in all regions.
    values: usize,
    accumulators: usize,
    model: Model,
}

/// Biases, multipliers and the place of the weights: a stream of fields and the bit at which it begins.
struct Read {
    biases: Vec<i32>,
    multipliers: Vec<u16>,
    /// Ternary weights, as two-bit fields.
    ternary: Option<Bits>,
    at: usize,
}

impl<'a> Loader<'a> {
    /// `bits` are the words that are not streamed.
    pub(super) fn new(header: &'a Header, bits: Bits) -> Self {
        let input = header.input();
        let stages = header.stages();
        let mut loader = Self {
            stages,
            at: 0,
            stream: header.head_words(),
            convs: vec![],
            regions: vec![],
            values: 0,
            accumulators: 0,
            model: Model {
                input,
                first: Planes { start: 0, shape: input.cropped(), border: border(stages, 0) },
                steps: Vec::with_capacity(stages.len()),
                bits,
                convs: vec![],
                wides: vec![],
                denses: vec![],
                memory: vec![],
                accumulators: 0,
                logits: vec![0; header.classes()],
            },
        };
        loader.model.first = loader.region(input.cropped(), border(stages, 0), None);
        loader
    }

    /// Reads everything.
    pub(super) fn load(mut self) -> Model {
        let mut input = self.model.first;
        let mut index = 0;
        while let Some(stage) = self.stages.get(index) {
            let layer = index;
            index += 1;
            let mut shape = stage.output;
            let mut residual = None;
            let work = match stage.computed {
                Layer::Logits(_) => {
                    self.dense(stage);
                    Work::Logits(self.model.denses.len() - 1)
                }
                Layer::Dense(dense) => {
                    let multipliers = self.dense(stage);
                    Work::Dense(self.model.denses.len() - 1, dense.requantize, multipliers)
                }
                Layer::Conv(conv) => {
                    let parameters = stage.parameters.unwrap_or(0);
                    if stage.own().is_some() {
                        self.conv(stage, conv, parameters);
                    }
                    if conv.requantize.residual {
                        residual = Some(conv.requantize.max().into());
                    }
                    let (lanes, wide) = self.convs[parameters];
                    if fits_lanes(stage) {
                        let parameters = &self.model.convs[lanes];
                        let pooled = residual.is_none()
                            && parameters.is_swift()
                            && matches!(self.stages[index].layer, Layer::MaxPool { size: 2 });
                        if pooled {
                            shape = self.stages[index].output;
                            index += 1;
                        }
                        let place = Place::new(parameters, &input, stage.output, pooled);
                        self.accumulators = self.accumulators.max(place.accumulators());
                        Work::Conv(lanes, place)
                    } else {
                        Work::Wide(wide)
                    }
                }
                Layer::MaxPool { size } => Work::Pool(Pool::Max, size.into()),
                Layer::SumPool { size, shift } => Work::Pool(Pool::Sum(shift.into()), size.into()),
                Layer::Again { .. } => unreachable!("a header resolves it"),
            };
            let output = self.region(shape, border(self.stages, index), Some(input));
            self.model.steps.push(Step { layer, input, output, residual, work });
            input = output;
        }
        self.model.accumulators = self.values / 4;
        self.model.memory = vec![0; self.values / 4 + self.accumulators];
        self.model
    }

    /// Planes of this shape with this border, other than those in use.
    fn region(&mut self, shape: Shape, border: usize, used: Option<Planes>) -> Planes {
        let fits = |p: &&Planes| p.shape == shape && p.border == border && Some(**p) != used;
        if let Some(region) = self.regions.iter().find(fits) {
            return *region;
        }
        let region = Planes { start: self.values, shape, border };
        self.values += region.len();
        self.regions.push(region);
        region
    }

    /// Reads the parameters of a convolution in the forms that its applications need.
    fn conv(&mut self, stage: &Stage, conv: Conv, parameters: usize) {
        let Some(stored) = stage.own() else { return };
        let planes = stage.input.channels as usize;
        let Read { biases, multipliers, ternary, at } =
            self.read(&stored, conv.requantize.multipliers);
        let bits = ternary.as_ref().unwrap_or(&self.model.bits);
        let format = Format::of(stored.weights);
        self.convs.resize(parameters + 1, (0, 0));
        self.convs[parameters] = (self.model.convs.len(), self.model.wides.len());
        let mut uses = self.stages.iter().filter(|stage| stage.parameters == Some(parameters));
        if uses.clone().any(fits_lanes) {
            let multipliers = multipliers.clone();
            let parameters =
                conv::Parameters::new(conv, planes, &biases, multipliers, format, bits, at);
            self.model.convs.push(parameters);
        }
        if !uses.all(fits_lanes) {
            let parameters =
                wide::Parameters::new(conv, planes, biases, multipliers, format, bits, at);
            self.model.wides.push(parameters);
        }
    }

    /// Reads the parameters of a dense layer or logits; the multipliers are returned.
    fn dense(&mut self, stage: &Stage) -> Vec<u16> {
        let Some(stored) = stage.own() else { return vec![] };
        let multipliers = match stage.layer {
            Layer::Dense(dense) => dense.requantize.multipliers,
            _ => Multipliers::Layer(1),
        };
        let Read { biases, multipliers, ternary, at } = self.read(&stored, multipliers);
        let rows = if stored.streamed {
            let first_word = self.stream;
            self.stream += stored.streamed_words();
            Rows::Streamed(Stream::new(stored.weights, stored.outputs, first_word))
        } else if let Some(fields) = ternary {
            Rows::Ternary(fields)
        } else {
            Rows::Held(at)
        };
        self.model.denses.push(dense::Parameters::new(stored.weights, rows, biases));
        multipliers
    }

    /// Reads the next parameters.
    fn read(&mut self, stored: &Stored, multipliers: Multipliers) -> Read {
        let (count, width) = (stored.outputs, stored.bias.bits());
        let sign = 64 - width;
        let mut biases = vec![0; count];
        for bias in &mut biases {
            let field = self.model.bits.field(self.at, width) << sign;
            *bias = ((field as i64 >> sign) as i32) << stored.bias.shift;
            self.at += width as usize;
        }
        let (mut multipliers, width) = match multipliers {
            Multipliers::Layer(multiplier) => (vec![multiplier; count], 0),
            each => (vec![0; count], each.bits()),
        };
        if width > 0 {
            for multiplier in &mut multipliers {
                *multiplier = self.model.bits.field(self.at, width) as u16 + 1;
                self.at += width as usize;
            }
        }
        let at = self.at;
        if stored.streamed {
            return Read { biases, multipliers, ternary: None, at };
        }
        self.at += stored.weight_bits();
        if let Weights::Ternary = stored.weights {
            let fields = self.model.bits.ternary_fields(at, stored.count());
            return Read { biases, multipliers, ternary: Some(fields), at: 0 };
        }
        Read { biases, multipliers, ternary: None, at }
    }
}

/// The zeros around the input of a stage.
fn border(stages: &[Stage], index: usize) -> usize {
    match stages.get(index).map(|stage| stage.computed) {
        Some(Layer::Conv(conv)) => conv.padding.into(),
        _ => 0,
    }
}

/// Whether every accumulator of the stage fits a 16-bit lane.
fn fits_lanes(stage: &Stage) -> bool {
    stage.stored().is_some_and(|stored| stored.bound(stage.max_input) <= MAX_LANE)
}
