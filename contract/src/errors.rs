//! Every refusal of the contract, as `IClassifier.sol` declares it.

use alloy_primitives::U256;
use alloy_sol_types::sol;
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
#[derive(SolidityError)]
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
