//! The functions of `IClassifier.sol` that run the network.

use alloc::boxed::Box;

use inkling_network::argmax;
use inkling_network::kernel::Model;
use inkling_network::pack::Word;

use crate::abi::IClassifier::{Classified, PredictionResult};
use crate::errors::{Refused, bad_batch_length, bad_image_length};
use crate::home::{self, Words};
use crate::host;
use crate::profile::{Marks, mark};
use crate::router::{array, word};

/// The most likely class of an image, as a word; of equal logits the lowest index wins.
pub fn digit(image: &[u8]) -> Result<&'static mut Word, Refused> {
    let digit = word(argmax(logits(image)?) as i64);
    mark();
    Ok(digit)
}

/// The integer accumulators of the last layer.
pub fn logits(image: &[u8]) -> Result<&'static [i32], Refused> {
    mark();
    let (model, mut words) = load()?;
    forward(model, &mut words, image)
}

/// Gives the [`digit`]s of several images, one after another in `images`.
pub fn give_batch(images: &[u8]) -> Result<(), Refused> {
    // Words are read and unpacked once for all images.
    let (model, mut words) = load()?;
    let length = model.header().image_len();
    if !images.len().is_multiple_of(length) {
        return Err(bad_batch_length(images.len(), length));
    }
    let count = images.len() / length;
    let digits = array(count);
    for index in 0..count {
        let image = &images[index * length..][..length];
        digits[2 + index][31] = argmax(forward(model, &mut words, image)?) as u8;
    }
    host::give(digits.as_flattened());
    Ok(())
}

/// [`digit`], with the answer recorded as a `Classified` event.
pub fn record(image: &[u8]) -> Result<&'static mut Word, Refused> {
    let digit = digit(image)?;
    let (caller, image_hash) = (host::sender(), host::keccak256(image));
    host::emit::<Classified, _>([caller, image_hash], Some(digit));
    Ok(digit)
}

/// [`digit`] as clients of duoxehyon/evm-neural-network call it: emits `PredictionResult`.
pub fn predict(image: &[u8]) -> Result<&'static mut Word, Refused> {
    let digit = digit(image)?;
    host::emit::<PredictionResult, _>([], Some(digit));
    Ok(digit)
}

/// The model, ready for images, and where it reads streamed words.
fn load() -> Result<(&'static mut Model, Words), Refused> {
    let (header, mut words) = home::open()?;
    mark();
    let model = Model::load_probed(header, &mut words, &mut Marks);
    Ok((Box::leak(Box::new(model)), words))
}

fn forward<'a>(
    model: &'a mut Model,
    words: &mut Words,
    image: &[u8],
) -> Result<&'a [i32], Refused> {
    model.forward_probed(words, image, &mut Marks).map_err(|e| bad_image_length(e.got, e.expected))
}
