//! The header: input and layers, as bytes and as types.
//!
//! Its layout is in `docs/format.md`. Parsing reads untrusted bytes: every rule has a [`HeaderRule`] of its own, the
//! error names the offset of the field that breaks it, and no more than 32 layers are ever allocated.

use alloc::vec::Vec;

use crate::layer::{
    Bias, BiasWidth, Conv, Dense, Groups, Input, Layer, Logits, Multipliers, Requantize, Shape,
    Stored, Weights,
};

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

const DENSE: u8 = 1;
const CONV: u8 = 2;
const MAX_POOL: u8 = 3;
const SHIFTED_SUM_POOL: u8 = 4;
const AGAIN: u8 = 5;
const LOGITS: u8 = 6;
const SUM_POOL: u8 = 7;
/// The code of depthwise groups.
const DEPTHWISE: u8 = 15;
const MAX_BIAS_SHIFT: u8 = 23;
const MAX_SHIFT: u16 = 47;
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

/// A layer in its place: what comes in and what goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// As in the header.
    pub layer: Layer,
    /// What is computed: `layer`, or the convolution that is applied again.
    pub computed: Layer,
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
    /// The parameters that the layer computes with; `None` of a pool.
    pub fn stored(&self) -> Option<Stored> {
        self.computed.stored(self.input)
    }

    /// Multiply-adds: weights that each output sees, times outputs; 0 of a pool.
    pub fn multiply_adds(&self) -> usize {
        self.stored().map_or(0, |stored| stored.fan_in * self.output.len())
    }

    /// The parameters that are this layer's own, in the words; `None` of a pool and of a layer applied again.
    pub fn own(&self) -> Option<Stored> {
        self.layer.stored(self.input)
    }
}

