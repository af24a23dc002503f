//! What the tests that cross crates share. The tests themselves are in `tests/tests`.
//!
//! * [`contracts`]: what each contract takes;
//! * [`deployed`]: a fresh embedded chain with one contract on it, asked through calls and transactions, and what it
//!   refuses with;
//! * [`networks`], [`extremes`]: random networks and images, the same each time, and networks at the bounds of the
//!   format;
//! * [`served`]: a node behind a socket, and the programs that are its clients;
//! * [`deploys`], [`kills`]: `inkling deploy` as a process, and killed; [`proxy`]: an endpoint with faults;
//! * here: the shipped models and the test images.
//!
//! Helpers panic where the set-up itself fails: then no test means anything.

pub mod contracts;
pub mod deployed;
pub mod deploys;
pub mod extremes;
pub mod kills;
pub mod networks;
pub mod proxy;
pub mod served;

pub use deployed::{Deployed, OWNER, Refusal, STRANGER, refused};
pub use networks::{IMAGE, Size, random_image, random_mlp, random_network};

use inkling::models::{Model, SHIPPED};
use inkling_data::{mnist, to_input};
use inkling_network::argmax;

/// The trained networks of this repository.
pub fn shipped_models() -> Vec<Model> {
    SHIPPED.iter().map(|name| Model::open(name).expect("a shipped model is readable")).collect()
}

/// The digit that every contract must give: by the reference.
pub fn digit(model: &Model, image: &[u8]) -> u8 {
    argmax(&model.logits(image).expect("the image is as long as the network's")) as u8
}

/// The first `count` MNIST test images, as a network reads them.
pub fn test_images(count: usize) -> Vec<[u8; 400]> {
    let images = mnist::test_set().expect("the test set is in the repository").images;
    let resize = |image| to_input(image, images.width, images.height).expect("images have pixels");
    images.iter().take(count).map(resize).collect()
}
