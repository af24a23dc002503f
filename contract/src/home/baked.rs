//! Header and words as constants of the program: nothing is read, nothing can be changed.
//!
//! `inkling bake` writes what is included here, 32 bytes of model hash ‖ 1 byte of header length ‖ header ‖ words; the environment
//! variable `INKLING_BAKED` names the file when the program is built (`node build.mjs`).

use inkling_network::Header;
use inkling_network::kernel::WordSource;
use inkling_network::pack::Word;

use crate::errors::*;
use crate::host;
use crate::router;
use crate::store::Status;

const MODEL: &[u8] = include_bytes!(env!("INKLING_BAKED"));
const HEADER_LENGTH: usize = MODEL[32] as usize;
/// Where the words begin.
const START: usize = 33 + HEADER_LENGTH;

/// The model answers and cannot change: see `docs/format.md`.
const FROZEN: u8 = 3;

/// The words of the program.
pub struct Words;

impl WordSource for Words {
    fn read(&mut self, index: u32, to: &mut Word) {
        *to = MODEL[START..].as_chunks().0[index as usize];
    }
}

/// The model.
pub fn open() -> Result<(Header, Words), Refused> {
    let header = Header::parse(&MODEL[33..START]).map_err(bad_header)?;
    Ok((header, Words))
}

// The life cycle ended when the program was built: the owner can change nothing, others may not even try.

/// Inference is always possible.
pub const fn is_ready() -> bool {
    true
}

/// See `IClassifier.beginModel`.
pub fn begin(_header: &[u8], _model_hash: &Word) -> Result<(), Refused> {
    refuse()
}

/// See `IClassifier.uploadChunk`.
pub fn upload(_index: u32, _words: &[u8]) -> Result<(), Refused> {
    refuse()
}

/// No chunk is missing.
pub fn give_missing() {
    host::give(router::array(0).as_flattened());
}

/// See `IClassifier.finalizeModel`.
pub fn finalize() -> Result<(), Refused> {
    refuse()
}

/// See `IClassifier.freezeModel`.
pub fn freeze() -> Result<(), Refused> {
    refuse()
}

/// See `IClassifier.modelInfo`.
pub fn give_info() {
    let (model_hash, words) = (&MODEL.as_chunks().0[0], (MODEL.len() - START) / 32);
    router::give_info(&MODEL[33..START], model_hash, words as u32, FROZEN);
}

fn refuse() -> Result<(), Refused> {
    Status::load().check_owner()?;
    Err(is_frozen())
}