/// The input and the layers of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    input: Input,
    stages: Vec<Stage>,
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
            if *layer != stage.layer {
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
        let (header, length) = Self::parse_prefix(bytes)?;
        if length < bytes.len() {
            return Err(error(length, HeaderRule::TrailingBytes));
        }
        Ok(header)
    }

    /// Reads the header that `bytes` begins with, and says how long it is: a header says itself where it ends.
    ///
    /// # Errors
    /// As [`Header::parse`], but for the length.
    pub fn parse_prefix(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        let mut fields = Fields { bytes, at: 0 };
        let input = parse_input(&mut fields)?;
        let mut header = Self { input, stages: Vec::with_capacity(8) };
        let mut parameters = 0;
        loop {
            let offset = fields.at;
            if header.stages.len() == MAX_LAYERS {
                return Err(error(offset, HeaderRule::LayerCount));
            }
            let layer = parse_record(&mut fields)?;
            let stage = header.stage(layer, &mut parameters).map_err(|rule| error(offset, rule))?;
            header.stages.push(stage);
            if let Layer::Logits(_) = layer {
                return Ok((header, fields.at));
            }
        }
    }

    /// The header's bytes; [`Header::parse`] reads them back.
    pub fn to_bytes(&self) -> Vec<u8> {
        let layers: Vec<Layer> = self.stages.iter().map(|stage| stage.layer).collect();
        to_bytes(self.input, &layers)
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
        let bits: usize = self.stored().map(|stored| stored.head_bits()).sum();
        bits.div_ceil(256) as u32
    }

    /// Words of the whole model. It can exceed what a contract holds (8,192): the contract checks.
    pub fn word_count(&self) -> u32 {
        // At most 32 · 65,535 · 4,096 · 8 / 256 words, which fits.
        self.head_words() + self.stored().map(|stored| stored.streamed_words()).sum::<u32>()
    }

    /// Multiply-adds of an inference, zeros included.
    pub fn multiply_adds(&self) -> usize {
        self.stages.iter().map(Stage::multiply_adds).sum()
    }

    /// The layer after those there are, or the rule that it breaks as a whole.
    fn stage(&self, layer: Layer, parameters: &mut usize) -> Result<Stage, HeaderRule> {
        let (input, max_input) = match self.stages.last() {
            Some(stage) => (stage.output, max_output(stage)),
            None => (self.input.cropped(), low_bits(self.input.bits)),
        };
        let mut stage =
            Stage { layer, computed: layer, parameters: None, input, max_input, output: input };
        match layer {
            Layer::Again { layer: earlier } => {
                let earlier = self.stages.get(earlier as usize).ok_or(HeaderRule::Again)?;
                let Layer::Conv(_) = earlier.layer else { return Err(HeaderRule::Again) };
                stage.computed = earlier.layer;
                stage.parameters = earlier.parameters;
                if earlier.input.channels != input.channels {
                    return Err(HeaderRule::Again);
                }
            }
            Layer::Conv(_) | Layer::Dense(_) | Layer::Logits(_) => {
                stage.parameters = Some(*parameters);
                *parameters += 1;
            }
            Layer::MaxPool { .. } | Layer::SumPool { .. } => {}
        }
        let flat = |channels| Some(Shape { channels, height: 1, width: 1 });
        let pooled = |size: u8| {
            let [height, width] = [input.height, input.width].map(|side| side / size as u16);
            Some(Shape { height, width, ..input })
        };
        let output = match stage.computed {
            Layer::Dense(dense) => flat(dense.outputs),
            Layer::Logits(logits) => flat(logits.classes.into()),
            Layer::Conv(conv) => conv.output(input),
            Layer::MaxPool { size } | Layer::SumPool { size, .. } => pooled(size),
            Layer::Again { .. } => unreachable!("resolved above"),
        };
        let fits = |shape: &Shape| (1..=MAX_VALUES).contains(&shape.len());
        stage.output = output.filter(fits).ok_or(HeaderRule::OutputShape)?;
        if let Layer::Conv(conv) = stage.computed {
            let groups = conv.groups(input.channels);
            if input.channels % groups != 0 || u16::from(conv.outputs) % groups != 0 {
                return Err(HeaderRule::Groups);
            }
        }
        let residual = match stage.computed {
            Layer::Dense(Dense { requantize, .. }) | Layer::Conv(Conv { requantize, .. }) => {
                requantize.residual
            }
            _ => false,
        };
        if residual && stage.output != input {
            return Err(HeaderRule::Residual);
        }
        if let Layer::SumPool { size, shift } = layer
            && largest_sum(size, shift, max_input) > 255
        {
            return Err(HeaderRule::SumRange);
        }
        let bound = stage.stored().map_or(0, |stored| stored.bound(max_input));
        if bound > i32::MAX as u64 {
            return Err(HeaderRule::Overflow);
        }
        Ok(stage)
    }
}

/// `2^bits − 1`.
const fn low_bits(bits: u8) -> u8 {
    ((1u16 << bits) - 1) as u8
}

/// `(n² · x_max + half) >> shift`.
const fn largest_sum(size: u8, shift: u8, max_input: u8) -> u32 {
    (size as u32 * size as u32 * max_input as u32 + (1 << shift >> 1)) >> shift
}

/// The largest activation that a layer gives; 0 of logits, which nothing follows.
fn max_output(stage: &Stage) -> u8 {
    match stage.computed {
        Layer::Dense(Dense { requantize, .. }) | Layer::Conv(Conv { requantize, .. }) => {
            requantize.max()
        }
        Layer::SumPool { size, shift } => largest_sum(size, shift, stage.max_input) as u8,
        Layer::MaxPool { .. } => stage.max_input,
        Layer::Again { .. } | Layer::Logits(_) => 0,
    }
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
    let kind = |kind: u8, argument: u8| kind << 4 | argument & 15;
    match *layer {
        Layer::Dense(dense) => {
            let mut bytes = Vec::from([kind(DENSE, dense.weights.code())]);
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
                kind(CONV, conv.weights.code()),
                conv.outputs,
                conv.kernel << 4 | conv.stride & 15,
                conv.padding << 4 | groups,
                bias_byte(conv.bias),
            ]);
            push_requantize(&mut bytes, conv.requantize);
            bytes
        }
        Layer::MaxPool { size } => Vec::from([kind(MAX_POOL, size)]),
        Layer::SumPool { size, shift: 0 } => Vec::from([kind(SUM_POOL, size)]),
        Layer::SumPool { size, shift } => Vec::from([kind(SHIFTED_SUM_POOL, size), shift]),
        Layer::Again { layer } => Vec::from([kind(AGAIN, layer)]),
        Layer::Logits(logits) => {
            let weights = logits.weights.code();
            Vec::from([kind(LOGITS, weights), logits.classes, bias_byte(logits.bias)])
        }
    }
}

