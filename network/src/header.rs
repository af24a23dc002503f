//! The header: input and layers, as bytes and as types.
//!
//! Its layout is in `docs/format.md`. Parsing reads untrusted bytes: every rule has a [`HeaderRule`] of its own, the
//! error names the offset of the field that breaks it, and no more than 32 layers are ever allocated.

use alloc::vec::Vec;
use core::hint::black_box;

use crate::layer::{
    Bias, BiasWidth, Conv, Dense, Groups, Input, Layer, Logits, Multipliers, Requantize, Shape,
    Stored, Weights,
};
use crate::room::{append, room};

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

/// A rule of `docs/format.md` that a header can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderRule {
    /// More than 255 bytes.
    #[error("a header has at most 255 bytes")]
    TooLong,
    /// The bytes end before the header does.
    #[error("the header ends too early")]
    Truncated,
    /// Bytes after the logits record.
    #[error("there are bytes after the logits record")]
    TrailingBytes,
    /// Not version 2.
    #[error("the version must be 2")]
    Version,
    /// A side of the image is 0 or too large, or there are more than 65,535 values.
    #[error("channels must be 1 to 15, height and width 1 to 255, their product at most 65535")]
    InputShape,
    /// The crop leaves nothing, or the bits are not 1 to 8.
    #[error("the crop must leave a row and a column, and input bits must be 1 to 8")]
    InputCut,
    /// More than 32 layers.
    #[error("there must be 1 to 32 layers, the last one logits")]
    LayerCount,
    /// A kind of layer that this version does not know.
    #[error("the kind of layer is unknown")]
    LayerKind,
    /// Outputs out of range.
    #[error("a dense layer must have 1 to 4096 outputs, a convolution or logits 1 to 255")]
    Outputs,
    /// A weight format that this version does not know.
    #[error("the weight format is unknown")]
    WeightFormat,
    /// Kernel or stride 0.
    #[error("kernel and stride must be 1 to 15")]
    Kernel,
    /// As much padding as the kernel has rows, or more.
    #[error("the padding must be less than the kernel")]
    Padding,
    /// Groups that do not divide the planes.
    #[error("the groups must divide the input planes and the outputs")]
    Groups,
    /// A bias format that this version does not know, or a shift above 23.
    #[error("the bias format is unknown or its shift above 23")]
    BiasFormat,
    /// Multiplier 0.
    #[error("the multiplier must be 1 to 65535")]
    Multiplier,
    /// Multiplier storage unknown, activation bits or shift out of range, or a bit set that must be 0.
    #[error("activations must have 1 to 8 bits, the shift must be 1 to 47")]
    Requantization,
    /// Size 0 or 1 of a pool, or the shift of a sum pool above 8.
    #[error("a pool must have size 2 to 15, a shift of at most 8")]
    Pool,
    /// No row or column is left, or there are more than 65,535 values.
    #[error("the layer's output must have 1 to 65535 values")]
    OutputShape,
    /// `again` does not name an earlier convolution, or planes differ.
    #[error("a layer that is applied again must be an earlier convolution of as many planes")]
    Again,
    /// The output of a residual layer has not the shape of its input.
    #[error("a residual layer's output must have the shape of its input")]
    Residual,
    /// A sum pool's result may exceed 255.
    #[error("the largest sum of a sum pool, shifted, must be at most 255")]
    SumRange,
    /// Some input and weights could overflow an accumulator.
    #[error("a 32-bit accumulator of this layer could overflow")]
    Overflow,
}

/// A header that breaks a rule, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad header at byte {offset}: {rule}")]
pub struct HeaderError {
    /// First byte of the offending field; the header's length where it ends too early; the record's first byte for a
    /// rule about the layer as a whole.
    pub offset: u16,
    /// The rule.
    pub rule: HeaderRule,
}

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

/// Bytes before the first record.
const PREAMBLE: usize = 4;

fn to_bytes(input: Input, layers: &[Layer]) -> Vec<u8> {
    let Shape { channels, height, width } = input.shape;
    let mut bytes = Vec::from([
        VERSION << 4 | channels as u8 & 15,
        height as u8,
        width as u8,
        input.crop << 4 | input.bits & 15,
    ]);
    for layer in layers {
        bytes.extend(record(layer));
    }
    bytes
}

/// The record of a layer.
fn record(layer: &Layer) -> Vec<u8> {
    let kind = |kind: Kind, argument: u8| (kind as u8) << 4 | argument & 15;
    match *layer {
        Layer::Dense(dense) => {
            let mut bytes = Vec::from([kind(Kind::Dense, dense.weights.code())]);
            bytes.extend(dense.outputs.to_be_bytes());
            bytes.push(bias_byte(dense.bias));
            push_requantize(&mut bytes, dense.requantize);
            bytes
        }
        Layer::Conv(conv) => {
            let groups = match conv.groups {
                Groups::Count(count) => count.wrapping_sub(1) & 15,
                Groups::Depthwise => DEPTHWISE,
            };
            let mut bytes = Vec::from([
                kind(Kind::Conv, conv.weights.code()),
                conv.outputs,
                conv.kernel << 4 | conv.stride & 15,
                conv.padding << 4 | groups,
                bias_byte(conv.bias),
            ]);
            push_requantize(&mut bytes, conv.requantize);
            bytes
        }
        Layer::MaxPool { size } => Vec::from([kind(Kind::MaxPool, size)]),
        Layer::SumPool { size, shift: 0 } => Vec::from([SUM_POOL << 4 | size & 15]),
        Layer::SumPool { size, shift } => Vec::from([kind(Kind::SumPool, size), shift]),
        Layer::Again { layer } => Vec::from([kind(Kind::Again, layer)]),
        Layer::Logits(logits) => {
            let weights = logits.weights.code();
            Vec::from([kind(Kind::Logits, weights), logits.classes, bias_byte(logits.bias)])
        }
    }
}

