//! A network: header and parameters together, checked against each other once.

use alloc::vec::Vec;

use crate::header::Header;

/// The integers of one layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Weights in the order of `docs/format.md`; for a dense layer `[inputs][outputs]`.
    pub weights: Vec<i8>,
    /// Biases as stored, before the layer's bias shift.
    pub biases: Vec<i32>,
}

/// Parameters that do not fit their header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// Not one [`Parameters`] a layer.
    #[error("the header has {expected} layers, parameters were given for {got}")]
    LayerCount {
        /// Parameters given.
        got: usize,
        /// Layers in the header.
        expected: usize,
    },
    /// Wrong number of weights.
    #[error("layer {layer} has {got} weights instead of {expected}")]
    WeightCount {
        /// Index of the layer.
        layer: usize,
        /// Weights given.
        got: usize,
        /// Weights that its shape asks for.
        expected: usize,
    },
    /// Wrong number of biases.
    #[error("layer {layer} has {got} biases instead of {expected}")]
    BiasCount {
        /// Index of the layer.
        layer: usize,
        /// Biases given.
        got: usize,
        /// Biases that its shape asks for.
        expected: usize,
    },
    /// A bias that its width cannot hold.
    #[error("bias {index} of layer {layer} is {got}, outside {min} to {max}")]
    BiasRange {
        /// Index of the layer.
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
}

/// A network that can be run and packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    header: Header,
    parameters: Vec<Parameters>,
}

impl Network {
    /// A network of these parameters, one entry a layer.
    ///
    /// # Errors
    /// [`NetworkError`] where counts or ranges do not fit the header.
    pub fn new(header: Header, parameters: Vec<Parameters>) -> Result<Self, NetworkError> {
        let (got, expected) = (parameters.len(), header.layers().len());
        if got != expected {
            return Err(NetworkError::LayerCount { got, expected });
        }
        for (layer, ((inputs, spec), given)) in
            header.layers_with_inputs().zip(&parameters).enumerate()
        {
            let (got, expected) = (given.weights.len(), spec.weights(inputs));
            if got != expected {
                return Err(NetworkError::WeightCount { layer, got, expected });
            }
            let (got, expected) = (given.biases.len(), spec.biases());
            if got != expected {
                return Err(NetworkError::BiasCount { layer, got, expected });
            }
            let (min, max) = spec.bias_format().range();
            for (index, &got) in given.biases.iter().enumerate() {
                if !(min..=max).contains(&got) {
                    return Err(NetworkError::BiasRange { layer, index, got, min, max });
                }
            }
        }
        Ok(Self { header, parameters })
    }

    /// Input shape and layers.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// One entry a layer.
    pub fn parameters(&self) -> &[Parameters] {
        &self.parameters
    }
}
