//! Layers: what each computes and how its numbers are stored.
//!
//! [`Layer`] is an enum: everything that depends on a kind is a `match` in [`crate::reference`], [`crate::kernel`],
//! [`crate::pack`] or [`crate::header`]. The fields are those of `docs/format.md`; [`crate::Header`] checks their ranges.

/// The shape of an image or of activations: planes of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Planes; outputs of a dense layer are planes of 1×1.
    pub channels: u16,
    /// Rows of a plane.
    pub height: u16,
    /// Columns of a plane.
    pub width: u16,
}

impl Shape {
    /// `channels · height · width`, at most 65,535 in a header that parsed.
    pub const fn len(self) -> usize {
        self.channels as usize * self.height as usize * self.width as usize
    }

    /// Whether a side is zero (never so in a header that parsed).
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// The image, and what of it the first layer sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// The image: one byte a value, 1–15 planes, sides 1–255.
    pub shape: Shape,
    /// Pixels left out on each of the four sides, 0–15.
    pub crop: u8,
    /// Bits of a pixel that are kept, the highest ones: 1–8.
    pub bits: u8,
}

impl Input {
    /// What the first layer sees.
    pub const fn cropped(self) -> Shape {
        let crop = 2 * self.crop as u16;
        let Shape { channels, height, width } = self.shape;
        Shape { channels, height: height - crop, width: width - crop }
    }
}

/// How a layer's weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Weights {
    /// −1 or 1, one bit.
    Binary = 1,
    /// −3, −1, 1 or 3, two bits.
    Int2 = 2,
    /// −4…3, three bits.
    Int3 = 3,
    /// −8…7, four bits.
    Int4 = 4,
    /// −1, 0 or 1, five to a byte.
    Ternary = 5,
    /// −128…127, eight bits.
    Int8 = 8,
}

impl Weights {
    /// All formats, narrow to wide.
    pub const ALL: [Self; 6] =
        [Self::Binary, Self::Ternary, Self::Int2, Self::Int3, Self::Int4, Self::Int8];

    /// The header's code: of all but ternary weights, their bits.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The format of a code.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Binary,
            2 => Self::Int2,
            3 => Self::Int3,
            4 => Self::Int4,
            5 => Self::Ternary,
            8 => Self::Int8,
            _ => return None,
        })
    }

    /// Bits that so many weights take.
    ///
    /// ```
    /// use inkling_network::Weights;
    /// assert_eq!(Weights::Int3.bits(72), 216);
    /// assert_eq!(Weights::Ternary.bits(72), 120); // 14 bytes of five and one of two
    /// ```
    pub const fn bits(self, count: usize) -> usize {
        match self {
            Self::Ternary => count.div_ceil(5) * 8,
            _ => count * self.code() as usize,
        }
    }

    /// The largest magnitude a weight can have.
    pub const fn max_magnitude(self) -> u32 {
        match self {
            Self::Ternary => 1,
            Self::Int2 => 3,
            _ => 1 << (self.code() - 1),
        }
    }

    /// Whether a weight can be stored.
    pub const fn contains(self, weight: i8) -> bool {
        match self {
            Self::Binary => weight == 1 || weight == -1,
            Self::Ternary => weight >= -1 && weight <= 1,
            Self::Int2 => weight >= -3 && weight <= 3 && weight % 2 != 0,
            Self::Int3 => weight >= -4 && weight <= 3,
            Self::Int4 => weight >= -8 && weight <= 7,
            Self::Int8 => true,
        }
    }
}

/// Bits of a stored bias.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BiasWidth {
    /// −8…7.
    Bits4 = 1,
    /// −128…127.
    Bits8 = 2,
    /// −32,768…32,767.
    Bits16 = 3,
}

impl BiasWidth {
    /// The width of a code in the header.
    pub const fn from_code(code: u8) -> Option<Self> {
        Some(match code {
            1 => Self::Bits4,
            2 => Self::Bits8,
            3 => Self::Bits16,
            _ => return None,
        })
    }
}

/// How a layer's biases are stored: signed integers, shifted left before use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bias {
    /// Bits of each.
    pub width: BiasWidth,
    /// Left shift, 0–23.
    pub shift: u8,
}

impl Bias {
    /// Bits that a bias takes.
    pub const fn bits(self) -> u32 {
        2 << self.width as u8
    }

    /// The smallest and largest value that fits, before the shift.
    pub const fn range(self) -> (i32, i32) {
        let half = 1 << (self.bits() - 1);
        (-half, half - 1)
    }

    /// The largest magnitude after the shift.
    pub const fn max_magnitude(self) -> u64 {
        1 << (self.bits() - 1 + self.shift as u32)
    }
}

/// Where the multipliers of requantization are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Multipliers {
    /// One for the layer, in the header: 1–65,535.
    Layer(u16),
    /// One for each output (plane), 1–16, four bits.
    Each4,
    /// One for each output (plane), 1–256, eight bits.
    Each8,
}

impl Multipliers {
    /// Bits that the multiplier of an output takes in the words.
    pub const fn bits(self) -> u32 {
        match self {
            Self::Layer(_) => 0,
            Self::Each4 => 4,
            Self::Each8 => 8,
        }
    }
}

/// Accumulators to unsigned activations, ReLU included: `min((max(acc, 0) · m + 2^(shift−1)) >> shift, 2^bits − 1)`.
///
/// A multiplier and the shift stand for a real scale `m / 2^shift`, after Jacob et al., "Quantization and Training of
/// Neural Networks for Efficient Integer-Arithmetic-Only Inference" (2018), section 2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requantize {
    /// `m`, one a layer or one an output.
    pub multipliers: Multipliers,
    /// 1–47.
    pub shift: u8,
    /// Bits of the activations, 1–8.
    pub bits: u8,
    /// Whether the layer's input is added, saturating at `2^bits − 1`.
    pub residual: bool,
}