fn bias_byte(bias: Bias) -> u8 {
    (bias.width as u8) << 6 | bias.shift & 0x3f
}

fn push_requantize(bytes: &mut Vec<u8>, requantize: Requantize) {
    let Requantize { multipliers, shift, bits, residual } = requantize;
    let storage = match multipliers {
        Multipliers::Layer(_) => 0,
        Multipliers::Each4 => 1,
        Multipliers::Each8 => 2,
    };
    let field = storage << 14
        | u16::from(residual) << 13
        | u16::from(bits & 15) << 9
        | u16::from(shift & 0x3f);
    bytes.extend(field.to_be_bytes());
    if let Multipliers::Layer(multiplier) = multipliers {
        bytes.extend(multiplier.to_be_bytes());
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 20×20, cropped to 16×16 of 4 bits; a convolution; a residual one, pooled, once more; a dense layer; logits.
    const NET: [u8; 31] = [
        0x21, 20, 20, 0x24, // preamble
        0x24, 8, 0x31, 0x10, 0x83, 0x48,
        0x0a, // 8 planes, 3×3, padding 1, biases << 3, 4-bit m, a = 4, >> 10
        0x22, 8, 0x31, 0x10, 0x41, 0xa8,
        0x07, // residual, 2-bit weights, 4-bit biases << 1, 8-bit m
        0x32, 0x51, // max pool, the second layer again
        0x15, 0x00, 0x06, 0xc0, 0x08, 0x07, 0x12, 0x34, // 6 outputs, ternary, · 0x1234 >> 7
        0x64, 10, 0x80, // 10 classes, 4-bit weights
    ];

    #[test]
    fn parses_and_writes_back() {
        let header = Header::parse(&NET).unwrap();
        assert_eq!(header.to_bytes(), NET);
        let plane = |side| Shape { channels: 8, height: side, width: side };
        let shapes: Vec<Shape> = header.stages().iter().map(|stage| stage.output).collect();
        let flat = |channels| Shape { channels, height: 1, width: 1 };
        assert_eq!(shapes, [plane(16), plane(16), plane(8), plane(8), flat(6), flat(10)]);
        let requantize =
            Requantize { multipliers: Multipliers::Each8, shift: 7, bits: 4, residual: true };
        let conv = Conv {
            outputs: 8,
            kernel: 3,
            stride: 1,
            padding: 1,
            groups: Groups::Count(1),
            weights: Weights::Int2,
            bias: Bias { width: BiasWidth::Bits4, shift: 1 },
            requantize,
        };
        assert_eq!(header.stages()[1].layer(), conv.into());
        assert_eq!(header.stages()[3].layer(), Layer::Again { layer: 1 });
        assert_eq!(header.stages()[3].computed(), conv.into());
        assert_eq!(
            (header.stages()[3].parameters, header.stages()[4].parameters),
            (Some(1), Some(2))
        );
        // conv: 8 · 12 + 72 · 4; conv: 8 · 12 + 576 · 2; dense: 6 · 16 + 615 bytes (streamed: 20 words); 10 · 8 + 60 · 4.
        assert_eq!(header.head_words(), (384u32 + 1_248 + 96 + 320).div_ceil(256));
        assert_eq!(header.word_count(), 8 + 20);
        let layers: Vec<Layer> = header.stages().iter().map(Stage::layer).collect();
        assert_eq!(Header::new(header.input(), &layers).unwrap(), header);
        // 256 · 8 · 9 + 256 · 8 · 72 + 64 · 8 · 72 + 512 · 6 + 60
        assert_eq!(header.multiply_adds(), 18_432 + 147_456 + 36_864 + 3_072 + 60);
    }

    #[test]
    fn every_rule_names_its_field() {
        use HeaderRule::*;
        let cases: [(usize, u8, u16, HeaderRule); 39] = [
            (0, 0x11, 0, Version),
            (0, 0x20, 0, InputShape),
            (1, 0, 1, InputShape),
            (2, 0, 2, InputShape),
            (3, 0xa4, 3, InputCut),
            (3, 0x20, 3, InputCut),
            (3, 0x29, 3, InputCut),
            (4, 0x04, 4, LayerKind),
            (4, 0x84, 4, LayerKind),
            (4, 0x20, 4, WeightFormat),
            (4, 0x26, 4, WeightFormat),
            (5, 0, 5, Outputs),
            (6, 0x01, 6, Kernel),
            (6, 0x30, 6, Kernel),
            (7, 0x30, 7, Padding),
            (7, 0x11, 4, Groups),
            (8, 0x03, 8, BiasFormat),
            (8, 0x98, 8, BiasFormat),
            (8, 0xa0, 8, BiasFormat),
            (9, 0xc8, 9, Requantization),
            (9, 0x40, 9, Requantization),
            (9, 0x52, 9, Requantization),
            (9, 0x49, 9, Requantization),
            (10, 0x4a, 9, Requantization),
            (10, 0x00, 9, Requantization),
            (10, 0x30, 9, Requantization),
            (9, 0x68, 4, Residual),
            (18, 0x31, 18, Pool),
            (18, 0x30, 18, Pool),
            (18, 0x71, 18, Pool),
            (19, 0x54, 19, Again),
            (19, 0x52, 19, Again),
            (19, 0x50, 19, Again),
            (22, 0, 21, Outputs),
            (21, 0x11, 21, Outputs),
            (20, 0x16, 20, WeightFormat),
            (23, 0x20, 23, BiasFormat),
            (29, 0, 29, Outputs),
            (28, 0x60, 28, WeightFormat),
        ];
        for (index, byte, offset, rule) in cases {
            let mut bytes = NET.to_vec();
            bytes[index] = byte;
            let got = Header::parse(&bytes).unwrap_err();
            assert_eq!((got.offset, got.rule), (offset, rule), "byte {index} = {byte:#x}");
        }
        let with = |edit: fn(&mut Vec<u8>)| {
            let mut bytes = NET.to_vec();
            edit(&mut bytes);
            let HeaderError { offset, rule } = Header::parse(&bytes).unwrap_err();
            (offset, rule)
        };
        assert_eq!(with(|b| b.push(0)), (31, TrailingBytes));
        assert_eq!(with(|b| b.resize(256, 0)), (255, TooLong));
        assert_eq!(with(|b| b.truncate(3)), (3, Truncated));
        assert_eq!(with(|b| b.truncate(4)), (4, Truncated));
        assert_eq!(with(|b| b.truncate(10)), (10, Truncated));
        assert_eq!(with(|b| b.truncate(28)), (28, Truncated));
        assert_eq!(with(|b| (b[26], b[27]) = (0, 0)), (26, Multiplier));
        assert_eq!(with(|b| (b[0], b[1], b[2]) = (0x22, 255, 255)), (2, InputShape));
        // A kernel of 15 without padding has no room in 8×8.
        assert_eq!(
            with(|b| b.splice(20..20, [0x22, 8, 0xf1, 0, 0x41, 0x48, 7]).for_each(drop)),
            (20, OutputShape)
        );
        // 2² · 15 fits, 8² · 15 = 960 does not, and 960 >> 2 = 240 does.
        assert_eq!(with(|b| b.insert(20, 0x78)), (20, SumRange));
        let mut fits = NET.to_vec();
        fits.splice(20..20, [0x48, 2]);
        assert!(Header::parse(&fits).is_ok());
        assert_eq!(with(|b| b.splice(20..20, [0x42, 9]).for_each(drop)), (21, Pool));
        assert_eq!(with(|b| b.splice(20..20, [0x42, 0]).for_each(drop)), (21, Pool));
        // 65,025 · 255 · 128 + (32,768 << 10) does not fit 31 bits; << 9 does.
        let large = |shift: u8| Header::parse(&[0x21, 255, 255, 0x08, 0x68, 8, 0xc0 | shift]);
        assert_eq!(large(10).unwrap_err(), error(4, Overflow));
        assert!(large(9).is_ok());
        let mut many = NET[..4].to_vec();
        many.extend([0x22, 1, 0x11, 0, 0x40, 0x48, 1].repeat(33));
        assert_eq!(Header::parse(&many).unwrap_err(), error(4 + 7 * 32, LayerCount));
    }

    #[test]
    fn numbers_that_do_not_fit_their_field_are_refused() {
        let shape = Shape { channels: 1, height: 4, width: 4 };
        let bias = Bias { width: BiasWidth::Bits8, shift: 0 };
        let logits = Layer::Logits(Logits { classes: 2, weights: Weights::Int4, bias });
        let input = Input { shape, crop: 0, bits: 8 };
        assert!(Header::new(input, &[logits]).is_ok());
        let wide = Input { shape: Shape { width: 260, ..shape }, ..input };
        assert_eq!(Header::new(wide, &[logits]).unwrap_err(), error(0, HeaderRule::InputShape));
        let pool = [Layer::MaxPool { size: 18 }, logits];
        assert_eq!(Header::new(input, &pool).unwrap_err(), error(4, HeaderRule::OutputShape));
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_and_write_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert_eq!(header.to_bytes(), bytes);
            }
        }

        #[test]
        fn mutated_headers_do_not_panic(index in 0usize..31, byte: u8, cut in 0usize..32) {
            let mut bytes = NET.to_vec();
            bytes[index] = byte;
            bytes.truncate(cut);
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert_eq!(header.to_bytes(), bytes);
                header.word_count();
            }
        }
    }
}
