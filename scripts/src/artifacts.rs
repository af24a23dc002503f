//! The built programs, part of this binary, so that everybody measures the same bytes.
//!
//! `make contract` builds them from source. The Stylus program is checked against the SHA-256 in its description when
//! it is asked for.

use crate::abi::stylus_constructorCall;
use alloy::{
    primitives::{Address, Bytes, hex},
    sol_types::{SolCall, SolValue},
};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

const STYLUS_WASM: &[u8] = include_bytes!("../../contract/artifacts/inkling_contract.wasm");
const STYLUS_JSON: &str = include_str!("../../contract/artifacts/inkling_contract.json");
const PACKED_JSON: &str = include_str!("../../contracts-solidity-baseline/artifacts/Packed.json");
const NAIVE_JSON: &str = include_str!("../../contracts-solidity-baseline/artifacts/Naive.json");

/// Why a built program cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The description does not parse.
    #[error("the description of the {contract} artifact is damaged: {source}")]
    Description {
        /// The contract.
        contract: Contract,
        /// Why.
        source: serde_json::Error,
    },
    /// The program is not the one described.
    #[error(
        "the Stylus program has sha256 {got}, its description says {expected}: `make contract` builds both"
    )]
    Checksum {
        /// SHA-256 of the program.
        got: String,
        /// What the description says.
        expected: String,
    },
}

/// A contract that classifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contract {
    /// The Stylus contract, weights in storage.
    Stylus,
    /// Solidity over the same packed words.
    Packed,
    /// Solidity, one weight a mapping entry, as the original project stores them.
    Naive,
}

impl Contract {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Stylus, Self::Packed, Self::Naive];

    /// Whether it is a Stylus program, to be activated before use.
    pub fn is_stylus(self) -> bool {
        self == Self::Stylus
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stylus => "Stylus",
            Self::Packed => "Packed",
            Self::Naive => "Naive",
        })
    }
}

/// How the Stylus program was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StylusBuild {
    /// SHA-256 of the program in hex.
    pub sha256: String,
    /// Its bytes.
    pub bytes: usize,
    /// Bytes of its contract code: four, and the brotli-compressed WASM.
    pub compressed_bytes: usize,
    /// The compiler.
    pub rustc: String,
    /// The version of wasm-opt.
    pub wasm_opt: String,
}

/// A Stylus program, checked.
#[derive(Clone, Debug)]
pub struct StylusProgram {
    /// The contract's code: `ef f0 00`, a dictionary byte and the compressed WASM.
    pub code: Vec<u8>,
    /// How it was built.
    pub build: StylusBuild,
}

impl StylusProgram {
    /// Checks `wasm` against its description and compresses it.
    ///
    /// # Errors
    /// [`Error`] where the description does not parse or speaks of another program.
    pub fn new(wasm: &[u8], description: &str) -> Result<Self, Error> {
        let contract = Contract::Stylus;
        let mut build: StylusBuild = serde_json::from_str(description)
            .map_err(|source| Error::Description { contract, source })?;
        let got = hex_digest(wasm);
        if got != build.sha256 {
            return Err(Error::Checksum { got, expected: build.sha256 });
        }
        let code = inkling_devnode::stylus::compress(wasm);
        // Brotli's encoders differ by some bytes: what counts is what is deployed.
        build.compressed_bytes = code.len();
        Ok(Self { code, build })
    }

    /// Init code that returns the contract's code.
    pub fn init_code(&self) -> Bytes {
        // PUSH3 length, DUP1, PUSH1 13, PUSH1 0, CODECOPY, PUSH1 0, RETURN: 13 bytes, then the code.
        let [_, length @ ..] = (self.code.len() as u32).to_be_bytes();
        let mut init = vec![0x62];
        init.extend(length);
        init.extend([0x80, 0x60, 13, 0x60, 0, 0x39, 0x60, 0, 0xf3]);
        init.extend(&self.code);
        init.into()
    }
}

