//! Words in the code of a *data account*, `00 ‖ header ‖ words` (the idea of SSTORE2, github.com/0xsequence/sstore2): one cold
//! account instead of a cold slot for each word.
//!
//! One slot says which account, and whether the model is ready, so that inference reads nothing else. All words come in
//! one upload, because code cannot be extended.

use alloc::vec::Vec;

use alloy_primitives::{Address, U256};
use inkling_network::Header;
use inkling_network::kernel::WordSource;
use inkling_network::pack::Word;
use stylus_sdk::deploy::RawDeploy;
use stylus_sdk::prelude::*;

use crate::errors::*;
use crate::life::CHUNK_BYTES;
use crate::store::{Status, Store};

/// The data account in the low 160 bits; byte 0 is 1 while the model is ready or frozen.
const DATA: u64 = 12;

/// The most bytes that the code of an account may have (EIP-170).
const MAX_CODE: usize = 24_576;

/// The byte before the header: the instruction STOP, so that nobody runs the data.
const STOP: u8 = 0;

/// The code of the data account, and where its words begin.
pub struct Words {
    code: Vec<u8>,
    start: usize,
}

impl WordSource for Words {
    fn word(&mut self, index: u32) -> Word {
        let from = self.start + index as usize * 32;
        // The account was written whole: no index is beyond it.
        self.code.get(from..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; 32])
    }
}

/// The model, if it is ready.
pub fn open(store: &Store<'_>) -> Result<(Header, Words), Error> {
    let data = store.load(DATA);
    if data[0] == 0 {
        return Err(not_ready(store.state()));
    }
    let code = store.0.code(account(data));
    let (header, length) = Header::parse_prefix(&code[1..]).map_err(bad_header)?;
    Ok((header, Words { code, start: 1 + length }))
}

/// The most words that a model with such a header may have.
pub const fn limit(header_length: usize) -> u32 {
    ((MAX_CODE - 1 - header_length) / 32) as u32
}

/// Forgets what was uploaded.
pub fn clear(store: &Store<'_>) {
    store.store(DATA, [0; 32]);
}

/// Creates the data account. All words must be there.
pub fn upload(store: &Store<'_>, status: &Status, index: u32, words: &[u8]) -> Result<(), Error> {
    let expected = status.words as usize * 32;
    if index != 0 || words.len() != expected {
        return Err(bad_chunk_length(words.len(), expected));
    }
    let header = store.header_bytes(status);
    let [.., high, low] = (1 + header.len() + words.len()).to_be_bytes();
    // PUSH2 length, DUP1, PUSH1 10, RETURNDATASIZE (0), CODECOPY, RETURNDATASIZE, RETURN: returns all that follows.
    let creation = [0x61, high, low, 0x80, 0x60, 10, 0x3d, 0x39, 0x3d, 0xf3];
    let code = [&creation[..], &[STOP], &header, words].concat();
    // SAFETY: this creation code calls nothing, so that nothing can come back and see storage half written.
    let created = unsafe { RawDeploy::new().deploy(store.0, &code, U256::ZERO) };
    let address = created.map_err(|_| no_data_account())?;
    store.store(DATA, address.into_word().0);
    Ok(())
}

/// All chunks, or none once the account is there.
pub fn missing(store: &Store<'_>, status: &Status) -> Vec<u32> {
    let chunks = if store.load(DATA) == [0; 32] { status.chunks() } else { 0 };
    (0..chunks).collect()
}

/// The hashes of all chunks, one after another.
pub fn chunk_hashes(store: &Store<'_>, status: &Status) -> Vec<u8> {
    let code = store.0.code(account(store.load(DATA)));
    let words = &code[code.len() - status.words as usize * 32..];
    let mut hashes = Vec::new();
    for chunk in words.chunks(CHUNK_BYTES) {
        hashes.extend_from_slice(&store.0.native_keccak256(chunk).0);
    }
    hashes
}

/// Makes the account known to inference.
pub fn finalize(store: &Store<'_>) {
    let mut data = store.load(DATA);
    data[0] = 1;
    store.store(DATA, data);
}

/// The low 160 bits.
fn account(data: Word) -> Address {
    Address::from_slice(&data[12..])
}
