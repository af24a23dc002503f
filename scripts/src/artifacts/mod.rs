//! The built programs, part of this binary, so that everybody measures the same bytes.
//!
//! `make contract` builds them from source. A Stylus program is checked against the SHA-256 in its description when it
//! is asked for. Programs with a model baked in are the exception: there is one for each model, read from
//! `contract/artifacts/baked` when it is asked for, as the model itself is from `models`.

mod contract;
mod program;

pub use contract::{Contract, Home};
pub use program::{Program, SolidityProgram, StylusBuild, StylusProgram, stylus_constructor};

use std::path::{Path, PathBuf};

/// Folder of the programs with a model baked in.
const BAKED_DIR: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../contract/artifacts/baked");

/// The most bytes of an account's code (EIP-170).
const MAX_CODE: usize = 24_576;

/// A file of the Stylus contract's artifacts.
macro_rules! stylus_file {
    ($include:ident, $name:literal) => {
        $include!(concat!("../../../contract/artifacts/", $name))
    };
}

/// The description of a compiled Solidity contract.
macro_rules! solidity_json {
    ($name:literal) => {
        include_str!(concat!("../../../contracts-solidity-baseline/artifacts/", $name, ".json"))
    };
}

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
        "the {contract} program has sha256 {got}, its description says {expected}: `make contract` builds both"
    )]
    Checksum {
        /// The contract.
        contract: Contract,
        /// SHA-256 of the program.
        got: String,
        /// What the description says.
        expected: String,
    },
    /// No program was built with this model in it.
    #[error(
        "no program with {model} baked in ({}: {source}): `inkling bake --model {model}`, then `node contract/build.mjs`",
        path.display()
    )]
    NotBaked {
        /// The model.
        model: String,
        /// The file that is not there.
        path: PathBuf,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// The program does not fit into an account.
    #[error("the {contract} program has {got} bytes, an account holds at most {MAX_CODE}")]
    TooLarge {
        /// The contract.
        contract: Contract,
        /// Bytes of its code.
        got: usize,
    },
}

/// The program of a contract; a baked one is that of the model of this name.
///
/// # Errors
/// [`Error`].
pub fn program(contract: Contract, model: &str) -> Result<Program, Error> {
    Ok(match contract {
        Contract::Stylus => Program::Stylus(stylus()?),
        Contract::StylusCode => Program::Stylus(stylus_code()?),
        Contract::StylusBaked => Program::Stylus(baked(model)?),
        _ => Program::Solidity(solidity(contract)?.expect("the others are Solidity")),
    })
}

/// The Stylus program whose weights lie in storage.
///
/// # Errors
/// [`Error`] where this binary was built from damaged files.
pub fn stylus() -> Result<StylusProgram, Error> {
    let wasm = stylus_file!(include_bytes, "inkling_contract.wasm");
    StylusProgram::new(Contract::Stylus, wasm, stylus_file!(include_str, "inkling_contract.json"))
}

/// The Stylus program whose weights lie in the code of a data account.
///
/// # Errors
/// As [`stylus`].
pub fn stylus_code() -> Result<StylusProgram, Error> {
    let wasm = stylus_file!(include_bytes, "inkling_contract_code.wasm");
    let description = stylus_file!(include_str, "inkling_contract_code.json");
    StylusProgram::new(Contract::StylusCode, wasm, description)
}

/// [`stylus`] with marks at the boundaries between the parts of an inference, for [`crate::profile`].
///
/// # Errors
/// As [`stylus`].
pub fn stylus_profile() -> Result<StylusProgram, Error> {
    let wasm = stylus_file!(include_bytes, "inkling_contract_profile.wasm");
    let description = stylus_file!(include_str, "inkling_contract_profile.json");
    StylusProgram::new(Contract::Stylus, wasm, description)
}

/// The Stylus program with the model of this name in it.
///
/// # Errors
/// [`Error::NotBaked`] where there is none, [`Error::TooLarge`] where the model is too large for it; others of [`Error`] where it is damaged.
pub fn baked(model: &str) -> Result<StylusProgram, Error> {
    let read = |extension: &str| {
        let path = Path::new(BAKED_DIR).join(format!("{model}.{extension}"));
        std::fs::read(&path).map_err(|source| Error::NotBaked { model: model.into(), path, source })
    };
    let description = read("json")?;
    StylusProgram::new(
        Contract::StylusBaked,
        &read("wasm")?,
        &String::from_utf8_lossy(&description),
    )
}

/// A compiled Solidity contract; `None` of a Stylus one.
///
/// # Errors
/// [`Error`] where this binary was built from damaged files.
pub fn solidity(contract: Contract) -> Result<Option<SolidityProgram>, Error> {
    let json = match contract {
        Contract::Stylus | Contract::StylusCode | Contract::StylusBaked => return Ok(None),
        Contract::Yul => solidity_json!("Yul"),
        Contract::YulCode => solidity_json!("YulCode"),
        Contract::Packed => solidity_json!("Packed"),
        Contract::Naive => solidity_json!("Naive"),
    };
    let program =
        serde_json::from_str(json).map_err(|source| Error::Description { contract, source })?;
    Ok(Some(program))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_artifacts_are_whole() {
        for program in [stylus(), stylus_code(), stylus_profile()] {
            assert!(program.unwrap().code.len() < 24_576);
        }
        for contract in Contract::ALL {
            let Some(program) = solidity(contract).unwrap() else {
                assert!(contract.is_stylus());
                continue;
            };
            assert!(program.compiler.starts_with("solc 0.8."));
            assert!(program.bytecode.len() > 1_000);
        }
    }

    #[test]
    fn a_model_that_nobody_baked_is_named() {
        let error = baked("no-such-model").unwrap_err();
        assert!(matches!(error, Error::NotBaked { .. }));
        assert!(error.to_string().contains("inkling bake --model no-such-model"));
    }
}
