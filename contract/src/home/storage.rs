//! Words in storage slots.
//!
//! Each chunk is hashed as it is written, so `finalizeModel` checks the commitment from 32 bytes a chunk and fits a
//! transaction however large the model. Starting an upload again only clears the bitmap: words and hashes of a chunk
//! count once its bit is set.

use alloc::vec::Vec;

use inkling_network::header::HeaderRule;
use inkling_network::kernel::WordSource;
use inkling_network::pack::{CHUNK_WORDS, MAX_WORDS, Word};
use inkling_network::{Header, HeaderError};
use stylus_sdk::prelude::*;

use crate::errors::*;
use crate::life::{CHUNK_BYTES, HEADER, READY, STATE};
use crate::store::{Status, Store};

const UPLOADED: u64 = 11;
const CHUNK_HASHES: u64 = 12;
const WORDS: u64 = 268;

/// Words are read as inference asks for them.
pub struct Words<'a>(&'a Store<'a>);

impl WordSource for Words<'_> {
    fn word(&mut self, index: u32) -> Word {
        self.0.load(WORDS + u64::from(index))
    }
}

/// The model, if it is ready. The header in slot 0 says itself whether it goes on in the slots after it.
pub fn open<'a>(store: &'a Store<'a>) -> Result<(Header, Words<'a>), Error> {
    let start = store.load(STATE);
    if start[0] < READY {
        return Err(not_ready(start[0]));
    }
    let mut bytes = start[1..].to_vec();
    for slot in HEADER.. {
        match Header::parse_prefix(&bytes) {
            Ok((header, _)) => return Ok((header, Words(store))),
            Err(HeaderError { rule: HeaderRule::Truncated, .. }) => {
                bytes.extend_from_slice(&store.load(slot));
            }
            Err(error) => return Err(bad_header(error)),
        }
    }
    unreachable!("no header goes on for ever")
}

/// The most words that a model may have.
pub const fn limit(_header_length: usize) -> u32 {
    MAX_WORDS
}

/// Forgets what was uploaded.
pub fn clear(store: &Store<'_>) {
    store.store(UPLOADED, [0; 32]);
}

/// Writes one or more whole chunks from chunk `index` on, which exists.
pub fn upload(store: &Store<'_>, status: &Status, index: u32, words: &[u8]) -> Result<(), Error> {
    let first_word = index * CHUNK_WORDS;
    let room = (status.words - first_word) as usize * 32;
    let whole = !words.is_empty() && words.len().is_multiple_of(CHUNK_BYTES);
    if words.len() > room || !(whole || words.len() == room) {
        return Err(bad_chunk_length(words.len(), room.min(CHUNK_BYTES)));
    }
    for (slot, word) in (WORDS + u64::from(first_word)..).zip(words.as_chunks::<32>().0) {
        store.store(slot, *word);
    }
    let mut uploaded = store.load(UPLOADED);
    for (index, chunk) in (index as usize..).zip(words.chunks(CHUNK_BYTES)) {
        store.store(CHUNK_HASHES + index as u64, store.0.native_keccak256(chunk).0);
        uploaded[31 - index / 8] |= 1 << (index % 8);
    }
    store.store(UPLOADED, uploaded);
    Ok(())
}

/// The chunks still to be uploaded.
pub fn missing(store: &Store<'_>, status: &Status) -> Vec<u32> {
    let uploaded = store.load(UPLOADED);
    let is_missing = |&i: &u32| uploaded[31 - i as usize / 8] & 1 << (i % 8) == 0;
    (0..status.chunks()).filter(is_missing).collect()
}

/// The hashes of all chunks, one after another.
pub fn chunk_hashes(store: &Store<'_>, status: &Status) -> Vec<u8> {
    let mut hashes = Vec::new();
    for slot in CHUNK_HASHES..CHUNK_HASHES + u64::from(status.chunks()) {
        hashes.extend_from_slice(&store.load(slot));
    }
    hashes
}

/// Nothing is left to do: the state alone makes the model ready.
pub const fn finalize(_store: &Store<'_>) {}
