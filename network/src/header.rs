//! The header: input and layers, as bytes and as types.
//!
//! Its layout is in `docs/format.md`. Parsing reads untrusted bytes: every rule has a [`HeaderRule`] of its own, the
//! error names the offset of the field that breaks it, and no more than 32 layers are ever allocated.

use alloc::vec::Vec;
use core::hint::black_box;

mod rule;
#[cfg(test)]
mod tests;
mod write;

use crate::layer::{
    Bias, BiasWidth, Conv, Dense, Groups, Input, Layer, Logits, Multipliers, Requantize, Shape,
    Stored, Weights,
};
use crate::room::{append, room};
pub use rule::{HeaderError, HeaderRule};
use write::{PREAMBLE, record, to_bytes};

/// The version this crate writes and reads.
pub const VERSION: u8 = 2;
/// The longest header, in bytes.
pub const MAX_HEADER_BYTES: usize = 255;
/// The most layers a header can have.
pub const MAX_LAYERS: usize = 32;
/// The most outputs of a dense layer.
pub const MAX_OUTPUTS: u16 = 4_096;
/// The most values of an image or of a layer's output.
pub const MAX_VALUES: usize = 65_535;

/// The code of a sum pool without a shift.
const SUM_POOL: u8 = 7;
/// The code of depthwise groups.
const DEPTHWISE: u8 = 15;
const MAX_BIAS_SHIFT: u8 = 23;
const MAX_SHIFT: u8 = 47;
const MAX_SUM_SHIFT: u8 = 8;

/// The kinds of records, with their codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Dense = 1,
    Conv = 2,
    MaxPool = 3,
    /// With a shift that is not zero; without, its code is [`SUM_POOL`].
    SumPool = 4,
    Again = 5,
    Logits = 6,
}

/// A layer's record, flat: a field that its kind has not is as in [`Record::blank`]. A contract reads headers on every call,
/// and its program is the shorter for it: [`Layer`], which says the same, has a shape for each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) kind: Kind,
    outputs: u16,
    /// Rows and columns of a kernel or of a pool's square; of [`Kind::Again`], the layer.
    pub(crate) size: u8,
    pub(crate) stride: u8,
    pub(crate) padding: u8,
    /// The code of the groups.
    groups: u8,
    /// Of a sum pool.
    pub(crate) shift: u8,
    weights: Weights,
    bias: Bias,
    pub(crate) requantize: Requantize,
}

impl Record {
    const fn blank() -> Self {
        Self {
            kind: Kind::Logits,
            outputs: 0,
            size: 0,
            stride: 0,
            padding: 0,
            groups: 0,
            shift: 0,
            weights: Weights::Binary,
            bias: Bias { width: BiasWidth::Bits4, shift: 0 },
            requantize: Requantize {
                multipliers: Multipliers::Layer(1),
                shift: 1,
                bits: 0,
                residual: false,
            },
        }
    }

    fn layer(&self) -> Layer {
        let Self { outputs, size, stride, padding, weights, bias, requantize, .. } = *self;
        match self.kind {
            Kind::Dense => Dense { outputs, weights, bias, requantize }.into(),
            Kind::Conv => {
                let groups = match self.groups {
                    DEPTHWISE => Groups::Depthwise,
                    code => Groups::Count(code + 1),
                };
                let (outputs, kernel) = (outputs as u8, size);
                Conv { outputs, kernel, stride, padding, groups, weights, bias, requantize }.into()
            }
            Kind::MaxPool => Layer::MaxPool { size },
            Kind::SumPool => Layer::SumPool { size, shift: self.shift },
            Kind::Again => Layer::Again { layer: size },
            Kind::Logits => Logits { classes: outputs as u8, weights, bias }.into(),
        }
    }
}

