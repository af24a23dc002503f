//! Every refusal of the contract, as `IClassifier.sol` declares it.
//!
//! They are encoded by hand: each is a selector and at most two words, and what the SDK derives instead would be a tenth of the
//! program.

use alloc::vec::Vec;

#[cfg(test)]
use alloy_primitives::Address;
use alloy_primitives::{B256, U256};
use alloy_sol_types::{SolError, sol};
#[cfg(feature = "export-abi")]
use stylus_sdk::prelude::*;

sol! {
    error ZeroOwner();
    error NotOwner(address caller);
    error NotPendingOwner(address caller);
    error ModelNotReady(uint8 state);
    error NotUploading(uint8 state);
    error ModelIsFrozen();
    error BadHeader(uint16 offset);
    error ModelTooLarge(uint32 words, uint32 limit);
    error BadImageLength(uint256 got, uint256 expected);
    error BadBatchLength(uint256 got, uint256 imageLength);
    error ChunkOutOfRange(uint32 index, uint32 chunks);
    error BadChunkLength(uint256 got, uint256 expected);
    error ChunksMissing(uint32 missing);
    error HashMismatch(bytes32 got, bytes32 expected);
    error NoDataAccount();
}

/// A refusal; state is as it was before.
#[cfg_attr(feature = "export-abi", derive(SolidityError))]
pub enum Error {
    /// The owner given to the constructor is the zero address.
    ZeroOwner(ZeroOwner),
    /// The caller is not the owner.
    NotOwner(NotOwner),
    /// The caller is not the address that ownership was offered to.
    NotPendingOwner(NotPendingOwner),
    /// Inference or a freeze was asked for while the model is in this state.
    ModelNotReady(ModelNotReady),
    /// A chunk or the end of an upload came while no upload is under way.
    NotUploading(NotUploading),
    /// The model was frozen and cannot change any more.
    ModelIsFrozen(ModelIsFrozen),
    /// The header breaks a rule of `docs/format.md` at this offset.
    BadHeader(BadHeader),
    /// The model has more words than the contract holds.
    ModelTooLarge(ModelTooLarge),
    /// The image is not the size that the model expects.
    BadImageLength(BadImageLength),
    /// A batch must be a whole number of images.
    BadBatchLength(BadBatchLength),
    /// The model has no chunk of this index.
    ChunkOutOfRange(ChunkOutOfRange),
    /// The words are not whole chunks.
    BadChunkLength(BadChunkLength),
    /// `finalizeModel` came before all chunks did.
    ChunksMissing(ChunksMissing),
    /// What was uploaded is not what `beginModel` announced.
    HashMismatch(HashMismatch),
    /// The account for the words could not be created.
    NoDataAccount(NoDataAccount),
}

#[cfg(not(feature = "export-abi"))]
impl From<Error> for Vec<u8> {
    fn from(error: Error) -> Self {
        let low = |value: U256| value.as_limbs()[0];
        let (selector, integers): (_, &[u64]) = match error {
            Error::NotOwner(e) => return encode(NotOwner::SELECTOR, &[e.caller.into_word()]),
            Error::NotPendingOwner(e) => {
                return encode(NotPendingOwner::SELECTOR, &[e.caller.into_word()]);
            }
            Error::HashMismatch(e) => return encode(HashMismatch::SELECTOR, &[e.got, e.expected]),
            Error::ZeroOwner(_) => (ZeroOwner::SELECTOR, &[]),
            Error::ModelIsFrozen(_) => (ModelIsFrozen::SELECTOR, &[]),
            Error::NoDataAccount(_) => (NoDataAccount::SELECTOR, &[]),
            Error::ModelNotReady(e) => (ModelNotReady::SELECTOR, &[e.state.into()]),
            Error::NotUploading(e) => (NotUploading::SELECTOR, &[e.state.into()]),
            Error::BadHeader(e) => (BadHeader::SELECTOR, &[e.offset.into()]),
            Error::ChunksMissing(e) => (ChunksMissing::SELECTOR, &[e.missing.into()]),
            Error::ModelTooLarge(e) => (ModelTooLarge::SELECTOR, &[e.words.into(), e.limit.into()]),
            Error::ChunkOutOfRange(e) => {
                (ChunkOutOfRange::SELECTOR, &[e.index.into(), e.chunks.into()])
            }
            // Lengths are of memory: they fit 64 bits.
            Error::BadImageLength(e) => (BadImageLength::SELECTOR, &[low(e.got), low(e.expected)]),
            Error::BadBatchLength(e) => {
                (BadBatchLength::SELECTOR, &[low(e.got), low(e.imageLength)])
            }
            Error::BadChunkLength(e) => (BadChunkLength::SELECTOR, &[low(e.got), low(e.expected)]),
        };
        let words: Vec<B256> = integers.iter().map(|&n| U256::from(n).into()).collect();
        encode(selector, &words)
    }
}

