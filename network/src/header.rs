//! The header: input shape and layers, as bytes and as types.
//!
//! Its layout is in `docs/format.md`. Parsing reads untrusted bytes: every rule has a [`HeaderRule`] of its own, the
//! error names the offset of the field that breaks it, and no more than 27 layers are ever allocated.

use alloc::vec::Vec;

use crate::layer::{Bias, Dense, Layer, Requantize, Shape, Weights};

/// The version this crate writes and reads.
pub const VERSION: u8 = 1;
/// The longest header, in bytes.
pub const MAX_HEADER_BYTES: usize = 256;
/// The most layers a header can have.
pub const MAX_LAYERS: usize = 27;
/// The most outputs of a layer.
pub const MAX_OUTPUTS: u16 = 4_096;
/// The most outputs of the last layer: a class is a `uint8`.
pub const MAX_CLASSES: u16 = 256;
/// The most inputs, `height · width · channels`.
pub const MAX_INPUTS: usize = 65_535;

const DENSE: u8 = 1;
const INT8: u8 = 8;
/// Bits 7–5 of the bias format.
const BIAS_8: u8 = 0b010;
const BIAS_16: u8 = 0b100;
const MAX_BIAS_SHIFT: u8 = 23;
const MAX_SHIFT: u16 = 47;

/// A rule of `docs/format.md` that a header can break.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderRule {
    /// More than 256 bytes.
    #[error("a header has at most 256 bytes")]
    TooLong,
    /// The bytes end before the header does.
    #[error("the header ends too early")]
    Truncated,
    /// Bytes after the last record.
    #[error("there are bytes after the last layer's record")]
    TrailingBytes,
    /// Not version 1.
    #[error("the version must be 1")]
    Version,
    /// A side of the image is 0, or there are more than 65,535 inputs.
    #[error("height, width and channels must be 1 to 255 and their product at most 65535")]
    InputShape,
    /// No layers, or more than 27.
    #[error("there must be 1 to 27 layers")]
    LayerCount,
    /// A kind of layer that this version does not know.
    #[error("the kind of layer is unknown")]
    LayerKind,
    /// Outputs out of range.
    #[error("a layer must have 1 to 4096 outputs, the last one at most 256")]
    Outputs,
    /// A weight format that this version does not know.
    #[error("the weight format is unknown")]
    WeightFormat,
    /// A bias format that this version does not know, or a shift above 23.
    #[error("the bias format is unknown or its shift above 23")]
    BiasFormat,
    /// Multiplier 0, or not 0 in the last layer.
    #[error("the multiplier must be 1 to 65535, in the last layer 0")]
    Multiplier,
    /// Shift out of range.
    #[error("the shift must be 1 to 47, in the last layer 0")]
    Shift,
    /// Activation bits out of range.
    #[error("activations must have 1 to 8 bits, in the last layer 0")]
    ActivationBits,
    /// Some input and weights could overflow an accumulator.
    #[error("a 32-bit accumulator of this layer could overflow")]
    Overflow,
}

/// A header that breaks a rule, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bad header at byte {offset}: {rule}")]
pub struct HeaderError {
    /// First byte of the offending field; the header's length where it ends too early; the record's first byte for
    /// [`HeaderRule::Overflow`].
    pub offset: u16,
    /// The rule.
    pub rule: HeaderRule,
}

/// The shape of the input and the layers of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    input: Shape,
    layers: Vec<Layer>,
}

impl Header {
    /// A header of these layers, checked as [`Header::parse`] checks.
    ///
    /// # Errors
    /// [`HeaderError`], with the offset that the offending field would have as bytes.
    pub fn new(input: Shape, layers: Vec<Layer>) -> Result<Self, HeaderError> {
        let header = Self { input, layers };
        Self::parse(&header.to_bytes())
    }

