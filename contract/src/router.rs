//! From calldata to the contract's functions, and back to return data.
//!
//! The SDK can generate all this from the interface, at a quarter of the program's size and some hundred gas a call. Sixteen
//! functions with arguments of five types need less: a word is an integer, an offset or a length, and each of them must be small.
//! Malformed calldata reverts without data, as Solidity's own decoder does; no function takes value.

use alloc::vec::Vec;

use alloy_primitives::{Address, U256};
use alloy_sol_types::SolCall;
use inkling_network::pack::Word;
use stylus_sdk::ArbResult;
use stylus_sdk::abi::CONSTRUCTOR_SELECTOR as CONSTRUCTOR;
use stylus_sdk::host::VM;
use stylus_sdk::prelude::*;
use stylus_sdk::stylus_core::ConstructorGuard;

use crate::StylusClassifier;
use crate::abi::IClassifier::*;
use crate::errors::{Error, malformed};

const CLASSIFY: u32 = id::<classifyCall>();
const LOGITS: u32 = id::<logitsCall>();
const CLASSIFY_BATCH: u32 = id::<classifyBatchCall>();
const CLASSIFY_AND_RECORD: u32 = id::<classifyAndRecordCall>();
const PREDICT: u32 = id::<predictCall>();
const IS_MODEL_READY: u32 = id::<isModelReadyCall>();
const BEGIN_MODEL: u32 = id::<beginModelCall>();
const UPLOAD_CHUNK: u32 = id::<uploadChunkCall>();
const MISSING_CHUNKS: u32 = id::<missingChunksCall>();
const FINALIZE_MODEL: u32 = id::<finalizeModelCall>();
const FREEZE_MODEL: u32 = id::<freezeModelCall>();
const MODEL_INFO: u32 = id::<modelInfoCall>();
const OWNER: u32 = id::<ownerCall>();
const TRANSFER_OWNERSHIP: u32 = id::<transferOwnershipCall>();
const ACCEPT_OWNERSHIP: u32 = id::<acceptOwnershipCall>();

const fn id<C: SolCall>() -> u32 {
    u32::from_be_bytes(C::SELECTOR)
}

/// Runs the function that calldata asks for, and gives its return data or what it reverts with.
#[entrypoint]
pub fn main(calldata: Vec<u8>, vm: VM) -> ArbResult {
    Ok(route(&calldata, vm)?)
}

fn route(calldata: &[u8], vm: VM) -> Result<Vec<u8>, Error> {
    let (selector, arguments) = calldata.split_first_chunk().ok_or_else(malformed)?;
    if !vm.msg_value().is_zero() {
        return Err(malformed());
    }
    let arguments = Arguments(arguments);
    // SAFETY: a contract without fields needs no slot.
    let contract = unsafe { StylusClassifier::new(U256::ZERO, 0, vm) };
    let store = contract.store();
    match u32::from_be_bytes(*selector) {
        CLASSIFY => return Ok(integer(contract.digit(arguments.bytes(0)?)?)),
        LOGITS => return Ok(array(&contract.run(arguments.bytes(0)?)?)),
        CLASSIFY_BATCH => return Ok(array(&contract.batch(arguments.bytes(0)?)?)),
        CLASSIFY_AND_RECORD => return Ok(integer(contract.record(arguments.bytes(0)?)?)),
        PREDICT => return Ok(integer(contract.predicted(&arguments.pixels()?)?)),
        IS_MODEL_READY => return Ok(integer(store.is_ready())),
        MISSING_CHUNKS => return Ok(array(&store.missing())),
        MODEL_INFO => {
            let (header, model_hash, words, state) = store.info();
            return Ok(info(&header, model_hash.0, words, state));
        }
        OWNER => return Ok(store.owner().into_word().to_vec()),
        BEGIN_MODEL => store.begin(arguments.bytes(0)?, arguments.word(1)?.into())?,
        UPLOAD_CHUNK => store.upload(arguments.integer(0)?, arguments.bytes(1)?)?,
        FINALIZE_MODEL => store.finalize()?,
        FREEZE_MODEL => store.freeze()?,
        TRANSFER_OWNERSHIP => store.transfer_ownership(arguments.address(0)?)?,
        ACCEPT_OWNERSHIP => store.accept_ownership()?,
        CONSTRUCTOR => {
            // It is called once: the SDK keeps a slot for that.
            contract.check_constructor_slot().map_err(|_| malformed())?;
            store.construct(arguments.address(0)?)?;
        }
        _ => return Err(malformed()),
    }
    Ok(Vec::new())
}

/// What follows the selector in calldata. Whatever is wrong in it reverts without data.
struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    /// The word of the argument at an index.
    fn word(&self, index: usize) -> Result<Word, Error> {
        self.word_at(32 * index)
    }

    fn word_at(&self, offset: usize) -> Result<Word, Error> {
        let word = self.0.get(offset..).and_then(<[u8]>::first_chunk);
        word.copied().ok_or_else(malformed)
    }

    /// An integer of 32 bits at an offset: an argument, or the offset or length of one.
    #[inline(never)]
    fn integer_at(&self, offset: usize) -> Result<u32, Error> {
        let word = self.word_at(offset)?;
        let [high @ .., a, b, c, d] = word;
        match high == [0; 28] {
            true => Ok(u32::from_be_bytes([a, b, c, d])),
            false => Err(malformed()),
        }
    }

    fn integer(&self, index: usize) -> Result<u32, Error> {
        self.integer_at(32 * index)
    }

    fn address(&self, index: usize) -> Result<Address, Error> {
        let word = self.word(index)?;
        let (high, address) = word.split_at(12);
        match high == [0; 12] {
            true => Ok(Address::from_slice(address)),
            false => Err(malformed()),
        }
    }

    /// Bytes of which the argument at an index is the offset; their length stands before them.
    #[inline(never)]
    fn bytes(&self, index: usize) -> Result<&'a [u8], Error> {
        let offset = self.integer(index)? as usize;
        let length = self.integer_at(offset)? as usize;
        // The length was read: 32 bytes from the offset on are there.
        self.0[offset + 32..].get(..length).ok_or_else(malformed)
    }

    /// 400 words of a byte each.
    fn pixels(&self) -> Result<Vec<u8>, Error> {
        let (words, _) = self.0.as_chunks::<32>();
        let words = words.get(..400).ok_or_else(malformed)?;
        let pixel = |word: &Word| match word.split_last() {
            Some((pixel, high)) if high.iter().all(|byte| *byte == 0) => Some(*pixel),
            _ => None,
        };
        words.iter().map(pixel).collect::<Option<_>>().ok_or_else(malformed)
    }
}

/// An integer as a word.
pub fn word(value: i64) -> Word {
    let mut word = if value < 0 { [0xff; 32] } else { [0; 32] };
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

fn integer(value: impl Into<i64>) -> Vec<u8> {
    word(value.into()).to_vec()
}

/// The offset of an array, its length, and its values.
fn array<T: Into<i64> + Copy>(values: &[T]) -> Vec<u8> {
    let mut data = Vec::with_capacity(64 + 32 * values.len());
    data.extend_from_slice(&word(32));
    data.extend_from_slice(&word(values.len() as i64));
    for value in values {
        data.extend_from_slice(&word((*value).into()));
    }
    data
}

/// What `modelInfo` returns.
fn info(header: &[u8], model_hash: Word, words: u32, state: u8) -> Vec<u8> {
    let length = word(header.len() as i64);
    let mut data = [word(128), model_hash, word(words.into()), word(state.into()), length].concat();
    data.extend_from_slice(header);
    data.resize(data.len().next_multiple_of(32), 0);
    data
}
