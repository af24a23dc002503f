//! From calldata to the contract's functions, and back to return data.
//!
//! The SDK could generate all this from what `interface.rs` declares, several times as long. Sixteen functions with arguments
//! of five types need less: a word is an integer, an offset or a length, and each of them must be small.
//! Malformed calldata reverts without data, as Solidity's own decoder does; no function takes value.

use alloy_sol_types::SolCall;
use inkling_network::pack::Word;
use stylus_sdk::abi::CONSTRUCTOR_SELECTOR as CONSTRUCTOR;

use crate::abi::IClassifier::*;
use crate::errors::{Refused, malformed};
use crate::{host, inference, life, store};

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

/// Runs the function that calldata asks for, and gives its return data.
pub fn route(calldata: &[u8]) -> Result<(), Refused> {
    let (selector, arguments) = calldata.split_first_chunk().ok_or_else(malformed)?;
    if host::has_value() {
        return Err(malformed());
    }
    let arguments = Arguments(arguments);
    // What most functions begin with; of others it is no matter.
    let bytes = arguments.bytes(0);
    match u32::from_be_bytes(*selector) {
        CLASSIFY => host::give(inference::digit(bytes?)?),
        LOGITS => give_logits(inference::logits(bytes?)?),
        CLASSIFY_BATCH => inference::give_batch(bytes?)?,
        CLASSIFY_AND_RECORD => host::give(inference::record(bytes?)?),
        PREDICT => host::give(inference::predict(arguments.pixels()?)?),
        IS_MODEL_READY => host::give(word(life::is_ready().into())),
        MISSING_CHUNKS => life::give_missing(),
        MODEL_INFO => life::give_info(),
        OWNER => host::give(store::Status::load().owner()),
        change => {
            match change {
                BEGIN_MODEL => life::begin(bytes?, arguments.word(1)?)?,
                UPLOAD_CHUNK => life::upload(arguments.integer(0)?, arguments.bytes(1)?)?,
                FINALIZE_MODEL => life::finalize()?,
                FREEZE_MODEL => life::freeze()?,
                TRANSFER_OWNERSHIP => store::transfer_ownership(arguments.address(0)?)?,
                ACCEPT_OWNERSHIP => store::accept_ownership()?,
                CONSTRUCTOR => store::construct(arguments.address(0)?)?,
                _ => return Err(malformed()),
            }
            host::flush();
        }
    }
    Ok(())
}

/// What follows the selector in calldata. Whatever is wrong in it reverts without data.
struct Arguments<'a>(&'a [u8]);

impl<'a> Arguments<'a> {
    /// The word of the argument at an index.
    fn word(&self, index: usize) -> Result<&'a Word, Refused> {
        self.word_at(32 * index)
    }

    fn word_at(&self, offset: usize) -> Result<&'a Word, Refused> {
        self.0.get(offset..).and_then(<[u8]>::first_chunk).ok_or_else(malformed)
    }

    /// An integer of 32 bits at an offset: an argument, or the offset or length of one.
    fn integer_at(&self, offset: usize) -> Result<u32, Refused> {
        let word = self.word_at(offset)?;
        let [.., a, b, c, d] = *word;
        match has_zeros(word, 28) {
            true => Ok(u32::from_be_bytes([a, b, c, d])),
            false => Err(malformed()),
        }
    }

    fn integer(&self, index: usize) -> Result<u32, Refused> {
        self.integer_at(32 * index)
    }

    /// An address, as a word.
    fn address(&self, index: usize) -> Result<&'a Word, Refused> {
        let word = self.word(index)?;
        match has_zeros(word, 12) {
            true => Ok(word),
            false => Err(malformed()),
        }
    }

    /// Bytes of which the argument at an index is the offset; their length stands before them.
    fn bytes(&self, index: usize) -> Result<&'a [u8], Refused> {
        let offset = self.integer(index)? as usize;
        let length = self.integer_at(offset)? as usize;
        // The length was read: 32 bytes from the offset on are there.
        self.0[offset + 32..].get(..length).ok_or_else(malformed)
    }

    /// 400 words of a byte each.
    fn pixels(&self) -> Result<&'static [u8], Refused> {
        let pixels = host::bytes(400);
        for (index, to) in pixels.iter_mut().enumerate() {
            let pixel = self.integer(index)?;
            if pixel > 255 {
                return Err(malformed());
            }
            *to = pixel as u8;
        }
        Ok(pixels)
    }
}

/// Whether the first `count` bytes are zero.
fn has_zeros(word: &Word, count: usize) -> bool {
    word[..count].iter().all(|byte| *byte == 0)
}

/// An integer as a word.
#[inline(never)]
pub fn word(value: i64) -> &'static mut Word {
    let word = host::zero();
    let (quarters, _) = word.as_chunks_mut();
    let sign = (value >> 63).to_ne_bytes();
    (quarters[0], quarters[1], quarters[2]) = (sign, sign, sign);
    quarters[3] = value.to_be_bytes();
    word
}

/// The words of an array's return data: its offset and its length, and so many values, which are zero yet.
#[inline(never)]
pub fn array(length: usize) -> &'static mut [Word] {
    let (words, _) = host::bytes(64 + 32 * length).as_chunks_mut();
    words[0][31] = 32;
    words[1] = *word(length as i64);
    words
}

fn give_logits(logits: &[i32]) {
    let words = array(logits.len());
    for index in 0..logits.len() {
        words[2 + index] = *word(logits[index].into());
    }
    host::give(words.as_flattened());
}

/// What `modelInfo` answers: the offset of the header, what is beside it, and at last its length and its bytes.
pub fn give_info(header: &[u8], model_hash: &Word, words: u32, state: u8) {
    let length = header.len();
    let data = host::bytes(160 + length.next_multiple_of(32));
    host::copy(header, &mut data[160..]);
    let (beside, _) = data.as_chunks_mut();
    beside[0][31] = 128;
    beside[1] = *model_hash;
    beside[2] = *word(words.into());
    beside[3][31] = state;
    beside[4] = *word(length as i64);
    host::give(data);
}
