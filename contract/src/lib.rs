//! The classifier as an Arbitrum Stylus contract: the entry points of `IClassifier.sol` over `inkling-network`.
//!
//! Nothing is computed here: inference is [`inkling_network::kernel`]'s. The weights have one of three [`home`]s, chosen when
//! the program is built: storage (the default), the code of another account (feature `code`), or the program itself
//! (feature `baked`). [`router`] decodes calls, [`store`] is the storage and its owner, [`life`] a model's life cycle, [`errors`]
//! are the refusals, the same as the Solidity contracts'. The storage layout is in `docs/format.md`.
//!
//! The owner is an argument of the constructor. StylusDeployer creates, activates and constructs a program in one
//! transaction, so nobody else can claim it in between.

#![cfg_attr(not(any(test, feature = "export-abi")), no_main)]
#![allow(missing_docs)] // of what the SDK's macros write

extern crate alloc;

pub mod errors;
pub mod home;
#[cfg(not(feature = "baked"))]
pub mod life;
mod profile;
pub mod router;
pub mod store;

#[cfg(all(feature = "code", feature = "baked"))]
compile_error!("the weights have one home: `code` or `baked`");

use alloc::vec::Vec;

use alloy_primitives::{Address, B256};
use alloy_sol_types::SolEvent;
use inkling_network::argmax;
use inkling_network::kernel::{Model, WordSource};
use stylus_sdk::{abi::Bytes, prelude::*};

use abi::IClassifier::{Classified, PredictionResult};
use errors::{Error, bad_batch_length, bad_image_length};
use profile::{Marks, mark};
use router::word;
use store::Store;

/// `IClassifier.sol`: selectors of functions, events and errors.
pub mod abi {
    alloy_sol_types::sol!("../contracts-solidity-baseline/IClassifier.sol");
}

/// The contract: a model's store, and inference over it.
#[storage]
pub struct StylusClassifier;

// SAFETY: it is the contract's only storage.
unsafe impl TopLevelStorage for StylusClassifier {}

/// The interface in the SDK's words, for other Stylus contracts and for `cargo stylus export-abi`. A call comes by the
/// [`router`] instead: what the SDK generates here would be a quarter of the program.
#[public]
impl StylusClassifier {
    /// Sets the owner. StylusDeployer calls it in the transaction that creates the contract.
    #[constructor]
    pub fn constructor(&mut self, initial_owner: Address) -> Result<(), Error> {
        self.store().construct(initial_owner)
    }

    /// The most likely class of an image; of equal logits the lowest index wins.
    pub fn classify(&self, image: Bytes) -> Result<u8, Error> {
        self.digit(&image)
    }

    /// The integer accumulators of the last layer.
    pub fn logits(&self, image: Bytes) -> Result<Vec<i32>, Error> {
        self.run(&image)
    }

    /// `classify` of several images, one after another in `images`.
    pub fn classify_batch(&self, images: Bytes) -> Result<Vec<u8>, Error> {
        self.batch(&images)
    }

    /// `classify`, with the answer recorded as a `Classified` event.
    pub fn classify_and_record(&mut self, image: Bytes) -> Result<u8, Error> {
        self.record(&image)
    }

    /// What clients of duoxehyon/evm-neural-network call, unchanged: emits `PredictionResult`.
    pub fn predict(&mut self, image: [u8; 400]) -> Result<u8, Error> {
        self.predicted(&image)
    }

    /// Whether inference is possible (state ready or frozen).
    pub fn is_model_ready(&self) -> bool {
        self.store().is_ready()
    }

    /// Starts an upload, or starts it again.
    pub fn begin_model(&mut self, header: Bytes, model_hash: B256) -> Result<(), Error> {
        self.store().begin(&header, model_hash)
    }

    /// Writes one or more whole chunks from chunk `index` on.
    pub fn upload_chunk(&mut self, index: u32, words: Bytes) -> Result<(), Error> {
        self.store().upload(index, &words)
    }

    /// The chunks still to be uploaded, in ascending order.
    pub fn missing_chunks(&self) -> Vec<u32> {
        self.store().missing()
    }

    /// Checks the hash of what was uploaded and makes the model ready.
    pub fn finalize_model(&mut self) -> Result<(), Error> {
        self.store().finalize()
    }

    /// Makes the model immutable for ever.
    pub fn freeze_model(&mut self) -> Result<(), Error> {
        self.store().freeze()
    }

    /// The header, its commitment, the number of words and the state.
    pub fn model_info(&self) -> (Bytes, B256, u32, u8) {
        self.store().info()
    }

    /// The owner.
    pub fn owner(&self) -> Address {
        self.store().owner()
    }

    /// Offers ownership to `new_owner`, who has to accept; the zero address takes an offer back.
    pub fn transfer_ownership(&mut self, new_owner: Address) -> Result<(), Error> {
        self.store().transfer_ownership(new_owner)
    }

    /// Takes the ownership that was offered.
    pub fn accept_ownership(&mut self) -> Result<(), Error> {
        self.store().accept_ownership()
    }
}

impl StylusClassifier {
    fn store(&self) -> Store<'_> {
        Store(self.vm())
    }

    fn digit(&self, image: &[u8]) -> Result<u8, Error> {
        let digit = argmax(&self.run(image)?) as u8;
        mark();
        Ok(digit)
    }

    fn batch(&self, images: &[u8]) -> Result<Vec<u8>, Error> {
        let store = self.store();
        let (header, mut words) = home::open(&store)?;
        let length = header.image_len();
        if !images.len().is_multiple_of(length) {
            return Err(bad_batch_length(images.len(), length));
        }
        // Words are read and unpacked once for all images.
        let mut model = Model::load(&header, &mut words);
        let classify = |image| Ok(argmax(forward(&mut model, &mut words, image)?) as u8);
        images.chunks_exact(length).map(classify).collect()
    }

    fn record(&self, image: &[u8]) -> Result<u8, Error> {
        let digit = self.digit(image)?;
        let topics = [self.vm().msg_sender().into_word().0, self.vm().native_keccak256(image).0];
        self.store().log(Classified::SIGNATURE_HASH, &topics, &word(digit.into()));
        Ok(digit)
    }

    fn predicted(&self, image: &[u8]) -> Result<u8, Error> {
        let digit = self.digit(image)?;
        self.store().log(PredictionResult::SIGNATURE_HASH, &[], &word(digit.into()));
        Ok(digit)
    }

    fn run(&self, image: &[u8]) -> Result<Vec<i32>, Error> {
        mark();
        let store = self.store();
        let (header, mut words) = home::open(&store)?;
        mark();
        let mut model = Model::load_probed(&header, &mut words, &mut Marks);
        Ok(forward(&mut model, &mut words, image)?.to_vec())
    }
}

fn forward<'a>(
    model: &'a mut Model,
    words: &mut impl WordSource,
    image: &[u8],
) -> Result<&'a [i32], Error> {
    model.forward_probed(words, image, &mut Marks).map_err(|e| bad_image_length(e.got, e.expected))
}
