//! Quantization-aware training of Inkling's networks, with libtorch.
//!
//! What is trained is the integer network itself. Every forward pass, in training too, computes exactly what
//! `inkling-network` defines: rounded weights, biases on their grid, the integer multiplier and shift, all as integers
//! held in 64-bit floats, which are exact far beyond any accumulator that a header allows. Only the gradient pretends
//! that nothing was rounded (the straight-through estimator of Bengio et al., 2013; the scheme is that of Jacob et
//! al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018).
//! So nothing is lost at the export, and accuracies are counted with the reference forward pass.
//!
//! * [`config`]: the TOML file of a model;
//! * [`samples`]: inputs, shifted copies, the validation split;
//! * [`quantize`]: from real scales to integer multipliers, shifts and grids;
//! * [`mlp`]: the network under training;
//! * [`training`]: the loop, which keeps the checkpoint that is best on the validation images;
//! * [`report`]: the card in Markdown.
//!
//! A run is repeatable on one machine: one thread, and all randomness comes from one seeded generator.

pub mod config;
pub mod mlp;
pub mod quantize;
pub mod report;
pub mod samples;
pub mod training;

pub use config::Config;
pub use training::{Outcome, Trained, train};
