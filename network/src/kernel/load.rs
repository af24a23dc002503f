//! From a header and its bits to a [`Model`]: parameters, and where activations lie.

use alloc::vec;
use alloc::vec::Vec;

use super::bits::{Bits, Format};
use super::memory::Planes;
use super::scale::MAX_LANE;
use super::{Model, Output, Parameters, conv, dense};
use crate::header::{Header, Stage};
use crate::layer::{Conv, Dense, Layer, Multipliers, Shape, Stored, Weights};

/// The model of a header, of which `bits` are the words that are not streamed.
pub(super) fn load(header: &Header, bits: Bits) -> Model {
    let stages = header.stages().to_vec();
    let mut parameters = Vec::with_capacity(stages.len());
    let mut plan = Plan::new(header.input().cropped(), &stages);
    let mut scratch = 0;
    let (mut at, mut stream) = (0, header.head_words());
    while let Some(stage) = stages.get(plan.next) {
        if let Some(stored) = stage.own() {
            let wide = stages.iter().any(|other| is_wide(other, stage.parameters));
            parameters.push(read(&bits, &mut at, &mut stream, stage, &stored, wide));
        }
        let step = plan.step(&stages, &parameters);
        let words = match stage.computed {
            Layer::Conv(conv) => {
                let wide = parameters[stage.parameters.unwrap_or(0)].wide;
                conv::Shape::new(&conv, stage.input.channels, wide)
                    .scratch(stage, &step)
                    .iter()
                    .sum()
            }
            _ => dense::scratch(stage.output.channels.into()),
        };
        scratch = scratch.max(words);
    }
    Model {
        input: header.input(),
        scratch: plan.end / 4,
        memory: vec![0; plan.end / 4 + scratch],
        logits: vec![0; header.classes()],
        stages,
        parameters,
        bits,
    }
}

/// Walks over the stages and lays out their activations, one region after another.
pub(super) struct Plan {
    /// Index of the next stage.
    pub(super) next: usize,
    /// The region that was in use before, if any, and the input of the next stage.
    last: [Planes; 2],
    /// Values in all regions.
    end: usize,
}

/// A stage in its place, or a convolution and the pool after it.
pub(super) struct Step {
    pub(super) input: Planes,
    /// Unused of logits.
    pub(super) output: Planes,
    /// Whether the largest of each 2×2 square of a convolution's output is taken.
    pub(super) pooled: bool,
}

impl Plan {
    pub(super) fn new(shape: Shape, stages: &[Stage]) -> Self {
        let none =
            Planes { start: 0, shape: Shape { channels: 0, height: 0, width: 0 }, border: 0 };
        let mut plan = Self { next: 0, last: [none; 2], end: 0 };
        plan.region(shape, stages);
        plan
    }

    /// The input of the next stage.
    pub(super) const fn input(&self) -> Planes {
        self.last[1]
    }

    /// The next stage, which there is, with parameters that are known.
    #[inline(never)]
    pub(super) fn step(&mut self, stages: &[Stage], parameters: &[Parameters]) -> Step {
        let Stage { computed, parameters: index, mut output, .. } = stages[self.next];
        let input = self.input();
        self.next += 1;
        let mut pooled = false;
        if let Layer::Conv(conv) = computed
            && conv::is_swift(&conv, parameters[index.unwrap_or(0)].wide)
            && !conv.requantize.residual
            && let Layer::MaxPool { size: 2 } = stages[self.next].layer
        {
            pooled = true;
            output = stages[self.next].output;
            self.next += 1;
        }
        self.region(output, stages);
        Step { input, output: self.input(), pooled }
    }

    /// Planes of this shape for the next stage, beside its predecessor's. Those in use before are taken again where all but
    /// their contents is the same, the zeros around them included.
    fn region(&mut self, shape: Shape, stages: &[Stage]) {
        let border = match stages.get(self.next).map(|stage| stage.computed) {
            Some(Layer::Conv(conv)) => conv.padding.into(),
            _ => 0,
        };
        let mut region = self.last[0];
        if region.shape != shape || region.border != border {
            region = Planes { start: self.end, shape, border };
            self.end += region.len();
        }
        self.last = [self.last[1], region];
    }
}

/// Whether the stage uses these parameters and has an accumulator that may not fit a 16-bit lane.
fn is_wide(stage: &Stage, parameters: Option<usize>) -> bool {
    stage.parameters == parameters
        && stage.stored().is_some_and(|stored| stored.bound(stage.max_input) > MAX_LANE)
}

/// Reads the parameters of a stage, from bit `at` on, or where they are streamed, from word `stream` on.
fn read(
    bits: &Bits,
    at: &mut usize,
    stream: &mut u32,
    stage: &Stage,
    stored: &Stored,
    wide: bool,
) -> Parameters {
    let multipliers = match stage.layer {
        Layer::Conv(Conv { requantize, .. }) | Layer::Dense(Dense { requantize, .. }) => {
            requantize.multipliers
        }
        _ => Multipliers::Layer(1),
    };
    let mut outputs = vec![Output::default(); stored.outputs];
    let width = stored.bias.bits() as usize;
    for output in &mut outputs {
        let field = bits.field(*at, width) << (64 - width);
        output.bias = ((field as i64 >> (64 - width)) as i32) << stored.bias.shift;
        *at += width;
    }
    for output in &mut outputs {
        output.multiplier = match multipliers {
            Multipliers::Layer(multiplier) => multiplier,
            each => {
                *at += each.bits() as usize;
                bits.field(*at - each.bits() as usize, each.bits() as usize) as u16 + 1
            }
        };
    }
    let Stored { weights, outputs: count, streamed, .. } = *stored;
    let mut parameters = Parameters {
        weights,
        outputs,
        wide,
        streamed,
        at: *at,
        fields: Bits::default(),
        buffer: Bits::default(),
        words: vec![],
    };
    let ternary = matches!(weights, Weights::Ternary);
    if streamed {
        parameters.at = *stream as usize;
        *stream += stored.streamed_words();
        // A row may begin and end inside a word.
        parameters.buffer = Bits::of_words(weights.bits(count + 8).div_ceil(256) + 1);
        if ternary {
            parameters.fields = Bits::of_ternary_fields(count + 8);
        }
        return parameters;
    }
    if ternary {
        parameters.fields = Bits::of_ternary_fields(stored.count());
        bits.ternary_fields(*at, stored.count(), &mut parameters.fields);
        parameters.at = 0;
    }
    if let Layer::Conv(conv) = stage.layer {
        let shape = conv::Shape::new(&conv, stage.input.channels, wide);
        let fields = parameters.held(bits);
        let format = Format::of(weights);
        parameters.words = conv::unpack(&shape, &parameters.outputs, format, fields, parameters.at);
    }
    *at += stored.weight_bits();
    parameters
}
