//! Every refusal of the contract, as `IClassifier.sol` declares it.
//!
//! A refusal is encoded where it is made: a selector and at most two words. An enum of them, which has to be passed on and
//! told apart at the end, would be a twentieth of the program.

use alloc::vec::Vec;

use alloy_sol_types::SolError;
use inkling_network::HeaderError;
use inkling_network::pack::Word;

use crate::abi::IClassifier::*;
use crate::router::word;

/// What the contract reverts with: a selector and arguments, or nothing for malformed calldata. State is as it was before.
pub struct Error(Vec<u8>);

impl From<Error> for Vec<u8> {
    fn from(error: Error) -> Self {
        error.0
    }
}

impl Error {
    /// An error without arguments.
    fn new<E: SolError>() -> Self {
        Self(E::SELECTOR.to_vec())
    }

    fn with(mut self, argument: &Word) -> Self {
        self.0.extend_from_slice(argument);
        self
    }

    #[inline(never)]
    fn with_integer(self, argument: usize) -> Self {
        self.with(&word(argument as i64))
    }
}

/// The owner given to the constructor is the zero address.
pub fn zero_owner() -> Error {
    Error::new::<ZeroOwner>()
}

/// The caller, an address as a word, is not the owner.
pub fn not_owner(caller: &Word) -> Error {
    Error::new::<NotOwner>().with(caller)
}

/// The caller, an address as a word, is not whom ownership was offered to.
pub fn not_pending_owner(caller: &Word) -> Error {
    Error::new::<NotPendingOwner>().with(caller)
}

/// Inference or a freeze was asked for while the model is in this state.
pub fn not_ready(state: u8) -> Error {
    Error::new::<ModelNotReady>().with_integer(state.into())
}

/// A chunk or the end of an upload came in this state, in which no upload is under way.
pub fn not_uploading(state: u8) -> Error {
    Error::new::<NotUploading>().with_integer(state.into())
}

/// The model was frozen and cannot change any more.
pub fn is_frozen() -> Error {
    Error::new::<ModelIsFrozen>()
}

/// The header breaks a rule of `docs/format.md` at an offset.
pub fn bad_header(error: HeaderError) -> Error {
    Error::new::<BadHeader>().with_integer(error.offset.into())
}

/// The model has more words than the contract holds.
pub fn too_large(words: u32, limit: u32) -> Error {
    Error::new::<ModelTooLarge>().with_integer(words as usize).with_integer(limit as usize)
}

/// An image of `got` bytes where `expected` were.
pub fn bad_image_length(got: usize, expected: usize) -> Error {
    Error::new::<BadImageLength>().with_integer(got).with_integer(expected)
}

/// A batch of `got` bytes of images of `image_length` bytes.
pub fn bad_batch_length(got: usize, image_length: usize) -> Error {
    Error::new::<BadBatchLength>().with_integer(got).with_integer(image_length)
}

/// The model has only so many chunks.
pub fn out_of_range(index: u32, chunks: u32) -> Error {
    Error::new::<ChunkOutOfRange>().with_integer(index as usize).with_integer(chunks as usize)
}

/// Words of `got` bytes where a chunk of `expected` bytes begins.
pub fn bad_chunk_length(got: usize, expected: usize) -> Error {
    Error::new::<BadChunkLength>().with_integer(got).with_integer(expected)
}

/// `finalizeModel` came before so many chunks did.
pub fn chunks_missing(missing: usize) -> Error {
    Error::new::<ChunksMissing>().with_integer(missing)
}

/// What was uploaded is not what `beginModel` announced.
pub fn hash_mismatch(got: &Word, expected: &Word) -> Error {
    Error::new::<HashMismatch>().with(got).with(expected)
}

/// The account for the words could not be created.
pub fn no_data_account() -> Error {
    Error::new::<NoDataAccount>()
}

/// Calldata that no decoder understands.
pub fn malformed() -> Error {
    Error(Vec::new())
}

/// For `cargo stylus export-abi`.
#[cfg(feature = "export-abi")]
mod export {
    use core::any::TypeId;

    use stylus_sdk::abi::export::internal::{InnerType, InnerTypes};

    use super::*;

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

#[cfg(test)]
mod tests {
    use alloy_primitives::{Address, B256, U256};

    use super::*;

    #[test]
    fn encoded_as_alloy_does() {
        let caller = Address::repeat_byte(0xab);
        let (got, expected) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let (seven, large) = (U256::from(7), U256::from(70_000));
        for (error, encoded) in [
            (zero_owner(), ZeroOwner {}.abi_encode()),
            (not_owner(&caller.into_word()), NotOwner { caller }.abi_encode()),
            (not_pending_owner(&caller.into_word()), NotPendingOwner { caller }.abi_encode()),
            (not_ready(255), ModelNotReady { state: 255 }.abi_encode()),
            (not_uploading(3), NotUploading { state: 3 }.abi_encode()),
            (is_frozen(), ModelIsFrozen {}.abi_encode()),
            (too_large(9, u32::MAX), ModelTooLarge { words: 9, limit: u32::MAX }.abi_encode()),
            (
                bad_image_length(7, 70_000),
                BadImageLength { got: seven, expected: large }.abi_encode(),
            ),
            (
                bad_batch_length(7, 70_000),
                BadBatchLength { got: seven, imageLength: large }.abi_encode(),
            ),
            (out_of_range(1, 2), ChunkOutOfRange { index: 1, chunks: 2 }.abi_encode()),
            (
                bad_chunk_length(7, 70_000),
                BadChunkLength { got: seven, expected: large }.abi_encode(),
            ),
            (chunks_missing(4), ChunksMissing { missing: 4 }.abi_encode()),
            (hash_mismatch(&got, &expected), HashMismatch { got, expected }.abi_encode()),
            (no_data_account(), NoDataAccount {}.abi_encode()),
            (malformed(), vec![]),
        ] {
            assert_eq!(Vec::from(error), encoded);
        }
    }

    #[test]
    fn a_header_is_refused_by_its_offset() {
        let error = inkling_network::Header::parse(&[0x21]).unwrap_err();
        let offset = error.offset;
        assert_eq!(Vec::from(bad_header(error)), BadHeader { offset }.abi_encode());
    }
}