/// A layer in its place: what comes in and what goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What is computed.
    pub(crate) record: Record,
    /// The convolution that is applied again, if the layer is that.
    pub(crate) again: Option<u8>,
    /// Of a pool, no parameters.
    pub(crate) stored: Stored,
    /// The largest magnitude that an accumulator can reach, here or where the layer is applied again.
    pub(crate) bound: u32,
    /// The largest value that goes out; 0 of logits, which nothing follows.
    max_output: u8,
    /// Which of the network's parameters are used; `None` of a pool.
    pub parameters: Option<usize>,
    /// The shape that comes in.
    pub input: Shape,
    /// The largest value that can come in.
    pub max_input: u8,
    /// The shape that goes out.
    pub output: Shape,
}

impl Stage {
    /// A stage of which nothing is known.
    const fn blank() -> Self {
        let shape = Shape { channels: 0, height: 1, width: 1 };
        let record = Record::blank();
        let stored = Stored {
            outputs: 0,
            fan_in: 0,
            weights: record.weights,
            bias: record.bias,
            multiplier_bits: 0,
            streamed: false,
        };
        Self {
            record,
            again: None,
            stored,
            bound: 0,
            max_output: 0,
            parameters: None,
            input: shape,
            max_input: 0,
            output: shape,
        }
    }

    /// Puts the record in its place behind earlier stages, or says which rule the layer breaks as a whole.
    fn place(&mut self, earlier: &mut [Self], parameters: &mut usize) -> Result<(), HeaderRule> {
        let (input, max_input) = (self.input, self.max_input);
        match self.record.kind {
            Kind::Again => {
                let again = self.record.size;
                let stage = earlier.get_mut(usize::from(again)).ok_or(HeaderRule::Again)?;
                let is_conv = matches!(stage.record.kind, Kind::Conv) && stage.again.is_none();
                if !is_conv || stage.input.channels != input.channels {
                    return Err(HeaderRule::Again);
                }
                (self.again, self.record, self.parameters) =
                    (Some(again), stage.record, stage.parameters);
                // Its weights are the same, its input may be larger.
                let bound = stage.stored.bound(max_input) as u32;
                if bound > stage.bound {
                    stage.bound = bound;
                }
            }
            Kind::Conv | Kind::Dense | Kind::Logits => {
                self.parameters = Some(*parameters);
                *parameters += 1;
            }
            Kind::MaxPool | Kind::SumPool => self.record.outputs = input.channels,
        }
        let Record {
            kind, outputs, size, stride, padding, shift, weights, bias, requantize, ..
        } = self.record;
        self.output.channels = outputs;
        let (mut groups, mut fan_in) = (1, input.len());
        if !matches!(kind, Kind::Dense | Kind::Logits) {
            // No room is no row or column.
            let side = |side: u16| {
                let room = side + 2 * u16::from(padding) + u16::from(stride);
                room.saturating_sub(size.into()) / u16::from(stride)
            };
            (self.output.height, self.output.width) = (side(input.height), side(input.width));
            groups = match self.record.groups {
                DEPTHWISE => input.channels,
                code => u16::from(code) + 1,
            };
            fan_in = usize::from(input.channels / groups) * usize::from(size) * usize::from(size);
        }
        if !(1..=MAX_VALUES).contains(&self.output.len()) {
            return Err(HeaderRule::OutputShape);
        }
        if input.channels % groups != 0 || outputs % groups != 0 {
            return Err(HeaderRule::Groups);
        }
        if requantize.residual && self.output != input {
            return Err(HeaderRule::Residual);
        }
        self.stored.weights = weights;
        self.stored.bias = bias;
        self.stored.multiplier_bits = requantize.multipliers.bits();
        match kind {
            Kind::MaxPool => {
                self.max_output = max_input;
                return Ok(());
            }
            Kind::SumPool => {
                let sum = u32::from(size) * u32::from(size) * u32::from(max_input);
                let sum = (sum + (1 << shift >> 1)) >> shift;
                if sum > 255 {
                    return Err(HeaderRule::SumRange);
                }
                self.max_output = sum as u8;
                return Ok(());
            }
            _ => self.max_output = requantize.max(),
        }
        (self.stored.outputs, self.stored.fan_in) = (outputs.into(), fan_in);
        self.stored.streamed =
            !matches!(kind, Kind::Conv) && self.stored.weight_bits() > STREAMED_BITS;
        let bound = self.stored.bound(max_input);
        self.bound = bound as u32;
        if bound > i32::MAX as u64 {
            return Err(HeaderRule::Overflow);
        }
        Ok(())
    }

