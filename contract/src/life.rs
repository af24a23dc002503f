//! The life of a model that is uploaded: empty → uploading → ready → frozen.
//!
//! The state shares its slot with the beginning of the header, so that inference reads as few slots as can be. What
//! happens to the words is the affair of the [`home`](crate::home).

use core::mem::ManuallyDrop;

use inkling_network::Header;
use inkling_network::pack::{CHUNK_WORDS, Word};

use crate::abi::IClassifier::{ModelBegun, ModelFinalized, ModelFrozen};
use crate::errors::*;
use crate::home;
use crate::host;
use crate::router::{self, array, word};
use crate::store::Status;

/// The first slot: the state in byte 0, then the header, which goes on in the next slots.
pub const STATE: u16 = 0;
const MODEL_HASH: u16 = 10;

/// Bytes of a whole chunk.
pub const CHUNK_BYTES: usize = CHUNK_WORDS as usize * 32;

/// Words are being uploaded.
const UPLOADING: u8 = 1;
/// The model answers.
pub const READY: u8 = 2;
/// The model answers and cannot change.
const FROZEN: u8 = 3;

/// The slots of the state and the header, as bytes.
pub struct Start {
    bytes: &'static [u8],
    length: usize,
}

impl Start {
    /// As they are stored.
    pub fn load(status: &Status) -> Self {
        let length = status.header_length();
        let bytes = host::bytes(256);
        let (slots, _) = bytes.as_chunks_mut();
        for slot in 0..=length / 32 {
            host::read(STATE + slot as u16, &mut slots[slot]);
        }
        Self { bytes, length }
    }

    /// The bytes of the header; none before the first upload.
    pub fn header(&self) -> &[u8] {
        &self.bytes[1..=self.length]
    }
}

/// The model's state, as `docs/format.md` numbers them.
pub fn state() -> u8 {
    host::load(STATE)[0]
}

/// Whether inference is possible.
pub fn is_ready() -> bool {
    state() >= READY
}

/// See `IClassifier.beginModel`.
pub fn begin(header: &[u8], model_hash: &Word) -> Result<(), Refused> {
    let mut status = changeable()?;
    // Not dropped, as nothing here is: see `host`.
    let words = ManuallyDrop::new(Header::parse(header).map_err(bad_header)?).word_count();
    let limit = home::limit(header.len());
    if words > limit {
        return Err(too_large(words, limit));
    }
    let start = host::bytes(256);
    start[0] = UPLOADING;
    host::copy(header, &mut start[1..]);
    let (slots, _) = start.as_chunks();
    for slot in 0..=header.len() / 32 {
        host::store(STATE + slot as u16, &slots[slot]);
    }
    status.set_model(words, header.len() as u8);
    status.store();
    host::store(MODEL_HASH, model_hash);
    home::clear();
    host::emit::<ModelBegun, _>([model_hash], Some(word(words.into())));
    Ok(())
}

/// See `IClassifier.uploadChunk`.
pub fn upload(index: u32, words: &[u8]) -> Result<(), Refused> {
    let status = uploading()?;
    let chunks = status.chunks();
    if index >= chunks {
        return Err(out_of_range(index, chunks));
    }
    home::upload(&status, index, words)
}

/// See `IClassifier.missingChunks`.
pub fn give_missing() {
    let status = Status::load();
    let (uploaded, mut place) = (home::uploaded(), 2);
    let words = array(missing(&status, uploaded));
    for index in 0..status.chunks() as usize {
        if is_missing(uploaded, index) {
            words[place][31] = index as u8;
            place += 1;
        }
    }
    host::give(words.as_flattened());
}

/// How many chunks are missing.
fn missing(status: &Status, uploaded: &Word) -> usize {
    let mut missing = 0;
    for index in 0..status.chunks() as usize {
        missing += usize::from(is_missing(uploaded, index));
    }
    missing
}

/// Whether the bit of a chunk is not set.
const fn is_missing(uploaded: &Word, index: usize) -> bool {
    uploaded[31 - index / 8] & 1 << (index % 8) == 0
}

/// See `IClassifier.finalizeModel`.
pub fn finalize() -> Result<(), Refused> {
    let status = uploading()?;
    let missing = missing(&status, home::uploaded());
    if missing > 0 {
        return Err(chunks_missing(missing));
    }
    let hashes = host::bytes(32 * (1 + status.chunks() as usize));
    let (all, _) = hashes.as_chunks_mut();
    all[0] = *host::keccak256(Start::load(&status).header());
    home::chunk_hashes(&status, &mut all[1..]);
    let (got, expected) = (host::keccak256(hashes), model_hash());
    if !host::equal(got, expected) {
        return Err(hash_mismatch(got, expected));
    }
    home::finalize();
    set_state(READY);
    host::emit::<ModelFinalized, _>([expected], None);
    Ok(())
}

/// See `IClassifier.freezeModel`.
pub fn freeze() -> Result<(), Refused> {
    changeable()?;
    let state = state();
    if state != READY {
        return Err(not_ready(state));
    }
    set_state(FROZEN);
    host::emit::<ModelFrozen, _>([model_hash()], None);
    Ok(())
}

/// See `IClassifier.modelInfo`.
pub fn give_info() {
    let status = Status::load();
    router::give_info(Start::load(&status).header(), model_hash(), status.words(), state());
}

fn set_state(state: u8) {
    let word = host::load(STATE);
    word[0] = state;
    host::store(STATE, word);
}

/// The status, if the caller is the owner and the model not frozen.
fn changeable() -> Result<Status, Refused> {
    let status = Status::load();
    status.check_owner()?;
    if state() == FROZEN {
        return Err(is_frozen());
    }
    Ok(status)
}

/// The status, if the caller is the owner and an upload is under way.
fn uploading() -> Result<Status, Refused> {
    let status = changeable()?;
    let state = state();
    if state != UPLOADING {
        return Err(not_uploading(state));
    }
    Ok(status)
}

fn model_hash() -> &'static mut Word {
    host::load(MODEL_HASH)
}
