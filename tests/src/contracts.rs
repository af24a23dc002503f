//! What the contracts under test take, beyond what the format allows: see `docs/format.md`.
//!
//! [`Contract::UPLOADED`] is the list that tests go through; programs with a model baked in take none.

use crate::served::root;
use inkling::{
    artifacts::{Contract, Home},
    models::Model,
};
use inkling_network::{Header, Layer, Stored, Weights, pack::MAX_WORDS};

/// The most bytes that the code of an account may have (EIP-170).
pub const MAX_CODE: usize = 24_576;

/// The shipped models that a program was built with, by the names of the files.
///
/// # Panics
/// Where there is none.
pub fn baked_models() -> Vec<Model> {
    let folder = root().join("contract/artifacts/baked");
    let files = std::fs::read_dir(&folder);
    let files = files.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let files = files.map(|file| file.expect("the folder can be read").path());
    let programs = files.filter(|file| file.extension().is_some_and(|ending| ending == "wasm"));
    let mut names: Vec<_> =
        programs.filter_map(|file| Some(file.file_stem()?.to_owned())).collect();
    names.sort();
    assert!(!names.is_empty(), "no program in {}", folder.display());
    let open = |name: &std::ffi::OsString| {
        Model::open(&name.to_string_lossy()).unwrap_or_else(|error| panic!("{error}"))
    };
    names.iter().map(open).collect()
}

/// The contracts that keep words in this home and take every model that fits it.
pub fn general(home: Home) -> impl Iterator<Item = Contract> {
    let takes_all = move |&on: &Contract| on.home() == home && on != Contract::Naive;
    Contract::UPLOADED.into_iter().filter(takes_all)
}

/// The most words that a model with such a header may have.
pub const fn limit(contract: Contract, header_length: usize) -> u32 {
    match contract.home() {
        Home::Code => ((MAX_CODE - 1 - header_length) / 32) as u32,
        _ => MAX_WORDS,
    }
}

/// Where the first record begins that the contract does not take, in bytes of the header: in `Naive`, what is not dense
/// with streamed 8-bit weights.
pub fn untaken(contract: Contract, header: &Header) -> Option<u16> {
    if contract != Contract::Naive {
        return None;
    }
    let mut offset = 4;
    for stage in header.stages() {
        let streamed = |own: Stored| own.streamed && own.weights == Weights::Int8;
        match stage.layer() {
            Layer::Dense(dense) if stage.own().is_some_and(streamed) => {
                // With a multiplier in the header, or without.
                offset += if dense.requantize.multipliers.bits() == 0 { 8 } else { 6 };
            }
            Layer::Logits(_) if stage.own().is_some_and(streamed) => {}
            _ => return Some(offset),
        }
    }
    None
}

/// Whether a contract takes a model with this header.
pub fn takes(contract: Contract, header: &Header) -> bool {
    let words = header.word_count();
    words <= limit(contract, header.to_bytes().len()) && untaken(contract, header).is_none()
}