/// The Stylus program of this binary.
///
/// # Errors
/// [`Error`] where it was built from damaged files.
pub fn stylus() -> Result<StylusProgram, Error> {
    StylusProgram::new(STYLUS_WASM, STYLUS_JSON)
}

/// SHA-256 in hex of a contract's program: of the WASM, or of the init code without the constructor's argument.
///
/// # Errors
/// [`Error`] where this binary was built from damaged files.
pub fn sha256(contract: Contract) -> Result<String, Error> {
    Ok(match solidity(contract)? {
        Some(program) => hex_digest(&program.bytecode),
        None => hex_digest(STYLUS_WASM),
    })
}

fn hex_digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// Calldata that constructs a Stylus contract.
pub fn stylus_constructor(owner: Address) -> Bytes {
    [&stylus_constructorCall::SELECTOR[..], &owner.abi_encode()].concat().into()
}

/// A compiled Solidity contract.
#[derive(Clone, Debug, Deserialize)]
pub struct SolidityProgram {
    /// The compiler and its version.
    pub compiler: String,
    /// Its settings.
    pub settings: serde_json::Value,
    /// Init code, the constructor's arguments to be appended.
    pub bytecode: Bytes,
}

impl SolidityProgram {
    /// Init code with the constructor's argument.
    pub fn init_code(&self, owner: Address) -> Bytes {
        [&self.bytecode[..], &owner.abi_encode()].concat().into()
    }
}

/// The compiled Solidity contract of this binary; there is none for [`Contract::Stylus`].
///
/// # Errors
/// [`Error`] where it was built from damaged files.
pub fn solidity(contract: Contract) -> Result<Option<SolidityProgram>, Error> {
    let json = match contract {
        Contract::Stylus => return Ok(None),
        Contract::Packed => PACKED_JSON,
        Contract::Naive => NAIVE_JSON,
    };
    let program =
        serde_json::from_str(json).map_err(|source| Error::Description { contract, source })?;
    Ok(Some(program))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    #[test]
    fn the_artifacts_are_whole() {
        let program = stylus().unwrap();
        assert_eq!(program.build.bytes, STYLUS_WASM.len());
        assert!(program.code.len() < 24_576);
        assert!(solidity(Contract::Stylus).unwrap().is_none());
        for contract in [Contract::Packed, Contract::Naive] {
            let program = solidity(contract).unwrap().unwrap();
            assert!(program.compiler.starts_with("solc 0.8."));
            assert!(program.bytecode.len() > 1_000);
        }
    }

    #[test]
    fn a_corrupted_program_is_refused() {
        let mut wasm = STYLUS_WASM.to_vec();
        wasm[100] ^= 1;
        let error = StylusProgram::new(&wasm, STYLUS_JSON).unwrap_err();
        assert!(matches!(error, Error::Checksum { .. }));
        let error = StylusProgram::new(STYLUS_WASM, "{}").unwrap_err();
        assert!(matches!(error, Error::Description { contract: Contract::Stylus, .. }));
    }

    #[test]
    fn init_code_returns_the_code() {
        let build = stylus().unwrap().build;
        let program = StylusProgram { code: vec![0xef, 0xf0, 0, 0, 7], build };
        let init = [0x62, 0, 0, 5, 0x80, 0x60, 13, 0x60, 0, 0x39, 0x60, 0, 0xf3];
        assert_eq!(program.init_code()[..13], init);
        assert_eq!(program.init_code()[13..], [0xef, 0xf0, 0, 0, 7]);
    }

    #[test]
    fn constructor_arguments() {
        let owner = address!("00000000000000000000000000000000000a11ce");
        let data = stylus_constructor(owner);
        assert_eq!((data.len(), &data[..4]), (36, &[0x55, 0x85, 0x25, 0x8d][..]));
        assert_eq!(data[16..], owner[..]);
    }
}