    /// The layer, as in the header.
    pub fn layer(&self) -> Layer {
        self.again.map_or_else(|| self.computed(), |layer| Layer::Again { layer })
    }

    /// What is computed: the layer, or the convolution that is applied again.
    pub fn computed(&self) -> Layer {
        self.record.layer()
    }

    /// The parameters that the layer computes with; `None` of a pool.
    pub fn stored(&self) -> Option<Stored> {
        self.parameters.map(|_| self.stored)
    }

    /// Multiply-adds: weights that each output sees, times outputs; 0 of a pool.
    pub fn multiply_adds(&self) -> usize {
        self.stored().map_or(0, |stored| stored.fan_in * self.output.len())
    }

    /// The parameters that are this layer's own, in the words; `None` of a pool and of a layer applied again.
    pub fn own(&self) -> Option<Stored> {
        self.stored().filter(|_| self.again.is_none())
    }
}

/// The input and the layers of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    input: Input,
    stages: Vec<Stage>,
    /// Bytes.
    length: usize,
}

impl Header {
    /// A header of these layers, checked as [`Header::parse`] checks.
    ///
    /// # Errors
    /// [`HeaderError`], with the offset that the offending field would have as bytes. A field too large for its bits
    /// in the header is an error of that field too.
    pub fn new(input: Input, layers: &[Layer]) -> Result<Self, HeaderError> {
        let bytes = to_bytes(input, layers);
        let header = Self::parse(&bytes)?;
        // A number that its field cannot hold was cut off: the first layer that reads back differently has it.
        let mut offset = PREAMBLE;
        if header.input != input {
            return Err(error(0, HeaderRule::InputShape));
        }
        for (layer, stage) in layers.iter().zip(&header.stages) {
            if *layer != stage.layer() {
                return Err(error(offset, HeaderRule::OutputShape));
            }
            offset += record(layer).len();
        }
        Ok(header)
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`HeaderError`]: the first rule broken, in order of offset.
    ///
    /// ```
    /// use inkling_network::Header;
    /// let dense = [0x21, 20, 20, 0x08, 0x68, 10, 0xc0]; // 20×20 image → 10 logits, 8-bit weights, 16-bit biases
    /// assert_eq!(Header::parse(&dense)?.word_count(), 126); // 10 biases in one word, 4,000 weights in 125
    /// assert_eq!(Header::parse(&dense[..6]).unwrap_err().offset, 6);
    /// # Ok::<(), inkling_network::HeaderError>(())
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(error(MAX_HEADER_BYTES, HeaderRule::TooLong));
        }
        let header = Self::parse_prefix(bytes)?;
        if header.length < bytes.len() {
            return Err(error(header.length, HeaderRule::TrailingBytes));
        }
        Ok(header)
    }

    /// Reads the header that `bytes` begins with: a header says itself where it ends.
    ///
    /// # Errors
    /// As [`Header::parse`], but for the length.
    pub fn parse_prefix(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut fields = Fields { bytes, at: 0 };
        let input = parse_input(&mut fields)?;
        let mut header = Self { input, stages: room(MAX_LAYERS), length: 0 };
        let mut parameters = 0;
        loop {
            let (offset, index) = (fields.at, header.stages.len());
            if index == MAX_LAYERS {
                return Err(error(offset, HeaderRule::LayerCount));
            }
            append(&mut header.stages, Stage::blank());
            let (earlier, this) = header.stages.split_at_mut(index);
            // The compiler would count the stages backward from the end of their memory, and give each field that is written
            // an address of its own: 200 bytes of a contract.
            let stage = black_box(&mut this[0]);
            parse_record(&mut fields, &mut stage.record)?;
            match earlier.last() {
                Some(last) => (stage.input, stage.max_input) = (last.output, last.max_output),
                None => (stage.input, stage.max_input) = (input.cropped(), low_bits(input.bits)),
            }
            stage.place(earlier, &mut parameters).map_err(|rule| error(offset, rule))?;
            if let Kind::Logits = stage.record.kind {
                header.length = fields.at;
                return Ok(header);
            }
        }
    }

    /// The header's bytes; [`Header::parse`] reads them back.
    pub fn to_bytes(&self) -> Vec<u8> {
        let layers: Vec<Layer> = self.stages.iter().map(Stage::layer).collect();
        to_bytes(self.input, &layers)
    }

    /// Bytes of the header.
    pub const fn byte_len(&self) -> usize {
        self.length
    }

    /// The image, and what of it the first layer sees.
    pub const fn input(&self) -> Input {
        self.input
    }

    /// Bytes of an image.
    pub const fn image_len(&self) -> usize {
        self.input.shape.len()
    }

    /// The layers, first to last; at least one.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Number of logits.
    pub fn classes(&self) -> usize {
        self.stages.last().map_or(0, |stage| stage.output.len())
    }

    /// What is stored for each layer that has parameters of its own, in order.
    pub fn stored(&self) -> impl Iterator<Item = Stored> + '_ {
        self.stages.iter().filter_map(Stage::own)
    }

    /// Words of all that is not streamed: those that every inference reads.
    pub fn head_words(&self) -> u32 {
        self.words()[0]
    }

    /// Words of the whole model. It can exceed what a contract holds (8,192): the contract checks.
    pub fn word_count(&self) -> u32 {
        // At most 32 · 65,535 · 4,096 · 8 / 256 words, which fits.
        let [head, streamed] = self.words();
        head + streamed
    }

    /// Words that are not streamed, and words that are.
    fn words(&self) -> [u32; 2] {
        let (mut bits, mut streamed) = (0, 0);
        for stage in &self.stages {
            if stage.again.is_none() {
                bits += stage.stored.head_bits();
                streamed += stage.stored.streamed_words();
            }
        }
        [bits.div_ceil(256) as u32, streamed]
    }

    /// Multiply-adds of an inference, zeros included.
    pub fn multiply_adds(&self) -> usize {
        self.stages.iter().map(Stage::multiply_adds).sum()
    }
}

