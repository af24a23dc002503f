//! What Inkling's networks read, and the files that hold them.
//!
//! * [`idx`]: the format of the MNIST files;
//! * [`mnist`]: the data sets, with their checksums;
//! * [`preprocess`]: the one way from a picture to the 400 bytes a network classifies, shared by the trainer, the
//!   command line and everything else that shows a network an image;
//! * [`model`]: the trained file, a safetensors file with an integer network and its card.
//!
//! There is no libtorch here: reading a trained network must not need the trainer.

pub mod idx;
pub mod mnist;
pub mod model;
pub mod preprocess;

pub use mnist::{DataSet, Set};
pub use model::{Card, Run, TrainedModel};
pub use preprocess::{Invert, load_image, to_input};
