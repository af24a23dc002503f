//! Every refusal of the contract, as `IClassifier.sol` declares it.
//!
//! A refusal gives its return data, a selector and at most two words, where it is made. What is passed on is only that it
//! was made: an enum of them, told apart at the end, would be two kilobytes of program.

use alloy_sol_types::SolError;
use inkling_network::HeaderError;
use inkling_network::pack::Word;

use crate::abi::IClassifier::*;
use crate::host;
use crate::router::word;

/// The call reverts, with the return data that was given: a selector and arguments, or nothing for malformed calldata.
/// State is as it was before.
pub struct Refused;

/// An error with at most two words as arguments.
#[inline(never)]
fn refuse(selector: [u8; 4], first: Option<&Word>, second: Option<&Word>) -> Refused {
    // The selector stands at the end of the first word.
    let data = host::bytes(96);
    data.as_chunks_mut().0[7] = selector;
    let (words, _) = data.as_chunks_mut();
    let count = host::append(words, 1, first);
    let count = host::append(words, count, second);
    host::give(&data[28..32 * count]);
    Refused
}

/// An error with an integer as argument.
#[inline(never)]
fn refuse_integer(selector: [u8; 4], argument: usize) -> Refused {
    refuse(selector, Some(word(argument as i64)), None)
}

/// An error with two integers as arguments.
#[inline(never)]
fn refuse_integers(selector: [u8; 4], first: usize, second: usize) -> Refused {
    refuse(selector, Some(word(first as i64)), Some(word(second as i64)))
}

/// The owner given to the constructor is the zero address.
pub fn zero_owner() -> Refused {
    refuse(ZeroOwner::SELECTOR, None, None)
}

/// The caller, an address as a word, is not the owner.
pub fn not_owner(caller: &Word) -> Refused {
    refuse(NotOwner::SELECTOR, Some(caller), None)
}

/// The caller, an address as a word, is not whom ownership was offered to.
pub fn not_pending_owner(caller: &Word) -> Refused {
    refuse(NotPendingOwner::SELECTOR, Some(caller), None)
}

/// Inference or a freeze was asked for while the model is in this state.
pub fn not_ready(state: u8) -> Refused {
    refuse_integer(ModelNotReady::SELECTOR, state.into())
}

/// A chunk or the end of an upload came in this state, in which no upload is under way.
pub fn not_uploading(state: u8) -> Refused {
    refuse_integer(NotUploading::SELECTOR, state.into())
}

/// The model was frozen and cannot change any more.
pub fn is_frozen() -> Refused {
    refuse(ModelIsFrozen::SELECTOR, None, None)
}

/// The header breaks a rule of `docs/format.md` at an offset.
pub fn bad_header(error: HeaderError) -> Refused {
    refuse_integer(BadHeader::SELECTOR, error.offset.into())
}

/// The model has more words than the contract holds.
pub fn too_large(words: u32, limit: u32) -> Refused {
    refuse_integers(ModelTooLarge::SELECTOR, words as usize, limit as usize)
}

/// An image of `got` bytes where `expected` were.
pub fn bad_image_length(got: usize, expected: usize) -> Refused {
    refuse_integers(BadImageLength::SELECTOR, got, expected)
}

/// A batch of `got` bytes of images of `image_length` bytes.
pub fn bad_batch_length(got: usize, image_length: usize) -> Refused {
    refuse_integers(BadBatchLength::SELECTOR, got, image_length)
}

/// The model has only so many chunks.
pub fn out_of_range(index: u32, chunks: u32) -> Refused {
    refuse_integers(ChunkOutOfRange::SELECTOR, index as usize, chunks as usize)
}

/// Words of `got` bytes where a chunk of `expected` bytes begins.
pub fn bad_chunk_length(got: usize, expected: usize) -> Refused {
    refuse_integers(BadChunkLength::SELECTOR, got, expected)
}

/// `finalizeModel` came before so many chunks did.
pub fn chunks_missing(missing: usize) -> Refused {
    refuse_integer(ChunksMissing::SELECTOR, missing)
}

/// What was uploaded is not what `beginModel` announced.
pub fn hash_mismatch(got: &Word, expected: &Word) -> Refused {
    refuse(HashMismatch::SELECTOR, Some(got), Some(expected))
}

/// The account for the words could not be created.
pub fn no_data_account() -> Refused {
    refuse(NoDataAccount::SELECTOR, None, None)
}

/// Calldata that no decoder understands.
pub fn malformed() -> Refused {
    Refused
}
