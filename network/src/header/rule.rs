//! The rules of `docs/format.md` that a header can break.

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
