//! Quantization-aware training of Inkling's networks, with libtorch.
//!
//! What is trained is the integer network itself. Every forward pass, in training too, computes with whole numbers:
//! weights on their grid, integer accumulators, integer activations, held in 32-bit floats, which are exact up to 2^24.
//! Only the gradient pretends that nothing was rounded. In the last epochs multipliers and biases are rounded too, so that
//! nothing is lost at the export, and every accuracy is that of the exported integers.
//!
//! * [`config`]: the TOML file of a model;
//! * [`samples`], [`augment`], [`resize`]: images, their variations, the inputs that networks read;
//! * [`quantize`]: grids and their gradients;
//! * [`net`]: the network under training, layer by layer in `block`, and its [`optimizer`];
//! * [`exact`]: the exported network's forward pass over batches;
//! * [`teacher`]: a larger network of floats to learn from;
//! * [`training`]: the loop, which keeps the checkpoint that is best on the validation images;
//! * [`seeds`]: several runs of one configuration, the median of which is shipped; [`report`]: its card;
//! * [`sweep`]: many trials, for the choice of networks.
//!
//! A run is repeatable on one machine: one thread, and all randomness comes from one seeded generator.

pub mod augment;
mod block;
pub mod config;
pub mod exact;
pub mod net;
pub mod optimizer;
pub mod quantize;
pub mod report;
pub mod resize;
pub mod samples;
pub mod seeds;
pub mod sweep;
pub mod teacher;
pub mod training;

pub use config::Config;
pub use training::{Outcome, Trained, train};
