//! A model in storage, and who may change it.
//!
//! Each chunk is hashed as it is written, so `finalizeModel` checks the commitment from 32 bytes a chunk and fits a
//! transaction however large the model. Starting an upload again only clears the bitmap: words and hashes of a chunk
//! count once its bit is set.

use alloc::vec::Vec;

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::sol;
use inkling_network::kernel::WordSource;
use inkling_network::pack::{CHUNK_WORDS, MAX_WORDS, Word};
use inkling_network::{Header, HeaderError};
use stylus_sdk::abi::Bytes;
use stylus_sdk::host::VM;
use stylus_sdk::prelude::*;

use crate::errors::*;

sol! {
    event ModelBegun(bytes32 indexed modelHash, uint32 words);
    event ModelFinalized(bytes32 indexed modelHash);
    event ModelFrozen(bytes32 indexed modelHash);
    event OwnershipTransferStarted(address indexed previousOwner, address indexed newOwner);
    event OwnershipTransferred(address indexed previousOwner, address indexed newOwner);
}

// The slots of `docs/format.md`. They are read and written as words: the SDK's typed accessors for 8,466 slots would
// be a tenth of the program.
const STATUS: u64 = 0;
const PENDING_OWNER: u64 = 1;
const MODEL_HASH: u64 = 2;
const UPLOADED: u64 = 3;
const HEADER: u64 = 4;
const CHUNK_HASHES: u64 = 12;
const WORDS: u64 = 268;

const CHUNK_BYTES: usize = CHUNK_WORDS as usize * 32;

/// No model.
pub const EMPTY: u8 = 0;
/// Chunks are being uploaded.
pub const UPLOADING: u8 = 1;
/// The model answers.
pub const READY: u8 = 2;
/// The model answers and cannot change.
pub const FROZEN: u8 = 3;

/// The model in storage, seen through the VM.
pub struct Store<'a>(pub &'a VM);

/// Slot 0.
struct Status {
    owner: Address,
    state: u8,
    header_length: u16,
    word_count: u32,
}

impl Status {
    fn from_word(word: Word) -> Self {
        let [_, _, _, _, _, w3, w2, w1, w0, h1, h0, state, owner @ ..] = word;
        Self {
            owner: Address::from(owner),
            state,
            header_length: u16::from_be_bytes([h1, h0]),
            word_count: u32::from_be_bytes([w3, w2, w1, w0]),
        }
    }

    fn to_word(&self) -> Word {
        let mut word = [0; 32];
        word[5..9].copy_from_slice(&self.word_count.to_be_bytes());
        word[9..11].copy_from_slice(&self.header_length.to_be_bytes());
        word[11] = self.state;
        word[12..].copy_from_slice(self.owner.as_slice());
        word
    }

    fn chunks(&self) -> u32 {
        self.word_count.div_ceil(CHUNK_WORDS)
    }
}

/// Words are read as inference asks for them.
impl WordSource for Store<'_> {
    fn word(&mut self, index: u32) -> Word {
        self.load(WORDS + index as u64)
    }
}

