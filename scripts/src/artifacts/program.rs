//! A built program: its bytes, how they were built, and the init code that creates a contract of them.

use super::{Contract, Error, MAX_CODE};
use crate::abi::stylus_constructorCall;
use alloy::{
    primitives::{Address, Bytes, hex},
    sol_types::{SolCall, SolValue},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A program for one of the two machines.
#[derive(Clone, Debug)]
pub enum Program {
    /// WASM.
    Stylus(StylusProgram),
    /// EVM code.
    Solidity(SolidityProgram),
}

impl Program {
    /// SHA-256 in hex: of the WASM, or of the init code without the constructor's argument.
    pub fn sha256(&self) -> String {
        match self {
            Self::Stylus(program) => program.build.sha256.clone(),
            Self::Solidity(program) => hex_digest(&program.bytecode),
        }
    }
}

/// How a Stylus program was built.
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
    /// Checks `wasm` against its description and compresses it; `contract` is named in errors.
    ///
    /// # Errors
    /// [`Error`] where the description does not parse or speaks of another program.
    pub fn new(contract: Contract, wasm: &[u8], description: &str) -> Result<Self, Error> {
        let mut build: StylusBuild = serde_json::from_str(description)
            .map_err(|source| Error::Description { contract, source })?;
        let got = hex_digest(wasm);
        if got != build.sha256 {
            return Err(Error::Checksum { contract, got, expected: build.sha256 });
        }
        let code = inkling_devnode::stylus::compress(wasm);
        // Brotli's encoders differ by some bytes: what counts is what is deployed.
        build.compressed_bytes = code.len();
        if code.len() > MAX_CODE {
            return Err(Error::TooLarge { contract, got: code.len() });
        }
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

fn hex_digest(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    #[test]
    fn a_corrupted_program_is_refused() {
        let description = r#"{"sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "bytes": 3, "compressed_bytes": 0, "rustc": "", "wasm_opt": ""}"#;
        let new =
            |wasm: &[u8], description| StylusProgram::new(Contract::Stylus, wasm, description);
        assert_eq!(new(b"abc", description).unwrap().build.bytes, 3);
        assert!(matches!(new(b"abd", description), Err(Error::Checksum { .. })));
        let error = new(b"abc", "{}").unwrap_err();
        assert!(matches!(error, Error::Description { contract: Contract::Stylus, .. }));
    }

    #[test]
    fn a_program_that_no_account_holds_is_refused() {
        // Bytes of a generator, which do not compress.
        let mut state = 1u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        let wasm: Vec<u8> = (0..30_000).map(|_| next()).collect();
        let description = format!(
            r#"{{"sha256": "{}", "bytes": 30000, "compressed_bytes": 0, "rustc": "", "wasm_opt": ""}}"#,
            hex_digest(&wasm)
        );
        let error = StylusProgram::new(Contract::StylusBaked, &wasm, &description).unwrap_err();
        assert!(matches!(error, Error::TooLarge { got: 30_000.., .. }), "{error}");
    }

    #[test]
    fn init_code_returns_the_code() {
        let (bytes, compressed_bytes, text) = (0, 0, String::new);
        let build = StylusBuild {
            sha256: text(),
            bytes,
            compressed_bytes,
            rustc: text(),
            wasm_opt: text(),
        };
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
