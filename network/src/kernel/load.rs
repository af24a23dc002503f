//! From a header and its bits to a [`Model`]: parameters, and where activations lie.

use alloc::vec::Vec;

use super::bits::{Bits, Format};
use super::memory::Planes;
use super::scale::MAX_LANE;
use super::{Model, Output, Parameters, conv, dense};
use crate::header::{Header, Kind, Stage};
use crate::layer::{Multipliers, Shape, Stored, Weights};
use crate::room::{append, room, zeros};

/// A stage in its place, or a convolution and the pool after it.
pub(super) struct Step {
    /// Index of the stage.
    pub(super) stage: usize,
    pub(super) input: Planes,
    /// Unused of logits.
    pub(super) output: Planes,
    /// Whether the largest of each 2×2 square of a convolution's output is taken.
    pub(super) pooled: bool,
}

/// The model of a header. `bits` are its `head_words` words that are not streamed.
///
/// Activations are laid out one region after another. The region that was in use before a step's input is taken again
/// for its output where all but the contents is the same, the zeros around them included.
pub(super) fn load(header: Header, bits: Bits, head_words: u32) -> Model {
    let stages = header.stages();
    let mut parameters = room(stages.len());
    let mut steps: Vec<Step> = room(stages.len());
    let (mut at, mut stream) = (0, head_words);
    let (mut end, mut scratch) = (0, 0);
    let mut shape = header.input().cropped();
    let mut before = Planes { start: 0, shape: Shape { channels: 0, ..shape }, border: 0 };
    // What the next stage reads; the first is the image.
    let mut input = before;
    // Index of the stage at work, which is unknown before the first, and of the next one.
    let (mut this, mut next, mut pooled) = (None, 0, false);
    loop {
        let border = stages.get(next).map_or(0, |stage| stage.record.padding.into());
        let mut output = before;
        if output.shape != shape || output.border != border {
            output = Planes { start: end, shape, border };
            end += output.len();
        }
        if let Some(stage) = this {
            append(&mut steps, Step { stage, input, output, pooled });
        }
        (before, input) = (input, output);
        let Some(stage) = stages.get(next) else { break };
        (this, pooled) = (Some(next), false);
        next += 1;
        shape = stage.output;
        if stage.again.is_none() && stage.parameters.is_some() {
            append(&mut parameters, read(&bits, &mut at, &mut stream, stage));
        }
        scratch = scratch.max(match stage.record.kind {
            Kind::Conv => {
                let wide = parameters[stage.parameters.unwrap_or(0)].wide;
                let then = &stages[next];
                if conv::is_swift(&stage.record, wide)
                    && !stage.record.requantize.residual
                    && matches!(then.record.kind, Kind::MaxPool)
                    && then.record.size == 2
                {
                    pooled = true;
                    shape = then.output;
                    next += 1;
                }
                conv::Shape::new(stage, wide).scratch(stage, &input)
            }
            _ => dense::scratch(stage.output.channels.into()),
        });
    }
    Model {
        scratch: end / 4,
        memory: zeros(end / 4 + scratch),
        logits: zeros(header.classes()),
        header,
        steps,
        parameters,
        bits,
    }
}

/// Reads the parameters of a stage, from bit `at` on, or where they are streamed, from word `stream` on.
fn read(bits: &Bits, at: &mut usize, stream: &mut u32, stage: &Stage) -> Parameters {
    let stored = &stage.stored;
    // Whether some accumulator may not fit a 16-bit lane.
    let wide = u64::from(stage.bound) > MAX_LANE;
    let mut outputs = zeros::<Output>(stored.outputs);
    let width = stored.bias.bits() as usize;
    for output in &mut outputs {
        let field = bits.field(*at, width) << (64 - width);
        output.bias = ((field as i64 >> (64 - width)) as i32) << stored.bias.shift;
        *at += width;
    }
    for output in &mut outputs {
        output.multiplier = match stage.record.requantize.multipliers {
            Multipliers::Layer(multiplier) => multiplier,
            each => {
                *at += each.bits() as usize;
                bits.field(*at - each.bits() as usize, each.bits() as usize) as u16 + 1
            }
        };
    }
    let Stored { weights, outputs: count, streamed, .. } = *stored;
    let ternary = matches!(weights, Weights::Ternary);
    // A row of streamed weights may begin and end inside a word.
    let row = count + 8;
    let buffer = match streamed {
        true => Bits::of_words(weights.bits(row).div_ceil(256) + 1),
        false => Bits::default(),
    };
    let mut fields = match ternary {
        true => Bits::of_ternary_fields(if streamed { row } else { stored.count() }),
        false => Bits::default(),
    };
    let mut start = *at;
    if streamed {
        start = *stream as usize;
        *stream += stored.streamed_words();
    } else {
        if ternary {
            bits.ternary_fields(start, stored.count(), &mut fields);
            start = 0;
        }
        *at += stored.weight_bits();
    }
    let words = match stage.record.kind {
        Kind::Conv => {
            let fields = if ternary { &fields } else { bits };
            let shape = conv::Shape::new(stage, wide);
            conv::unpack(&shape, &outputs, Format::of(weights), fields, start)
        }
        _ => Vec::new(),
    };
    Parameters { weights, outputs, wide, streamed, at: start, fields, buffer, words }
}