    /// Reads a header.
    ///
    /// # Errors
    /// [`HeaderError`]: the first rule broken, in order of offset.
    ///
    /// ```
    /// use inkling_network::Header;
    /// let mlp = [1, 20, 20, 1, 1, 1, 0, 10, 8, 0x80, 0, 0, 0, 0]; // 400 → 10, 8-bit weights, 16-bit biases
    /// assert_eq!(Header::parse(&mlp)?.word_count(), 126); // 10 biases in one word, 4,000 weights in 125
    /// assert_eq!(Header::parse(&mlp[..13]).unwrap_err().offset, 13);
    /// # Ok::<(), inkling_network::HeaderError>(())
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > MAX_HEADER_BYTES {
            return Err(error(MAX_HEADER_BYTES, HeaderRule::TooLong));
        }
        let mut fields = Fields { bytes, at: 0 };
        fields.u8(HeaderRule::Version, |version| version == VERSION)?;
        let height = fields.u8(HeaderRule::InputShape, |height| height > 0)?;
        let width = fields.u8(HeaderRule::InputShape, |width| width > 0)?;
        let shape = |channels| Shape { height, width, channels };
        let fits = |channels| (1..=MAX_INPUTS).contains(&shape(channels).len());
        let input = shape(fields.u8(HeaderRule::InputShape, fits)?);
        let count_fits = |count| (1..=MAX_LAYERS).contains(&(count as usize));
        let count = fields.u8(HeaderRule::LayerCount, count_fits)? as usize;

        let mut layers = Vec::with_capacity(count);
        let mut inputs = input.len();
        let mut max_input = 255;
        for index in 0..count {
            let record = fields.at;
            fields.u8(HeaderRule::LayerKind, |kind| kind == DENSE)?;
            let layer = Layer::Dense(parse_dense(&mut fields, index + 1 == count)?);
            if !accumulators_fit(&layer, inputs, max_input) {
                return Err(error(record, HeaderRule::Overflow));
            }
            inputs = layer.outputs();
            max_input = layer.requantize().map_or(0, Requantize::max);
            layers.push(layer);
        }
        if fields.at < bytes.len() {
            return Err(error(fields.at, HeaderRule::TrailingBytes));
        }
        Ok(Self { input, layers })
    }

    /// The header's bytes; [`Header::parse`] reads them back.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Shape { height, width, channels } = self.input;
        let mut bytes = Vec::from([VERSION, height, width, channels, self.layers.len() as u8]);
        for layer in &self.layers {
            let Layer::Dense(dense) = layer;
            let weights = match dense.weights {
                Weights::Int8 => INT8,
            };
            let bias = match dense.bias {
                Bias::Int8 { shift } => BIAS_8 << 5 | shift,
                Bias::Int16 { shift } => BIAS_16 << 5 | shift,
            };
            bytes.push(DENSE);
            bytes.extend(dense.outputs.to_be_bytes());
            bytes.extend([weights, bias]);
            let (multiplier, shift, bits) =
                dense.requantize.map_or((0, 0, 0), |r| (r.multiplier, r.shift, r.bits));
            bytes.extend(multiplier.to_be_bytes());
            bytes.extend([shift, bits]);
        }
        bytes
    }

    /// The shape of the image.
    pub const fn input(&self) -> Shape {
        self.input
    }

    /// The layers, first to last; at least one.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Number of logits.
    pub fn classes(&self) -> usize {
        self.layers.last().map_or(0, Layer::outputs)
    }

    /// Each layer with its number of inputs.
    pub fn layers_with_inputs(&self) -> impl Iterator<Item = (usize, &Layer)> {
        let outputs = self.layers.iter().map(Layer::outputs);
        core::iter::once(self.input.len()).chain(outputs).zip(&self.layers)
    }

    /// Words that the biases of all layers take: the words before the first layer's weights.
    pub fn bias_words(&self) -> u32 {
        let bytes: usize = self.layers.iter().map(|l| l.biases() * l.bias_format().bytes()).sum();
        bytes.div_ceil(32) as u32
    }

    /// Words of the whole model. It can exceed what a contract holds (8,192): the contract checks.
    pub fn word_count(&self) -> u32 {
        // At most 65,535 · 4,096 / 32 + 26 · 4,096² / 32 words, which fits.
        let weights = |(inputs, layer): (usize, &Layer)| weight_words(layer, inputs);
        self.bias_words() + self.layers_with_inputs().map(weights).sum::<u32>()
    }
}