/// Bits of weights above which those of a dense layer are streamed.
const STREAMED_BITS: usize = 4_096;

/// `2^bits − 1`.
const fn low_bits(bits: u8) -> u8 {
    ((1u16 << bits) - 1) as u8
}

const fn error(offset: usize, rule: HeaderRule) -> HeaderError {
    HeaderError { offset: offset as u16, rule }
}

/// The bytes of a header, read field by field.
struct Fields<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Fields<'_> {
    fn byte(&mut self) -> Result<u8, HeaderError> {
        let Some(byte) = self.bytes.get(self.at) else {
            return Err(error(self.bytes.len(), HeaderRule::Truncated));
        };
        self.at += 1;
        Ok(*byte)
    }

    /// The high and the low half of a byte.
    fn halves(&mut self) -> Result<(u8, u8), HeaderError> {
        let byte = self.byte()?;
        Ok((byte >> 4, byte & 15))
    }

    fn u16(&mut self) -> Result<u16, HeaderError> {
        Ok(u16::from(self.byte()?) << 8 | u16::from(self.byte()?))
    }

    /// An error of the field of so many bytes before, unless its rule holds.
    fn check(&self, holds: bool, length: usize, rule: HeaderRule) -> Result<(), HeaderError> {
        if holds { Ok(()) } else { Err(error(self.at - length, rule)) }
    }
}

