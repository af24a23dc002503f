//! From a header and its bits to a [`Model`]: parameters, and where activations lie.

use alloc::vec;
use alloc::vec::Vec;

use super::bits::{Bits, Format};
use super::dense::Stream;
use super::memory::Planes;
use super::scale::MAX_LANE;
use super::{Model, Output, Parameters, Step, conv, dense};
use crate::header::{Header, Stage};
use crate::layer::{Conv, Dense, Layer, Multipliers, Shape, Stored, Weights};

/// The model of a header, of which `bits` are the words that are not streamed.
pub(super) fn load(header: &Header, bits: Bits) -> Model {
    let stages = header.stages();
    let input = header.input();
    let mut regions = Regions::default();
    let first = regions.next(input.cropped(), border(stages, 0));
    let mut model = Model {
        input,
        first,
        steps: Vec::with_capacity(stages.len()),
        parameters: Vec::with_capacity(stages.len()),
        bits,
        memory: vec![],
        scratch: 0,
        logits: vec![0; header.classes()],
    };
    let mut scratch = 0;
    let (mut at, mut stream) = (0, header.head_words());
    let mut planes = first;
    let mut index = 0;
    while let Some(stage) = stages.get(index) {
        let layer = index;
        index += 1;
        if let Some(stored) = stage.own() {
            let wide = stages.iter().any(|other| is_wide(other, stage.parameters));
            let parameters = read(&model.bits, &mut at, &mut stream, stage, &stored, wide);
            model.parameters.push(parameters);
        }
        let mut step = Step { layer, stage: *stage, input: planes, output: planes, pooled: false };
        let mut shape = stage.output;
        match stage.computed {
            Layer::Conv(conv) => {
                let wide = model.parameters[step.parameters()].wide;
                if !conv.requantize.residual
                    && conv::is_swift(&conv, wide)
                    && let Layer::MaxPool { size: 2 } = stages[index].layer
                {
                    step.pooled = true;
                    shape = stages[index].output;
                    index += 1;
                }
                scratch = scratch.max(conv::scratch(&conv, wide, &step));
            }
            Layer::Dense(_) | Layer::Logits(_) => {
                scratch = scratch.max(dense::scratch(shape.channels.into()));
            }
            _ => {}
        }
        planes = regions.next(shape, border(stages, index));
        step.output = planes;
        model.steps.push(step);
    }
    model.scratch = regions.end / 4;
    model.memory = vec![0; model.scratch + scratch];
    model
}

/// Regions of activations, one after another.
#[derive(Default)]
struct Regions {
    /// The region that was in use before the last one, and the last one.
    last: [Option<Planes>; 2],
    /// Values in all regions.
    end: usize,
}

impl Regions {
    /// Planes of this shape with this border, beside the last ones. Those in use before are taken again where all but their
    /// contents is the same, their zeros included.
    fn next(&mut self, shape: Shape, border: usize) -> Planes {
        let next = match self.last[0] {
            Some(region) if region.shape == shape && region.border == border => region,
            _ => {
                let region = Planes { start: self.end, shape, border };
                self.end += region.len();
                region
            }
        };
        self.last = [self.last[1], Some(next)];
        next
    }
}

/// The zeros around the input of a stage.
fn border(stages: &[Stage], index: usize) -> usize {
    match stages.get(index).map(|stage| stage.computed) {
        Some(Layer::Conv(conv)) => conv.padding.into(),
        _ => 0,
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
    let mut parameters = Parameters {
        weights: stored.weights,
        outputs,
        wide,
        at: *at,
        ternary: None,
        stream: None,
        words: vec![],
    };
    if stored.streamed {
        parameters.stream = Some(Stream::new(stored.weights, stored.outputs, *stream));
        *stream += stored.streamed_words();
        return parameters;
    }
    if let Weights::Ternary = stored.weights {
        let mut fields = Bits::of_ternary_fields(stored.count());
        bits.ternary_fields(*at, stored.count(), &mut fields);
        parameters.ternary = Some(fields);
        parameters.at = 0;
    }
    if let Layer::Conv(conv) = stage.layer {
        let shape = conv::Shape::new(&conv, stage.input.channels, wide);
        let fields = parameters.ternary.as_ref().unwrap_or(bits);
        let format = Format::of(stored.weights);
        parameters.words =
            conv::unpack(&shape, &parameters.outputs, format, fields, parameters.at);
    }
    *at += stored.weight_bits();
    parameters
}