impl Store<'_> {
    /// Sets the first owner.
    pub fn construct(&self, owner: Address) -> Result<(), Error> {
        if owner.is_zero() {
            return Err(Error::ZeroOwner(ZeroOwner {}));
        }
        self.set_owner(self.status(), owner);
        Ok(())
    }

    /// Whether inference is possible.
    pub fn is_ready(&self) -> bool {
        self.status().state >= READY
    }

    /// The header of a model that is ready.
    pub fn ready_header(&self) -> Result<Header, Error> {
        let status = self.status();
        if status.state < READY {
            return Err(Error::ModelNotReady(ModelNotReady { state: status.state }));
        }
        Header::parse(&self.header_bytes(&status)).map_err(bad_header)
    }

    /// See `IClassifier.beginModel`.
    pub fn begin(&self, header: &[u8], model_hash: B256) -> Result<(), Error> {
        let mut status = self.changeable()?;
        let words = Header::parse(header).map_err(bad_header)?.word_count();
        if words > MAX_WORDS {
            return Err(Error::ModelTooLarge(ModelTooLarge { words, limit: MAX_WORDS }));
        }
        for (slot, part) in (HEADER..).zip(header.chunks(32)) {
            let mut word = [0; 32];
            word[..part.len()].copy_from_slice(part);
            self.store(slot, word);
        }
        status.state = UPLOADING;
        status.header_length = header.len() as u16;
        status.word_count = words;
        self.store(STATUS, status.to_word());
        self.store(MODEL_HASH, model_hash.0);
        self.store(UPLOADED, [0; 32]);
        self.0.log(ModelBegun { modelHash: model_hash, words });
        Ok(())
    }

    /// See `IClassifier.uploadChunk`.
    pub fn upload(&self, index: u32, words: &[u8]) -> Result<(), Error> {
        let status = self.uploading()?;
        let chunks = status.chunks();
        if index >= chunks {
            return Err(Error::ChunkOutOfRange(ChunkOutOfRange { index, chunks }));
        }
        let first_word = index * CHUNK_WORDS;
        let room = (status.word_count - first_word) as usize * 32;
        let whole = !words.is_empty() && words.len().is_multiple_of(CHUNK_BYTES);
        if words.len() > room || !(whole || words.len() == room) {
            return Err(bad_chunk_length(words.len(), room.min(CHUNK_BYTES)));
        }
        for (slot, word) in (WORDS + first_word as u64..).zip(words.as_chunks::<32>().0) {
            self.store(slot, *word);
        }
        let mut uploaded = self.load(UPLOADED);
        for (index, chunk) in (index as usize..).zip(words.chunks(CHUNK_BYTES)) {
            self.store(CHUNK_HASHES + index as u64, self.0.native_keccak256(chunk).0);
            uploaded[31 - index / 8] |= 1 << (index % 8);
        }
        self.store(UPLOADED, uploaded);
        Ok(())
    }

    /// The chunks still to be uploaded.
    pub fn missing(&self) -> Vec<u32> {
        let uploaded = self.load(UPLOADED);
        let is_missing = |&i: &u32| uploaded[31 - i as usize / 8] & 1 << (i % 8) == 0;
        (0..self.status().chunks()).filter(is_missing).collect()
    }

    /// See `IClassifier.finalizeModel`.
    pub fn finalize(&self) -> Result<(), Error> {
        let status = self.uploading()?;
        let missing = self.missing().len() as u32;
        if missing > 0 {
            return Err(Error::ChunksMissing(ChunksMissing { missing }));
        }
        let mut hashes = self.0.native_keccak256(&self.header_bytes(&status)).to_vec();
        for slot in CHUNK_HASHES..CHUNK_HASHES + status.chunks() as u64 {
            hashes.extend(self.load(slot));
        }
        let (got, expected) = (self.0.native_keccak256(&hashes), self.model_hash());
        if got != expected {
            return Err(Error::HashMismatch(HashMismatch { got, expected }));
        }
        self.store(STATUS, Status { state: READY, ..status }.to_word());
        self.0.log(ModelFinalized { modelHash: expected });
        Ok(())
    }

    /// See `IClassifier.freezeModel`.
    pub fn freeze(&self) -> Result<(), Error> {
        let status = self.changeable()?;
        if status.state != READY {
            return Err(Error::ModelNotReady(ModelNotReady { state: status.state }));
        }
        self.store(STATUS, Status { state: FROZEN, ..status }.to_word());
        self.0.log(ModelFrozen { modelHash: self.model_hash() });
        Ok(())
    }

    /// See `IClassifier.modelInfo`.
    pub fn info(&self) -> (Bytes, B256, u32, u8) {
        let status = self.status();
        let header = self.header_bytes(&status).into();
        (header, self.model_hash(), status.word_count, status.state)
    }

    /// The owner.
    pub fn owner(&self) -> Address {
        self.status().owner
    }

    /// See `IClassifier.transferOwnership`.
    pub fn transfer_ownership(&self, new_owner: Address) -> Result<(), Error> {
        let previous = self.owned()?.owner;
        self.store(PENDING_OWNER, new_owner.into_word().0);
        self.0.log(OwnershipTransferStarted { previousOwner: previous, newOwner: new_owner });
        Ok(())
    }

    /// See `IClassifier.acceptOwnership`.
    pub fn accept_ownership(&self) -> Result<(), Error> {
        let caller = self.0.msg_sender();
        if caller.into_word() != self.load(PENDING_OWNER) {
            return Err(Error::NotPendingOwner(NotPendingOwner { caller }));
        }
        self.store(PENDING_OWNER, [0; 32]);
        self.set_owner(self.status(), caller);
        Ok(())
    }

    fn set_owner(&self, status: Status, owner: Address) {
        let previous = status.owner;
        self.store(STATUS, Status { owner, ..status }.to_word());
        self.0.log(OwnershipTransferred { previousOwner: previous, newOwner: owner });
    }

    /// The status, if the caller is the owner.
    fn owned(&self) -> Result<Status, Error> {
        let (status, caller) = (self.status(), self.0.msg_sender());
        if caller != status.owner {
            return Err(Error::NotOwner(NotOwner { caller }));
        }
        Ok(status)
    }

    /// The status, if the caller is the owner and the model not frozen.
    fn changeable(&self) -> Result<Status, Error> {
        let status = self.owned()?;
        if status.state == FROZEN {
            return Err(Error::ModelIsFrozen(ModelIsFrozen {}));
        }
        Ok(status)
    }

    /// The status, if the caller is the owner and an upload is under way.
    fn uploading(&self) -> Result<Status, Error> {
        let status = self.changeable()?;
        if status.state != UPLOADING {
            return Err(Error::NotUploading(NotUploading { state: status.state }));
        }
        Ok(status)
    }

    fn status(&self) -> Status {
        Status::from_word(self.load(STATUS))
    }

    fn model_hash(&self) -> B256 {
        self.load(MODEL_HASH).into()
    }

    fn header_bytes(&self, status: &Status) -> Vec<u8> {
        let length = status.header_length as usize;
        let words = HEADER..HEADER + length.div_ceil(32) as u64;
        let mut bytes: Vec<u8> = words.flat_map(|slot| self.load(slot)).collect();
        bytes.truncate(length);
        bytes
    }

    fn load(&self, slot: u64) -> Word {
        self.0.storage_load_bytes32(U256::from(slot)).0
    }

    fn store(&self, slot: u64, word: Word) {
        // SAFETY: no typed accessor of the SDK, which might hold a stale copy, exists for any slot.
        unsafe { self.0.storage_cache_bytes32(U256::from(slot), B256::from(word)) };
    }
}

fn bad_header(error: HeaderError) -> Error {
    Error::BadHeader(BadHeader { offset: error.offset })
}