/// The selector, then the arguments, a word each.
#[cfg(not(feature = "export-abi"))]
#[inline(never)]
fn encode(selector: [u8; 4], arguments: &[B256]) -> Vec<u8> {
    let mut bytes = selector.to_vec();
    for argument in arguments {
        bytes.extend_from_slice(&argument.0);
    }
    bytes
}

/// An image of `got` bytes where `expected` were.
pub fn bad_image_length(got: usize, expected: usize) -> Error {
    Error::BadImageLength(BadImageLength { got: U256::from(got), expected: U256::from(expected) })
}

/// A batch of `got` bytes of images of `image_length` bytes.
pub fn bad_batch_length(got: usize, image_length: usize) -> Error {
    let (got, image_length) = (U256::from(got), U256::from(image_length));
    Error::BadBatchLength(BadBatchLength { got, imageLength: image_length })
}

/// Words of `got` bytes where a chunk of `expected` bytes begins.
pub fn bad_chunk_length(got: usize, expected: usize) -> Error {
    Error::BadChunkLength(BadChunkLength { got: U256::from(got), expected: U256::from(expected) })
}

#[cfg(all(test, not(feature = "export-abi")))]
mod tests {
    use super::*;

    #[test]
    fn encoded_as_alloy_does() {
        let (got, expected) = (U256::from(7), U256::from(u64::MAX));
        let caller = Address::repeat_byte(0xab);
        let hashes = HashMismatch { got: B256::repeat_byte(1), expected: B256::repeat_byte(2) };
        for (error, encoded) in [
            (Error::ZeroOwner(ZeroOwner {}), ZeroOwner {}.abi_encode()),
            (Error::NotOwner(NotOwner { caller }), NotOwner { caller }.abi_encode()),
            (
                Error::NotPendingOwner(NotPendingOwner { caller }),
                NotPendingOwner { caller }.abi_encode(),
            ),
            (
                Error::ModelNotReady(ModelNotReady { state: 255 }),
                ModelNotReady { state: 255 }.abi_encode(),
            ),
            (
                Error::NotUploading(NotUploading { state: 3 }),
                NotUploading { state: 3 }.abi_encode(),
            ),
            (Error::ModelIsFrozen(ModelIsFrozen {}), ModelIsFrozen {}.abi_encode()),
            (Error::BadHeader(BadHeader { offset: 255 }), BadHeader { offset: 255 }.abi_encode()),
            (
                Error::ModelTooLarge(ModelTooLarge { words: 9, limit: u32::MAX }),
                ModelTooLarge { words: 9, limit: u32::MAX }.abi_encode(),
            ),
            (
                Error::BadImageLength(BadImageLength { got, expected }),
                BadImageLength { got, expected }.abi_encode(),
            ),
            (
                Error::BadBatchLength(BadBatchLength { got, imageLength: expected }),
                BadBatchLength { got, imageLength: expected }.abi_encode(),
            ),
            (
                Error::ChunkOutOfRange(ChunkOutOfRange { index: 1, chunks: 2 }),
                ChunkOutOfRange { index: 1, chunks: 2 }.abi_encode(),
            ),
            (
                Error::BadChunkLength(BadChunkLength { got, expected }),
                BadChunkLength { got, expected }.abi_encode(),
            ),
            (
                Error::ChunksMissing(ChunksMissing { missing: 4 }),
                ChunksMissing { missing: 4 }.abi_encode(),
            ),
            (Error::HashMismatch(hashes.clone()), hashes.abi_encode()),
            (Error::NoDataAccount(NoDataAccount {}), NoDataAccount {}.abi_encode()),
        ] {
            assert_eq!(Vec::from(error), encoded);
        }
    }
}
