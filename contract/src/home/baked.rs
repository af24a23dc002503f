//! Header and words as constants of the program: nothing is read, nothing can be changed.
//!
//! `inkling bake` writes what is included here, 32 bytes of model hash ‖ 1 byte of header length ‖ header ‖ words; the environment
//! variable `INKLING_BAKED` names the file when the program is built (`node build.mjs`).

use alloc::vec::Vec;

use alloy_primitives::B256;
use inkling_network::Header;
use inkling_network::kernel::WordSource;
use inkling_network::pack::Word;
use stylus_sdk::abi::Bytes;

use crate::errors::*;
use crate::store::Store;

const MODEL: &[u8] = include_bytes!(env!("INKLING_BAKED"));
const HEADER_LENGTH: usize = MODEL[32] as usize;
/// Where the words begin.
const START: usize = 33 + HEADER_LENGTH;

/// The model answers and cannot change: see `docs/format.md`.
const FROZEN: u8 = 3;

/// The words of the program.
pub struct Words;

impl WordSource for Words {
    fn word(&mut self, index: u32) -> Word {
        MODEL[START..].as_chunks::<32>().0[index as usize]
    }
}

/// The model.
pub fn open(_store: &Store<'_>) -> Result<(Header, Words), Error> {
    let header = Header::parse(&MODEL[33..START]).map_err(bad_header)?;
    Ok((header, Words))
}

/// The life cycle ended when the program was built: the owner can change nothing, others may not even try.
impl Store<'_> {
    /// Inference is always possible.
    pub const fn is_ready(&self) -> bool {
        true
    }

    /// See `IClassifier.beginModel`.
    pub fn begin(&self, _header: &[u8], _model_hash: B256) -> Result<(), Error> {
        self.refuse()
    }

    /// See `IClassifier.uploadChunk`.
    pub fn upload(&self, _index: u32, _words: &[u8]) -> Result<(), Error> {
        self.refuse()
    }

    /// No chunk is missing.
    pub const fn missing(&self) -> Vec<u32> {
        Vec::new()
    }

    /// See `IClassifier.finalizeModel`.
    pub fn finalize(&self) -> Result<(), Error> {
        self.refuse()
    }

    /// See `IClassifier.freezeModel`.
    pub fn freeze(&self) -> Result<(), Error> {
        self.refuse()
    }

    /// See `IClassifier.modelInfo`.
    pub fn info(&self) -> (Bytes, B256, u32, u8) {
        let words = (MODEL.len() - START) / 32;
        let header = MODEL[33..START].to_vec().into();
        (header, B256::from_slice(&MODEL[..32]), words as u32, FROZEN)
    }

    fn refuse(&self) -> Result<(), Error> {
        self.owned()?;
        Err(is_frozen())
    }
}
