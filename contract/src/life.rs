//! The life of a model that is uploaded: empty → uploading → ready → frozen.
//!
//! The state shares its slot with the beginning of the header, so that inference reads as few slots as can be. What
//! happens to the words is the affair of the [`home`](crate::home).

use alloc::vec::Vec;

use alloy_primitives::B256;
use alloy_sol_types::SolEvent;
use inkling_network::Header;
use inkling_network::pack::CHUNK_WORDS;
use stylus_sdk::abi::Bytes;
use stylus_sdk::prelude::*;

use crate::abi::IClassifier::{ModelBegun, ModelFinalized, ModelFrozen};
use crate::errors::*;
use crate::home;
use crate::router::word;
use crate::store::{Status, Store};

/// Slot 0: the state in byte 0, then the header's first 31 bytes.
pub const STATE: u64 = 0;
/// The first of the slots of the rest of the header.
pub const HEADER: u64 = 1;
const MODEL_HASH: u64 = 10;

/// Header bytes beside the state.
const HEADER_START: usize = 31;

/// Bytes of a whole chunk.
pub const CHUNK_BYTES: usize = CHUNK_WORDS as usize * 32;

/// Words are being uploaded.
const UPLOADING: u8 = 1;
/// The model answers.
pub const READY: u8 = 2;
/// The model answers and cannot change.
const FROZEN: u8 = 3;

impl Store<'_> {
    /// The model's state, as `docs/format.md` numbers them.
    pub fn state(&self) -> u8 {
        self.load(STATE)[0]
    }

    /// Whether inference is possible.
    pub fn is_ready(&self) -> bool {
        self.state() >= READY
    }

    /// See `IClassifier.beginModel`.
    pub fn begin(&self, header: &[u8], model_hash: B256) -> Result<(), Error> {
        let status = self.changeable()?;
        let words = Header::parse(header).map_err(bad_header)?.word_count();
        let limit = home::limit(header.len());
        if words > limit {
            return Err(too_large(words, limit));
        }
        let (start, rest) = header.split_at(header.len().min(HEADER_START));
        let mut first = [0; 32];
        first[0] = UPLOADING;
        first[1..=start.len()].copy_from_slice(start);
        self.store(STATE, first);
        for (slot, part) in (HEADER..).zip(rest.chunks(32)) {
            let mut next = [0; 32];
            next[..part.len()].copy_from_slice(part);
            self.store(slot, next);
        }
        let header_length = header.len() as u16;
        self.set_status(Status { header_length, words, ..status });
        self.store(MODEL_HASH, model_hash.0);
        home::clear(self);
        self.log(ModelBegun::SIGNATURE_HASH, &[model_hash.0], &word(words.into()));
        Ok(())
    }

    /// See `IClassifier.uploadChunk`.
    pub fn upload(&self, index: u32, words: &[u8]) -> Result<(), Error> {
        let status = self.uploading()?;
        let chunks = status.chunks();
        if index >= chunks {
            return Err(out_of_range(index, chunks));
        }
        home::upload(self, &status, index, words)
    }

    /// The chunks still to be uploaded.
    pub fn missing(&self) -> Vec<u32> {
        home::missing(self, &self.status())
    }

    /// See `IClassifier.finalizeModel`.
    pub fn finalize(&self) -> Result<(), Error> {
        let status = self.uploading()?;
        let missing = home::missing(self, &status).len();
        if missing > 0 {
            return Err(chunks_missing(missing));
        }
        let header = self.0.native_keccak256(&self.header_bytes(&status));
        let hashes = [header.to_vec(), home::chunk_hashes(self, &status)].concat();
        let (got, expected) = (self.0.native_keccak256(&hashes), self.model_hash());
        if got != expected {
            return Err(hash_mismatch(&got, &expected));
        }
        home::finalize(self);
        self.set_state(READY);
        self.log(ModelFinalized::SIGNATURE_HASH, &[expected.0], &[]);
        Ok(())
    }

    /// See `IClassifier.freezeModel`.
    pub fn freeze(&self) -> Result<(), Error> {
        self.changeable()?;
        let state = self.state();
        if state != READY {
            return Err(not_ready(state));
        }
        self.set_state(FROZEN);
        self.log(ModelFrozen::SIGNATURE_HASH, &[self.model_hash().0], &[]);
        Ok(())
    }

    /// See `IClassifier.modelInfo`.
    pub fn info(&self) -> (Bytes, B256, u32, u8) {
        let status = self.status();
        (self.header_bytes(&status).into(), self.model_hash(), status.words, self.state())
    }

    /// The bytes of the header; none before the first upload.
    pub fn header_bytes(&self, status: &Status) -> Vec<u8> {
        let length = status.header_length as usize;
        let mut bytes = self.load(STATE)[1..].to_vec();
        let mut slot = HEADER;
        while bytes.len() < length {
            bytes.extend_from_slice(&self.load(slot));
            slot += 1;
        }
        bytes.truncate(length);
        bytes
    }

    fn set_state(&self, state: u8) {
        let mut word = self.load(STATE);
        word[0] = state;
        self.store(STATE, word);
    }

    /// The status, if the caller is the owner and the model not frozen.
    fn changeable(&self) -> Result<Status, Error> {
        let status = self.owned()?;
        if self.state() == FROZEN {
            return Err(is_frozen());
        }
        Ok(status)
    }

    /// The status, if the caller is the owner and an upload is under way.
    fn uploading(&self) -> Result<Status, Error> {
        let status = self.changeable()?;
        let state = self.state();
        if state != UPLOADING {
            return Err(not_uploading(state));
        }
        Ok(status)
    }

    fn model_hash(&self) -> B256 {
        self.load(MODEL_HASH).into()
    }
}