/// Words that the weights of a layer with so many inputs take.
pub(crate) fn weight_words(layer: &Layer, inputs: usize) -> u32 {
    let bits = layer.weights(inputs) as u64 * layer.weight_format().bits() as u64;
    bits.div_ceil(256) as u32
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
    fn take<const N: usize>(&mut self) -> Result<[u8; N], HeaderError> {
        let field = self.bytes[self.at..].first_chunk();
        self.at += N;
        field.copied().ok_or(error(self.bytes.len(), HeaderRule::Truncated))
    }

    fn u8(&mut self, rule: HeaderRule, holds: impl Fn(u8) -> bool) -> Result<u8, HeaderError> {
        let [value] = self.take()?;
        if holds(value) { Ok(value) } else { Err(error(self.at - 1, rule)) }
    }

    fn u16(&mut self, rule: HeaderRule, holds: impl Fn(u16) -> bool) -> Result<u16, HeaderError> {
        let value = u16::from_be_bytes(self.take()?);
        if holds(value) { Ok(value) } else { Err(error(self.at - 2, rule)) }
    }
}

/// The record of a dense layer, after its kind.
fn parse_dense(fields: &mut Fields<'_>, last: bool) -> Result<Dense, HeaderError> {
    let most = if last { MAX_CLASSES } else { MAX_OUTPUTS };
    let outputs = fields.u16(HeaderRule::Outputs, |outputs| (1..=most).contains(&outputs))?;
    fields.u8(HeaderRule::WeightFormat, |format| format == INT8)?;
    let bias = |byte: u8| {
        let shift = byte & 0x1f;
        match byte >> 5 {
            _ if shift > MAX_BIAS_SHIFT => None,
            BIAS_8 => Some(Bias::Int8 { shift }),
            BIAS_16 => Some(Bias::Int16 { shift }),
            _ => None,
        }
    };
    let bias_byte = fields.u8(HeaderRule::BiasFormat, |byte| bias(byte).is_some())?;
    let bias = bias(bias_byte).expect("checked above");
    // The last layer's accumulators are the logits: all three fields are 0.
    let in_range = |value, most| if last { value == 0 } else { (1..=most).contains(&value) };
    let multiplier = fields.u16(HeaderRule::Multiplier, |m| in_range(m, u16::MAX))?;
    let shift = fields.u8(HeaderRule::Shift, |shift| in_range(shift.into(), MAX_SHIFT))?;
    let bits = fields.u8(HeaderRule::ActivationBits, |bits| in_range(bits.into(), 8))?;
    let requantize = (!last).then_some(Requantize { multiplier, shift, bits });
    Ok(Dense { outputs, weights: Weights::Int8, bias, requantize })
}

