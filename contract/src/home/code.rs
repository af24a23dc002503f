//! Words in the code of a *data account*, `00 ‖ header ‖ words` (the idea of SSTORE2, github.com/0xsequence/sstore2): one cold
//! account instead of a cold slot for each word.
//!
//! One slot says which account, and whether the model is ready, so that inference reads nothing else. All words come in
//! one upload, because code cannot be extended.

use inkling_network::Header;
use inkling_network::kernel::WordSource;
use inkling_network::pack::Word;

use crate::errors::*;
use crate::host;
use crate::life::{self, CHUNK_BYTES, Start};
use crate::store::Status;

/// The data account in the low 160 bits; byte 0 is 1 while the model is ready or frozen.
const DATA: u16 = 12;

/// The most bytes that the code of an account may have (EIP-170).
const MAX_CODE: usize = 24_576;

/// PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, and then RETURNDATASIZE, RETURN: returns all that follows.
const CREATION: u64 = 0x6100_0080_600a_3d39;
const CREATION_LENGTH: usize = 10;

/// The byte before the header: the instruction STOP, so that nobody runs the data.
const STOP: u8 = 0;

/// The words in the code of the data account.
pub struct Words {
    words: &'static [Word],
}

impl WordSource for Words {
    fn read(&mut self, index: u32, to: &mut Word) {
        // The account was written whole: no index is beyond it.
        *to = self.words[index as usize];
    }
}

/// The model, if it is ready.
pub fn open() -> Result<(Header, Words), Refused> {
    let data = host::load(DATA);
    if data[0] == 0 {
        return Err(not_ready(life::state()));
    }
    let code = &host::code(data)[1..];
    let header = Header::parse_prefix(code).map_err(bad_header)?;
    let (words, _) = code[header.byte_len()..].as_chunks();
    Ok((header, Words { words }))
}

/// The most words that a model with such a header may have.
pub const fn limit(header_length: usize) -> u32 {
    ((MAX_CODE - 1 - header_length) / 32) as u32
}

/// Forgets what was uploaded.
pub fn clear() {
    host::store(DATA, host::zero());
}

/// Creates the data account. All words must be there.
pub fn upload(status: &Status, index: u32, words: &[u8]) -> Result<(), Refused> {
    let expected = status.words() as usize * 32;
    if index != 0 || words.len() != expected {
        return Err(bad_chunk_length(words.len(), expected));
    }
    let start = Start::load(status);
    let header = start.header();
    let length = 1 + header.len() + words.len();
    let code = host::bytes(CREATION_LENGTH + length);
    code.as_chunks_mut().0[0] = (CREATION | (length as u64) << 40).to_be_bytes();
    (code[8], code[9]) = (0x3d, 0xf3);
    let data = &mut code[CREATION_LENGTH..];
    data[0] = STOP;
    host::copy(header, &mut data[1..]);
    host::copy(words, &mut data[1 + header.len()..]);
    // This creation code calls nothing, so that nothing can come back and see storage half written.
    let account = host::create(code);
    if host::equal(account, host::zero()) {
        return Err(no_data_account());
    }
    host::store(DATA, account);
    Ok(())
}

/// All chunks at once, or none.
pub fn uploaded() -> &'static Word {
    let uploaded = host::zero();
    if !host::equal(host::load(DATA), uploaded) {
        *uploaded = [0xff; 32];
    }
    uploaded
}

/// The hash of each chunk.
pub fn chunk_hashes(status: &Status, to: &mut [Word]) {
    let code = host::code(host::load(DATA));
    let words = &code[code.len() - status.words() as usize * 32..];
    for (chunk, hash) in words.chunks(CHUNK_BYTES).zip(to) {
        *hash = *host::keccak256(chunk);
    }
}

/// Makes the account known to inference.
pub fn finalize() {
    let data = host::load(DATA);
    data[0] = 1;
    host::store(DATA, data);
}