fn bias_byte(bias: Bias) -> u8 {
    let width = match bias.width {
        BiasWidth::Bits4 => 1,
        BiasWidth::Bits8 => 2,
        BiasWidth::Bits16 => 3,
    };
    width << 6 | bias.shift & 0x3f
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
    fn take<const N: usize>(&mut self) -> Result<[u8; N], HeaderError> {
        let field = self.bytes.get(self.at..).and_then(<[u8]>::first_chunk);
        self.at += N;
        field.copied().ok_or(error(self.bytes.len(), HeaderRule::Truncated))
    }

    /// A byte, made a value of by `read`, which gives `None` where the rule is broken.
    fn u8<T>(
        &mut self,
        rule: HeaderRule,
        read: impl FnOnce(u8) -> Option<T>,
    ) -> Result<T, HeaderError> {
        let [byte] = self.take()?;
        read(byte).ok_or(error(self.at - 1, rule))
    }

    fn u16<T>(
        &mut self,
        rule: HeaderRule,
        read: impl FnOnce(u16) -> Option<T>,
    ) -> Result<T, HeaderError> {
        let bytes = self.take()?;
        read(u16::from_be_bytes(bytes)).ok_or(error(self.at - 2, rule))
    }
}

fn parse_input(fields: &mut Fields<'_>) -> Result<Input, HeaderError> {
    let [version] = fields.take()?;
    if version >> 4 != VERSION {
        return Err(error(0, HeaderRule::Version));
    }
    let channels = u16::from(version & 15);
    if channels == 0 {
        return Err(error(0, HeaderRule::InputShape));
    }
    let positive = |side: u8| (side > 0).then_some(u16::from(side));
    let height = fields.u8(HeaderRule::InputShape, positive)?;
    let shape = |width| Shape { channels, height, width };
    let fits = |width: u16| (shape(width).len() <= MAX_VALUES).then_some(width);
    let width = fields.u8(HeaderRule::InputShape, |side| positive(side).and_then(fits))?;
    fields.u8(HeaderRule::InputCut, |byte| {
        let (crop, bits) = (byte >> 4, byte & 15);
        let fits = 2 * u16::from(crop) < height.min(width) && (1..=8).contains(&bits);
        fits.then_some(Input { shape: shape(width), crop, bits })
    })
}

