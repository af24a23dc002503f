//! The interface in the SDK's words, for `cargo stylus export-abi` and for other Stylus contracts, which get a typed client.
//!
//! It is no part of the program: calls come by the [`router`](crate::router). What the SDK would generate to decode them
//! is several times as long.

#![allow(unused_variables, clippy::unused_self)] // a declaration

use alloc::vec::Vec;

use alloy_primitives::{Address, B256};
use stylus_sdk::{abi::Bytes, prelude::*};

/// The contract.
#[storage]
pub struct StylusClassifier;

// SAFETY: it is the contract's only storage.
unsafe impl TopLevelStorage for StylusClassifier {}

/// What the contract reverts with.
pub struct Error;

impl From<Error> for Vec<u8> {
    fn from(_: Error) -> Self {
        not_here()
    }
}

fn not_here() -> ! {
    unreachable!("calls come by the router")
}

/// See `IClassifier.sol`.
#[public]
impl StylusClassifier {
    /// Sets the owner. StylusDeployer calls it in the transaction that creates the contract.
    #[constructor]
    pub fn constructor(&mut self, initial_owner: Address) -> Result<(), Error> {
        not_here()
    }

    /// The most likely class of an image; of equal logits the lowest index wins.
    pub fn classify(&self, image: Bytes) -> Result<u8, Error> {
        not_here()
    }

    /// The integer accumulators of the last layer.
    pub fn logits(&self, image: Bytes) -> Result<Vec<i32>, Error> {
        not_here()
    }

    /// `classify` of several images, one after another in `images`.
    pub fn classify_batch(&self, images: Bytes) -> Result<Vec<u8>, Error> {
        not_here()
    }

    /// `classify`, with the answer recorded as a `Classified` event.
    pub fn classify_and_record(&mut self, image: Bytes) -> Result<u8, Error> {
        not_here()
    }

    /// What clients of duoxehyon/evm-neural-network call, unchanged: emits `PredictionResult`.
    pub fn predict(&mut self, image: [u8; 400]) -> Result<u8, Error> {
        not_here()
    }

    /// Whether inference is possible (state ready or frozen).
    pub fn is_model_ready(&self) -> bool {
        not_here()
    }

    /// Starts an upload, or starts it again.
    pub fn begin_model(&mut self, header: Bytes, model_hash: B256) -> Result<(), Error> {
        not_here()
    }

    /// Writes one or more whole chunks from chunk `index` on.
    pub fn upload_chunk(&mut self, index: u32, words: Bytes) -> Result<(), Error> {
        not_here()
    }

    /// The chunks still to be uploaded, in ascending order.
    pub fn missing_chunks(&self) -> Vec<u32> {
        not_here()
    }

    /// Checks the hash of what was uploaded and makes the model ready.
    pub fn finalize_model(&mut self) -> Result<(), Error> {
        not_here()
    }

    /// Makes the model immutable for ever.
    pub fn freeze_model(&mut self) -> Result<(), Error> {
        not_here()
    }

    /// The header, its commitment, the number of words and the state.
    pub fn model_info(&self) -> (Bytes, B256, u32, u8) {
        not_here()
    }

    /// The owner.
    pub fn owner(&self) -> Address {
        not_here()
    }

    /// Offers ownership to `new_owner`, who has to accept; the zero address takes an offer back.
    pub fn transfer_ownership(&mut self, new_owner: Address) -> Result<(), Error> {
        not_here()
    }

    /// Takes the ownership that was offered.
    pub fn accept_ownership(&mut self) -> Result<(), Error> {
        not_here()
    }
}

/// For `cargo stylus export-abi`.
#[cfg(feature = "export-abi")]
mod export {
    use core::any::TypeId;

    use alloy_sol_types::SolError;
    use stylus_sdk::abi::export::internal::{InnerType, InnerTypes};

    use super::*;
    use crate::abi::IClassifier::*;

    fn inner<E: SolError + 'static>() -> InnerType {
        let name = alloc::format!("error {};", E::SIGNATURE.replace(',', ", "));
        InnerType { name, id: TypeId::of::<E>() }
    }

    impl InnerTypes for Error {
        fn inner_types() -> Vec<InnerType> {
            alloc::vec![
                inner::<ZeroOwner>(),
                inner::<NotOwner>(),
                inner::<NotPendingOwner>(),
                inner::<ModelNotReady>(),
                inner::<NotUploading>(),
                inner::<ModelIsFrozen>(),
                inner::<BadHeader>(),
                inner::<ModelTooLarge>(),
                inner::<BadImageLength>(),
                inner::<BadBatchLength>(),
                inner::<ChunkOutOfRange>(),
                inner::<BadChunkLength>(),
                inner::<ChunksMissing>(),
                inner::<HashMismatch>(),
                inner::<NoDataAccount>(),
            ]
        }
    }
}