fn parse_input(fields: &mut Fields<'_>) -> Result<Input, HeaderError> {
    use HeaderRule::{InputCut, InputShape};
    let (version, channels) = fields.halves()?;
    fields.check(version == VERSION, 1, HeaderRule::Version)?;
    fields.check(channels > 0, 1, InputShape)?;
    let height = fields.byte()?;
    fields.check(height > 0, 1, InputShape)?;
    let width = fields.byte()?;
    let shape = Shape { channels: channels.into(), height: height.into(), width: width.into() };
    fields.check((1..=MAX_VALUES).contains(&shape.len()), 1, InputShape)?;
    let (crop, bits) = fields.halves()?;
    let fits = 2 * crop < height.min(width) && (1..=8).contains(&bits);
    fields.check(fits, 1, InputCut)?;
    Ok(Input { shape, crop, bits })
}

/// A record as it stands: what its layer has to do with the others is [`Stage::place`]'s affair.
fn parse_record(fields: &mut Fields<'_>, record: &mut Record) -> Result<(), HeaderError> {
    let (code, argument) = fields.halves()?;
    record.kind = match code {
        1 => Kind::Dense,
        2 => Kind::Conv,
        3 => Kind::MaxPool,
        4 | SUM_POOL => Kind::SumPool,
        5 => Kind::Again,
        6 => Kind::Logits,
        _ => return Err(error(fields.at - 1, HeaderRule::LayerKind)),
    };
    match record.kind {
        Kind::Again => {
            record.size = argument;
            return Ok(());
        }
        Kind::MaxPool | Kind::SumPool => {
            // A window that its own size is moved by.
            (record.size, record.stride) = (argument, argument);
            fields.check(argument > 1, 1, HeaderRule::Pool)?;
            if code == Kind::SumPool as u8 {
                record.shift = fields.byte()?;
                fields.check((1..=MAX_SUM_SHIFT).contains(&record.shift), 1, HeaderRule::Pool)?;
            }
            return Ok(());
        }
        Kind::Dense | Kind::Conv | Kind::Logits => {}
    }
    let Some(weights) = Weights::from_code(argument) else {
        return Err(error(fields.at - 1, HeaderRule::WeightFormat));
    };
    record.weights = weights;
    let is_dense = matches!(record.kind, Kind::Dense);
    record.outputs = if is_dense { fields.u16()? } else { fields.byte()?.into() };
    let in_range = (1..=MAX_OUTPUTS).contains(&record.outputs);
    fields.check(in_range, 1 + usize::from(is_dense), HeaderRule::Outputs)?;
    if let Kind::Conv = record.kind {
        (record.size, record.stride) = fields.halves()?;
        fields.check(record.size > 0 && record.stride > 0, 1, HeaderRule::Kernel)?;
        (record.padding, record.groups) = fields.halves()?;
        fields.check(record.padding < record.size, 1, HeaderRule::Padding)?;
    }
    let bias = fields.byte()?;
    // Bit 5 is zero, or the shift is above 23 anyway.
    record.bias.shift = bias & 0x3f;
    let width = BiasWidth::from_code(bias >> 6).filter(|_| record.bias.shift <= MAX_BIAS_SHIFT);
    let Some(width) = width else {
        return Err(error(fields.at - 1, HeaderRule::BiasFormat));
    };
    record.bias.width = width;
    if let Kind::Logits = record.kind {
        return Ok(());
    }
    parse_requantize(fields, &mut record.requantize)
}

fn parse_requantize(fields: &mut Fields<'_>, to: &mut Requantize) -> Result<(), HeaderError> {
    let field = fields.u16()?;
    to.bits = (field >> 9 & 15) as u8;
    to.shift = (field & 0x3f) as u8;
    to.residual = field >> 13 & 1 == 1;
    let holds = field >> 14 < 3
        && (1..=8).contains(&to.bits)
        && field >> 6 & 7 == 0
        && (1..=MAX_SHIFT).contains(&to.shift);
    fields.check(holds, 2, HeaderRule::Requantization)?;
    to.multipliers = match field >> 14 {
        0 => {
            let multiplier = fields.u16()?;
            fields.check(multiplier > 0, 2, HeaderRule::Multiplier)?;
            Multipliers::Layer(multiplier)
        }
        1 => Multipliers::Each4,
        _ => Multipliers::Each8,
    };
    Ok(())
}
