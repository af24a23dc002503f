//! Layers: what each computes and what its header record says.
//!
//! [`Layer`] is an enum so that a new kind (convolution, pooling) is a new variant with a record number of its own;
//! [`Weights`] likewise for narrower weights. Everything that depends on a kind is a `match` in [`crate::reference`],
//! [`crate::kernel`], [`crate::pack`] or [`crate::header`].

/// The shape of an image or of activations: row by row, channels last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows, 1–255.
    pub height: u8,
    /// Columns, 1–255.
    pub width: u8,
    /// Values a pixel, 1–255.
    pub channels: u8,
}

impl Shape {
    /// `height · width · channels`.
    pub const fn len(self) -> usize {
        self.height as usize * self.width as usize * self.channels as usize
    }

    /// Whether a side is zero (never so in a header that parsed).
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// How a layer's weights are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Weights {
    /// Two's complement, one byte each: −128…127.
    Int8,
}

impl Weights {
    /// Bits a weight takes in the packed words.
    pub const fn bits(self) -> usize {
        match self {
            Self::Int8 => 8,
        }
    }

    /// The largest magnitude a weight can have.
    pub const fn max_magnitude(self) -> u32 {
        match self {
            Self::Int8 => 128,
        }
    }
}

/// How a layer's biases are stored: a signed integer, shifted left by `shift` bits (0–23) before use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// One byte each.
    Int8 {
        /// Left shift, 0–23.
        shift: u8,
    },
    /// Two bytes each.
    Int16 {
        /// Left shift, 0–23.
        shift: u8,
    },
}

impl Bias {
    /// Bytes a bias takes in the packed words.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Int8 { .. } => 1,
            Self::Int16 { .. } => 2,
        }
    }

    /// The left shift.
    pub const fn shift(self) -> u8 {
        match self {
            Self::Int8 { shift } | Self::Int16 { shift } => shift,
        }
    }

    /// The smallest and largest value that fits, before the shift.
    pub const fn range(self) -> (i32, i32) {
        match self {
            Self::Int8 { .. } => (-128, 127),
            Self::Int16 { .. } => (-32_768, 32_767),
        }
    }
}

/// Accumulators to unsigned activations, ReLU included: `min((max(acc, 0) · multiplier + 2^(shift−1)) >> shift, 2^bits − 1)`.
///
/// The multiplier and shift stand for a real scale `multiplier / 2^shift`, after Jacob et al., "Quantization and
/// Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference" (2018), section 2.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requantize {
    /// 1–65,535.
    pub multiplier: u16,
    /// 1–47.
    pub shift: u8,
    /// Bits of the activations, 1–8.
    pub bits: u8,
}

impl Requantize {
    /// The largest activation, `2^bits − 1`.
    pub const fn max(self) -> u8 {
        ((1u16 << self.bits) - 1) as u8
    }

    /// One accumulator's activation.
    ///
    /// ```
    /// let requantize = inkling_network::Requantize { multiplier: 3, shift: 2, bits: 4 };
    /// assert_eq!(requantize.apply(-7), 0);
    /// assert_eq!(requantize.apply(10), 8); // (30 + 2) >> 2
    /// assert_eq!(requantize.apply(1000), 15);
    /// ```
    pub const fn apply(self, acc: i32) -> u8 {
        if acc <= 0 {
            return 0;
        }
        let scaled = (acc as u64 * self.multiplier as u64 + (1 << (self.shift - 1))) >> self.shift;
        if scaled > self.max() as u64 { self.max() } else { scaled as u8 }
    }
}

/// A dense (fully connected) layer: `acc[j] = (b[j] << bias shift) + Σ_i x[i] · w[i][j]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dense {
    /// Number of outputs, 1–4,096 (at most 256 in the last layer).
    pub outputs: u16,
    /// Storage of the weights.
    pub weights: Weights,
    /// Storage of the biases.
    pub bias: Bias,
    /// `None` in the last layer and only there: its accumulators are the logits.
    pub requantize: Option<Requantize>,
}

/// One layer of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Layer {
    /// See [`Dense`].
    Dense(Dense),
}

impl From<Dense> for Layer {
    fn from(dense: Dense) -> Self {
        Self::Dense(dense)
    }
}

impl Layer {
    /// Number of values the layer gives.
    pub const fn outputs(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.outputs as usize,
        }
    }

    /// Number of weights, for so many inputs.
    pub const fn weights(&self, inputs: usize) -> usize {
        match self {
            Self::Dense(dense) => inputs * dense.outputs as usize,
        }
    }

    /// Number of biases.
    pub const fn biases(&self) -> usize {
        match self {
            Self::Dense(dense) => dense.outputs as usize,
        }
    }

    /// How the weights are stored.
    pub const fn weight_format(&self) -> Weights {
        match self {
            Self::Dense(dense) => dense.weights,
        }
    }

    /// How the biases are stored.
    pub const fn bias_format(&self) -> Bias {
        match self {
            Self::Dense(dense) => dense.bias,
        }
    }

    /// What makes activations of the accumulators; `None` in the last layer.
    pub const fn requantize(&self) -> Option<Requantize> {
        match self {
            Self::Dense(dense) => dense.requantize,
        }
    }
}

#[cfg(test)]
impl Dense {
    /// A last layer, for tests.
    pub(crate) const fn logits(outputs: u16, bias: Bias) -> Self {
        Self { outputs, weights: Weights::Int8, bias, requantize: None }
    }
}