impl Requantize {
    /// The largest activation, `2^bits − 1`.
    pub const fn max(self) -> u8 {
        ((1u16 << self.bits) - 1) as u8
    }

    /// One accumulator's activation, before a residual is added.
    ///
    /// ```
    /// use inkling_network::{Multipliers, Requantize};
    /// let requantize = Requantize { multipliers: Multipliers::Layer(3), shift: 2, bits: 4, residual: false };
    /// assert_eq!(requantize.apply(-7, 3), 0);
    /// assert_eq!(requantize.apply(10, 3), 8); // (30 + 2) >> 2
    /// assert_eq!(requantize.apply(1000, 3), 15);
    /// ```
    pub const fn apply(self, acc: i32, multiplier: u16) -> u8 {
        if acc <= 0 {
            return 0;
        }
        let scaled = (acc as u64 * multiplier as u64 + (1 << (self.shift - 1))) >> self.shift;
        if scaled > self.max() as u64 { self.max() } else { scaled as u8 }
    }
}

/// A dense (fully connected) layer: `acc[j] = (b[j] << bias shift) + Σ_i x[i] · w[i][j]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// 1–4,096.
    pub outputs: u16,
    /// Storage of the weights.
    pub weights: Weights,
    /// Storage of the biases.
    pub bias: Bias,
    /// What makes activations of the accumulators.
    pub requantize: Requantize,
}

/// The groups of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Groups {
    /// So many, 1–15.
    Count(u8),
    /// One for each input plane.
    Depthwise,
}

/// A two-dimensional convolution; the formula is in `docs/format.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv {
    /// Output planes, 1–255.
    pub outputs: u8,
    /// Rows and columns of the kernel, 1–15.
    pub kernel: u8,
    /// Step from output to output, 1–15.
    pub stride: u8,
    /// Zeros around the input on each side, 0 to `kernel − 1`.
    pub padding: u8,
    /// Groups of planes that do not see each other.
    pub groups: Groups,
    /// Storage of the weights.
    pub weights: Weights,
    /// Storage of the biases.
    pub bias: Bias,
    /// What makes activations of the accumulators.
    pub requantize: Requantize,
}

impl Conv {
    /// The number of groups, for so many input planes.
    pub const fn groups(self, channels: u16) -> u16 {
        match self.groups {
            Groups::Count(count) => count as u16,
            Groups::Depthwise => channels,
        }
    }
}

/// The last layer: dense, and its accumulators are the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Logits {
    /// 1–255.
    pub classes: u8,
    /// Storage of the weights.
    pub weights: Weights,
    /// Storage of the biases.
    pub bias: Bias,
}

/// One layer of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// See [`Dense`].
    Dense(Dense),
    /// See [`Conv`].
    Conv(Conv),
    /// The largest of each square.
    MaxPool {
        /// Rows and columns of a square, 2–15.
        size: u8,
    },
    /// The sum of each square, `(Σ + half) >> shift`.
    SumPool {
        /// Rows and columns of a square, 2–15.
        size: u8,
        /// Right shift, 0–8; `half` is `2^(shift − 1)`, or 0 where the shift is 0.
        shift: u8,
    },
    /// An earlier convolution once more, with its parameters.
    Again {
        /// Index of its layer, 0–15.
        layer: u8,
    },
    /// See [`Logits`]; the last layer and no other.
    Logits(Logits),
}

/// The parameters of a layer that has some: how many, and how they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Number of outputs (planes): of biases, and of multipliers where each output has one.
    pub outputs: usize,
    /// Weights that an output sees.
    pub fan_in: usize,
    /// Storage of the weights.
    pub weights: Weights,
    /// Storage of the biases.
    pub bias: Bias,
    /// Bits of each output's multiplier, 0 where it has none of its own.
    pub multiplier_bits: u32,
    /// Whether the weights begin at a fresh word after everything else, to be read only where they are needed.
    pub streamed: bool,
}

impl Stored {
    /// Number of weights.
    pub const fn count(&self) -> usize {
        self.outputs * self.fan_in
    }

    /// Bits of the weights.
    pub const fn weight_bits(&self) -> usize {
        self.weights.bits(self.count())
    }

    /// Bits of all that is not streamed.
    pub const fn head_bits(&self) -> usize {
        let each = self.bias.bits() as usize + self.multiplier_bits as usize;
        self.outputs * each + if self.streamed { 0 } else { self.weight_bits() }
    }

    /// Words of the streamed weights.
    pub const fn streamed_words(&self) -> u32 {
        if self.streamed { self.weight_bits().div_ceil(256) as u32 } else { 0 }
    }

    /// The largest magnitude that an accumulator can reach with inputs of at most `max_input`:
    /// `F · x_max · w_max + (b_max << shift)`.
    pub const fn bound(&self, max_input: u8) -> u64 {
        let products = self.fan_in as u64 * max_input as u64 * self.weights.max_magnitude() as u64;
        products + self.bias.max_magnitude()
    }
}

impl From<Dense> for Layer {
    fn from(dense: Dense) -> Self {
        Self::Dense(dense)
    }
}

impl From<Conv> for Layer {
    fn from(conv: Conv) -> Self {
        Self::Conv(conv)
    }
}

impl From<Logits> for Layer {
    fn from(logits: Logits) -> Self {
        Self::Logits(logits)
    }
}
