//! A network: header and parameters together, checked against each other once.

use alloc::vec::Vec;

use crate::header::Header;
use crate::layer::Weights;

/// The integers of one layer that has parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Weights in the order of `docs/format.md`: `[inputs][outputs]` of a dense layer, `[o][c][ky][kx]` of a
    /// convolution.
    pub weights: Vec<i8>,
    /// Biases as stored, before the layer's bias shift.
    pub biases: Vec<i32>,
    /// One multiplier for each output, where the layer's are stored so (1–16 or 1–256); else none.
    pub multipliers: Vec<u16>,
}

/// Parameters that do not fit their header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not one [`Parameters`] for each layer that has some.
    #[error("the header has {expected} layers with parameters, parameters were given for {got}")]
    LayerCount {
        /// Parameters given.
        got: usize,
        /// Layers with parameters in the header.
        expected: usize,
    },
    /// Wrong number of weights.
    #[error("parameters {layer} have {got} weights instead of {expected}")]
    WeightCount {
        /// Index of the parameters.
        layer: usize,
        /// Weights given.
        got: usize,
        /// Weights that its shape asks for.
        expected: usize,
    },
    /// Wrong number of biases.
    #[error("parameters {layer} have {got} biases instead of {expected}")]
    BiasCount {
        /// Index of the parameters.
        layer: usize,
        /// Biases given.
        got: usize,
        /// Biases that its shape asks for.
        expected: usize,
    },
    /// Wrong number of multipliers.
    #[error("parameters {layer} have {got} multipliers instead of {expected}")]
    MultiplierCount {
        /// Index of the parameters.
        layer: usize,
        /// Multipliers given.
        got: usize,
        /// One for each output, or 0 where they are not stored so.
        expected: usize,
    },
    /// A weight that its format cannot hold.
    #[error("weight {index} of parameters {layer} is {got}, which {format:?} cannot hold")]
    WeightRange {
        /// Index of the parameters.
        layer: usize,
        /// Index of the weight.
        index: usize,
        /// The weight.
        got: i8,
        /// Its format.
        format: Weights,
    },
    /// A bias that its width cannot hold.
    #[error("bias {index} of parameters {layer} is {got}, outside {min} to {max}")]
    BiasRange {
        /// Index of the parameters.
        layer: usize,
        /// Index of the bias.
        index: usize,
        /// The bias.
        got: i32,
        /// Smallest that fits.
        min: i32,
        /// Largest that fits.
        max: i32,
    },
    /// A multiplier that its width cannot hold.
    #[error("multiplier {index} of parameters {layer} is {got}, outside 1 to {max}")]
    MultiplierRange {
        /// Index of the parameters.
        layer: usize,
        /// Index of the multiplier.
        index: usize,
        /// The multiplier.
        got: u16,
        /// Largest that fits.
        max: u16,
    },
}

/// A network that can be run and packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    header: Header,
    parameters: Vec<Parameters>,
}

impl Network {
    /// A network of these parameters, one entry for each layer that has parameters of its own, in order.
    ///
    /// # Errors
    /// [`NetworkError`] where counts or ranges do not fit the header.
    pub fn new(header: Header, parameters: Vec<Parameters>) -> Result<Self, NetworkError> {
        let (got, expected) = (parameters.len(), header.stored().count());
        if got != expected {
            return Err(NetworkError::LayerCount { got, expected });
        }
        for (layer, (stored, given)) in header.stored().zip(&parameters).enumerate() {
            let (got, expected) = (given.weights.len(), stored.count());
            if got != expected {
                return Err(NetworkError::WeightCount { layer, got, expected });
            }
            let (got, expected) = (given.biases.len(), stored.outputs);
            if got != expected {
                return Err(NetworkError::BiasCount { layer, got, expected });
            }
            let own_multipliers = stored.multiplier_bits > 0;
            let (got, expected) =
                (given.multipliers.len(), if own_multipliers { stored.outputs } else { 0 });
            if got != expected {
                return Err(NetworkError::MultiplierCount { layer, got, expected });
            }
            let format = stored.weights;
            if let Some(index) = given.weights.iter().position(|&weight| !format.contains(weight)) {
                let got = given.weights[index];
                return Err(NetworkError::WeightRange { layer, index, got, format });
            }
            let (min, max) = stored.bias.range();
            if let Some(index) = given.biases.iter().position(|bias| !(min..=max).contains(bias)) {
                let got = given.biases[index];
                return Err(NetworkError::BiasRange { layer, index, got, min, max });
            }
            let max = 1 << stored.multiplier_bits;
            if let Some(index) = given.multipliers.iter().position(|m| !(1..=max).contains(m)) {
                let got = given.multipliers[index];
                return Err(NetworkError::MultiplierRange { layer, index, got, max });
            }
        }
        Ok(Self { header, parameters })
    }

    /// Input and layers.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// One entry for each layer that has parameters of its own.
    pub fn parameters(&self) -> &[Parameters] {
        &self.parameters
    }
}
