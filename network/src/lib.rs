//! The integer network: what every part of Inkling computes.
//!
//! A network is a [`Header`] (input and layers) and, for each layer that has some, integer [`Parameters`]. Three forms of
//! one forward pass live here:
//!
//! * [`reference`](mod@reference): the definition, in the plainest code that can be read beside `docs/format.md`;
//! * [`kernel`]: the fast one, which reads packed words and is checked against the reference;
//! * the contracts: the Stylus contract runs [`kernel`] over its storage, the Solidity ones are checked in `tests/`.
//!
//! [`pack`] turns a network into the 32-byte words that both VMs read. There are no floats, no I/O and no chain here,
//! and the crate is `no_std`.
//!
//! `make bench` measures images a second of kernel and reference (`benches/forward.rs`, `reports/native.md`), `make miri`
//! runs the kernel's tests under Miri, since its inner loops are `unsafe`.
//!
//! ```
//! use inkling_network::{kernel::Model, *};
//!
//! let shape = Shape { channels: 1, height: 1, width: 2 };
//! let bias = Bias { width: BiasWidth::Bits8, shift: 0 };
//! let multipliers = Multipliers::Layer(1);
//! let requantize = Requantize { multipliers, shift: 1, bits: 8, residual: false };
//! let header = Header::new(
//!     Input { shape, crop: 0, bits: 8 },
//!     &[
//!         Dense { outputs: 2, weights: Weights::Int4, bias, requantize }.into(),
//!         Logits { classes: 2, weights: Weights::Ternary, bias }.into(),
//!     ],
//! )?;
//! let network = Network::new(header, vec![
//!     Parameters { weights: vec![1, -1, 2, 3], biases: vec![5, 0], multipliers: vec![] },
//!     Parameters { weights: vec![1, 0, 0, 1], biases: vec![0, 0], multipliers: vec![] },
//! ])?;
//!
//! // acc = [5 + 10·1 + 20·2, 0 − 10·1 + 20·3] = [55, 50]; requantized: [(55 + 1) >> 1, (50 + 1) >> 1] = [28, 25].
//! let logits = reference::forward(&network, &[10, 20])?;
//! assert_eq!(logits, [28, 25]);
//! assert_eq!(argmax(&logits), 0);
//!
//! let words = pack::words(&network);
//! assert_eq!(words.len(), 1);
//! let mut model = Model::load(network.header().clone(), &mut words.as_slice());
//! assert_eq!(model.forward(&mut words.as_slice(), &[10, 20])?, logits);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![no_std]

extern crate alloc;

pub mod header;
pub mod kernel;
pub mod layer;
pub mod network;
pub mod pack;
pub mod reference;
mod room;

pub use header::{Header, HeaderError, Stage};
pub use layer::{
    Bias, BiasWidth, Conv, Dense, Groups, Input, Layer, Logits, Multipliers, Requantize, Shape,
    Stored, Weights,
};
pub use network::{Network, NetworkError, Parameters};

/// An image whose length is not the network's number of inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the image has {got} bytes, the network's input {expected}")]
pub struct ImageLengthError {
    /// Bytes given.
    pub got: usize,
    /// `channels · height · width` of the network's input.
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