/// Whether no input up to `max_input` can take an accumulator of the layer past `i32::MAX`.
fn accumulators_fit(layer: &Layer, inputs: usize, max_input: u8) -> bool {
    let products = inputs as u64 * max_input as u64 * layer.weight_format().max_magnitude() as u64;
    let bias = layer.bias_format();
    let largest_bias = (-bias.range().0 as u64) << bias.shift();
    products + largest_bias <= i32::MAX as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    /// 400 → 64 → 10.
    const MLP: [u8; 23] = [
        1, 20, 20, 1, 2, // preamble
        1, 0, 64, 8, 0x82, 0x12, 0x34, 20,
        8, // 64 outputs, 16-bit biases << 2, · 0x1234 >> 20, 8 bits
        1, 0, 10, 8, 0x43, 0, 0, 0, 0, // 10 logits, 8-bit biases << 3
    ];

    #[test]
    fn parses_and_writes_back() {
        let header = Header::parse(&MLP).unwrap();
        assert_eq!(header.input(), Shape { height: 20, width: 20, channels: 1 });
        let requantize = Requantize { multiplier: 0x1234, shift: 20, bits: 8 };
        let expected = vec![
            Layer::Dense(Dense {
                outputs: 64,
                weights: Weights::Int8,
                bias: Bias::Int16 { shift: 2 },
                requantize: Some(requantize),
            }),
            Layer::Dense(Dense {
                outputs: 10,
                weights: Weights::Int8,
                bias: Bias::Int8 { shift: 3 },
                requantize: None,
            }),
        ];
        assert_eq!(header.layers(), expected);
        assert_eq!(header.to_bytes(), MLP);
        // 64 · 2 + 10 = 138 bytes of biases: 5 words; 25,600 weights: 800; 640: 20.
        assert_eq!((header.bias_words(), header.word_count(), header.classes()), (5, 825, 10));
    }

    #[test]
    fn every_rule_names_its_field() {
        use HeaderRule::*;
        let cases: [(usize, u8, u16, HeaderRule); 20] = [
            (0, 2, 0, Version),
            (1, 0, 1, InputShape),
            (2, 0, 2, InputShape),
            (3, 0, 3, InputShape),
            (3, 255, 3, InputShape),
            (4, 0, 4, LayerCount),
            (4, 28, 4, LayerCount),
            (5, 2, 5, LayerKind),
            (6, 17, 6, Outputs),
            (7, 0, 6, Outputs),
            (8, 4, 8, WeightFormat),
            (9, 0x02, 9, BiasFormat),
            (9, 0xc0, 9, BiasFormat),
            (9, 0xa0, 9, BiasFormat),
            (9, 0x98, 9, BiasFormat),
            (12, 0, 12, Shift),
            (12, 48, 12, Shift),
            (13, 9, 13, ActivationBits),
            (15, 2, 15, Outputs),
            (19, 1, 19, Multiplier),
        ];
        for (index, byte, offset, rule) in cases {
            let mut bytes = MLP;
            bytes[index] = byte;
            let got = Header::parse(&bytes).unwrap_err();
            assert_eq!((got.offset, got.rule), (offset, rule), "byte {index} = {byte}");
        }
        let with = |edit: fn(&mut Vec<u8>)| {
            let mut bytes = MLP.to_vec();
            edit(&mut bytes);
            let HeaderError { offset, rule } = Header::parse(&bytes).unwrap_err();
            (offset, rule)
        };
        assert_eq!(with(|b| b.push(0)), (23, TrailingBytes));
        assert_eq!(with(|b| b.resize(257, 0)), (256, TooLong));
        assert_eq!(with(|b| b.truncate(4)), (4, Truncated));
        assert_eq!(with(|b| b.truncate(22)), (22, Truncated));
        assert_eq!(with(|b| b.truncate(14)), (14, Truncated));
        assert_eq!(with(|b| (b[10], b[11]) = (0, 0)), (10, Multiplier));
        assert_eq!(with(|b| b[21] = 1), (21, Shift));
        assert_eq!(with(|b| b[22] = 1), (22, ActivationBits));
        // 65,025 · 255 · 128 + (32,768 << 10) = 2,155,970,432 does not fit 31 bits; << 9 does.
        assert_eq!(with(|b| (b[1], b[2], b[9]) = (255, 255, 0x8a)), (5, Overflow));
        let mut near = MLP;
        (near[1], near[2], near[9]) = (255, 255, 0x89);
        assert!(Header::parse(&near).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_parse_or_fail_and_write_back(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert_eq!(header.to_bytes(), bytes);
            }
        }

        #[test]
        fn mutated_headers_do_not_panic(index in 0usize..23, byte: u8, cut in 0usize..24) {
            let mut bytes = MLP.to_vec();
            bytes[index] = byte;
            bytes.truncate(cut);
            if let Ok(header) = Header::parse(&bytes) {
                prop_assert_eq!(header.to_bytes(), bytes);
                header.word_count();
            }
        }
    }
}
