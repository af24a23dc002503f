//! Words in storage slots.
//!
//! Each chunk is hashed as it is written, so `finalizeModel` checks the commitment from 32 bytes a chunk and fits a
//! transaction however large the model. Starting an upload again only clears the bitmap: words and hashes of a chunk
//! count once its bit is set.

use inkling_network::header::HeaderRule;
use inkling_network::kernel::WordSource;
use inkling_network::pack::{CHUNK_WORDS, MAX_WORDS, Word};
use inkling_network::{Header, HeaderError};

use crate::errors::*;
use crate::host;
use crate::life::{CHUNK_BYTES, READY, STATE};
use crate::store::Status;

const UPLOADED: u16 = 11;
const CHUNK_HASHES: u16 = 12;
const WORDS: u16 = 268;

/// Words are read as inference asks for them.
pub struct Words;

impl WordSource for Words {
    fn read(&mut self, index: u32, to: &mut Word) {
        host::read(WORDS + index as u16, to);
    }
}

/// The model, if it is ready. The header in slot 0 says itself whether it goes on in the slots after it; it was parsed when
/// it was stored, so that it ends in the eighth at last.
pub fn open() -> Result<(Header, Words), Refused> {
    let bytes = host::bytes(256);
    let mut slot = STATE;
    loop {
        let (words, _) = bytes.as_chunks_mut();
        host::read(slot, &mut words[usize::from(slot)]);
        if bytes[0] < READY {
            return Err(not_ready(bytes[0]));
        }
        slot += 1;
        match Header::parse_prefix(&bytes[1..32 * usize::from(slot)]) {
            Ok(header) => return Ok((header, Words)),
            Err(HeaderError { rule: HeaderRule::Truncated, .. }) => {}
            Err(error) => return Err(bad_header(error)),
        }
    }
}

/// The most words that a model may have.
pub const fn limit(_header_length: usize) -> u32 {
    MAX_WORDS
}

/// Forgets what was uploaded.
pub fn clear() {
    host::store(UPLOADED, host::zero());
}

/// Writes one or more whole chunks from chunk `index` on, which exists.
pub fn upload(status: &Status, index: u32, words: &[u8]) -> Result<(), Refused> {
    let first_word = index * CHUNK_WORDS;
    let room = (status.words() - first_word) as usize * 32;
    let whole = !words.is_empty() && words.len().is_multiple_of(CHUNK_BYTES);
    if words.len() > room || !(whole || words.len() == room) {
        return Err(bad_chunk_length(words.len(), room.min(CHUNK_BYTES)));
    }
    for (slot, word) in (WORDS + first_word as u16..).zip(words.as_chunks().0) {
        host::store(slot, word);
    }
    let uploaded = host::load(UPLOADED);
    for (index, chunk) in (index as u16..).zip(words.chunks(CHUNK_BYTES)) {
        host::store(CHUNK_HASHES + index, host::keccak256(chunk));
        uploaded[31 - usize::from(index / 8)] |= 1 << (index % 8);
    }
    host::store(UPLOADED, uploaded);
    Ok(())
}

/// Bit `i`: chunk `i` has been uploaded.
pub fn uploaded() -> &'static Word {
    host::load(UPLOADED)
}

/// The hash of each chunk.
pub fn chunk_hashes(_status: &Status, to: &mut [Word]) {
    for (slot, hash) in (CHUNK_HASHES..).zip(to) {
        host::read(slot, hash);
    }
}

/// Nothing is left to do: the state alone makes the model ready.
pub const fn finalize() {}