fn parse_record(fields: &mut Fields<'_>) -> Result<Layer, HeaderError> {
    let offset = fields.at;
    let [first] = fields.take()?;
    let (kind, argument) = (first >> 4, first & 15);
    let weights = || Weights::from_code(argument).ok_or(error(offset, HeaderRule::WeightFormat));
    let size = || match argument {
        0 | 1 => Err(error(offset, HeaderRule::Pool)),
        size => Ok(size),
    };
    let outputs = |outputs: u8| (outputs > 0).then_some(outputs);
    Ok(match kind {
        DENSE => {
            let weights = weights()?;
            let in_range = |outputs| (1..=MAX_OUTPUTS).contains(&outputs).then_some(outputs);
            let outputs = fields.u16(HeaderRule::Outputs, in_range)?;
            let bias = fields.u8(HeaderRule::BiasFormat, read_bias)?;
            let requantize = parse_requantize(fields)?;
            Dense { outputs, weights, bias, requantize }.into()
        }
        CONV => {
            let weights = weights()?;
            let outputs = fields.u8(HeaderRule::Outputs, outputs)?;
            let (kernel, stride) = fields.u8(HeaderRule::Kernel, |byte| {
                let (kernel, stride) = (byte >> 4, byte & 15);
                (kernel > 0 && stride > 0).then_some((kernel, stride))
            })?;
            let (padding, groups) = fields.u8(HeaderRule::Padding, |byte| {
                let groups = match byte & 15 {
                    DEPTHWISE => Groups::Depthwise,
                    fewer => Groups::Count(fewer + 1),
                };
                (byte >> 4 < kernel).then_some((byte >> 4, groups))
            })?;
            let bias = fields.u8(HeaderRule::BiasFormat, read_bias)?;
            let requantize = parse_requantize(fields)?;
            Conv { outputs, kernel, stride, padding, groups, weights, bias, requantize }.into()
        }
        MAX_POOL => Layer::MaxPool { size: size()? },
        SUM_POOL => Layer::SumPool { size: size()?, shift: 0 },
        SHIFTED_SUM_POOL => {
            let size = size()?;
            let in_range = |shift| (1..=MAX_SUM_SHIFT).contains(&shift).then_some(shift);
            Layer::SumPool { size, shift: fields.u8(HeaderRule::Pool, in_range)? }
        }
        AGAIN => Layer::Again { layer: argument },
        LOGITS => {
            let weights = weights()?;
            let classes = fields.u8(HeaderRule::Outputs, outputs)?;
            let bias = fields.u8(HeaderRule::BiasFormat, read_bias)?;
            Logits { classes, weights, bias }.into()
        }
        _ => return Err(error(offset, HeaderRule::LayerKind)),
    })
}

fn read_bias(byte: u8) -> Option<Bias> {
    let width = match byte >> 6 {
        1 => BiasWidth::Bits4,
        2 => BiasWidth::Bits8,
        3 => BiasWidth::Bits16,
        _ => return None,
    };
    // Bit 5 is zero, or the shift is above 23 anyway.
    let shift = byte & 0x3f;
    (shift <= MAX_BIAS_SHIFT).then_some(Bias { width, shift })
}

fn parse_requantize(fields: &mut Fields<'_>) -> Result<Requantize, HeaderError> {
    let (storage, mut requantize) = fields.u16(HeaderRule::Requantization, |field| {
        let (bits, shift) = (field >> 9 & 15, field & 0x3f);
        let holds = field >> 14 < 3
            && (1..=8).contains(&bits)
            && field >> 6 & 7 == 0
            && (1..=MAX_SHIFT).contains(&shift);
        let multipliers = if field >> 14 == 2 { Multipliers::Each8 } else { Multipliers::Each4 };
        let (bits, shift, residual) = (bits as u8, shift as u8, field >> 13 & 1 == 1);
        holds.then_some((field >> 14, Requantize { multipliers, shift, bits, residual }))
    })?;
    if storage == 0 {
        let positive = |multiplier| (multiplier > 0).then_some(multiplier);
        let multiplier = fields.u16(HeaderRule::Multiplier, positive)?;
        requantize.multipliers = Multipliers::Layer(multiplier);
    }
    Ok(requantize)
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
        assert_eq!(header.stages()[1].layer, conv.into());
        assert_eq!(header.stages()[3].layer, Layer::Again { layer: 1 });
        assert_eq!(header.stages()[3].computed, conv.into());
        assert_eq!(
            (header.stages()[3].parameters, header.stages()[4].parameters),
            (Some(1), Some(2))
        );
        // conv: 8 · 12 + 72 · 4; conv: 8 · 12 + 576 · 2; dense: 6 · 16 + 615 bytes (streamed: 20 words); 10 · 8 + 60 · 4.
        assert_eq!(header.head_words(), (384u32 + 1_248 + 96 + 320).div_ceil(256));
        assert_eq!(header.word_count(), 8 + 20);
        let layers: Vec<Layer> = header.stages().iter().map(|stage| stage.layer).collect();
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
