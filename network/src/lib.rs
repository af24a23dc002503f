//! The integer network: what every part of Inkling computes.
//!
//! A network is a [`Header`] (input shape and layers) and, for each layer, integer [`Parameters`]. Three forms of one
//! forward pass live here:
//!
//! * [`reference`](mod@reference): the definition, in the plainest code that can be read beside `docs/format.md`;
//! * [`kernel`]: the fast one, which reads packed words as it needs them and is checked against the reference;
//! * the contracts: the Stylus contract runs [`kernel`] over its storage, the Solidity ones are checked in `tests/`.
//!
//! [`pack`] turns a network into the 32-byte words that both VMs read. There are no floats, no I/O and no chain here,
//! and the crate is `no_std`.
//!
//! ```
//! use inkling_network::{Bias, Dense, Header, Network, Parameters, Requantize, Shape, Weights, argmax, kernel, pack, reference};
//!
//! let input = Shape { height: 1, width: 2, channels: 1 };
//! let dense = |outputs, requantize| Dense { outputs, weights: Weights::Int8, bias: Bias::Int8 { shift: 0 }, requantize }.into();
//! let requantize = Requantize { multiplier: 1, shift: 1, bits: 8 };
//! let header = Header::new(input, vec![dense(2, Some(requantize)), dense(2, None)])?;
//! let network = Network::new(header, vec![
//!     Parameters { weights: vec![1, -1, 2, 3], biases: vec![5, 0] },
//!     Parameters { weights: vec![1, 0, 0, 1], biases: vec![0, 0] },
//! ])?;
//!
//! // acc = [5 + 10·1 + 20·2, 0 − 10·1 + 20·3] = [55, 50]; requantized: [(55 + 1) >> 1, (50 + 1) >> 1] = [28, 25].
//! let logits = reference::forward(&network, &[10, 20])?;
//! assert_eq!(logits, [28, 25]);
//! assert_eq!(argmax(&logits), 0);
//!
//! let words = pack::words(&network);
//! assert_eq!(kernel::forward(network.header(), &mut words.as_slice(), &[10, 20])?, logits);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod header;
pub mod kernel;
pub mod layer;
pub mod network;
pub mod pack;
pub mod reference;

pub use header::{Header, HeaderError};
pub use layer::{Bias, Dense, Layer, Requantize, Shape, Weights};
pub use network::{Network, NetworkError, Parameters};

/// An image whose length is not the network's number of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the image has {got} bytes, the network's input {expected}")]
pub struct ImageLengthError {
    /// Bytes given.
    pub got: usize,
    /// `height · width · channels` of the network's input.
    pub expected: usize,
}

/// The index of the largest logit; of equal ones, the lowest index. Of no logits at all: 0.
///
/// ```
/// assert_eq!(inkling_network::argmax(&[-5, 7, 7, 2]), 1);
/// ```
pub fn argmax(logits: &[i32]) -> usize {
    let mut best = 0;
    for (index, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = index;
        }
    }
    best
}
