//! The form of a vector file: what it says of a program, of the chain and of calls.
//!
//! `tests/vectors/README.md` explains each field; here is only how it is written. Numbers may be JSON numbers or strings,
//! decimal or hexadecimal. What a file may leave out is an [`Option`] or has a default; everything else it must have.

use crate::{
    config::ChainConfig,
    replay::ReplayError,
    stylus::{PresetError, StylusParams},
};
use alloy_primitives::{Address, B256, Bytes, Log, U64, U256};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// A vector file.
#[derive(Deserialize)]
pub(crate) struct Vector {
    pub(crate) program: String,
    pub(crate) reject: Option<bool>,
    #[serde(default = "arbos_51")]
    arbos: U64,
    pub(crate) address: Option<Address>,
    pub(crate) wasm_len: Option<usize>,
    pub(crate) wasm_sha256: Option<B256>,
    pub(crate) wasm_footprint_pages: Option<u16>,
    pub(crate) init_gas: Option<u64>,
    pub(crate) cached_init_gas: Option<u64>,
    pub(crate) activation_gas: Option<u64>,
    #[serde(default)]
    pub(crate) also: Vec<Also>,
    #[serde(default)]
    pub(crate) storage: BTreeMap<U256, U256>,
    #[serde(default)]
    env: Env,
    #[serde(default)]
    pub(crate) calls: Vec<Call>,
}

fn arbos_51() -> U64 {
    U64::from(51)
}

/// Another program that the calls need.
#[derive(Deserialize)]
pub(crate) struct Also {
    pub(crate) file: String,
    pub(crate) address: Address,
}

#[derive(Deserialize, Default)]
struct Env {
    chain_id: Option<U64>,
    basefee: Option<U64>,
    coinbase: Option<Address>,
    block_gas_limit: Option<U64>,
}

/// A transaction.
#[derive(Deserialize)]
pub(crate) struct Call {
    pub(crate) name: String,
    pub(crate) from: Address,
    pub(crate) to: Option<Address>,
    #[serde(default)]
    pub(crate) value: U256,
    pub(crate) gas: U64,
    pub(crate) data: Bytes,
    #[serde(default)]
    pub(crate) cached: bool,
    pub(crate) block: U64,
    pub(crate) timestamp: U64,
    pub(crate) expect: Expect,
}

/// What came of a transaction when it was recorded.
#[derive(Deserialize)]
pub(crate) struct Expect {
    pub(crate) status: String,
    pub(crate) halt: Option<String>,
    #[serde(default)]
    pub(crate) output: Bytes,
    pub(crate) gas_used: u64,
    pub(crate) intrinsic: Option<u64>,
    pub(crate) execution: Option<u64>,
    pub(crate) refund: Option<u64>,
    pub(crate) call_cost: Option<Cost>,
    pub(crate) ink: Option<u64>,
    #[serde(default)]
    pub(crate) logs: Vec<Log>,
}

/// Price of starting the first program.
#[derive(Deserialize)]
pub(crate) struct Cost {
    pub(crate) pages: u64,
    pub(crate) init: u64,
}

impl Vector {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, ReplayError> {
        let text = fs::read(path).map_err(|e| ReplayError::Read(path.into(), e))?;
        serde_json::from_slice(&text).map_err(|e| ReplayError::Format(path.into(), e))
    }

    /// Parameters of the chain.
    pub(crate) fn params(&self) -> Result<StylusParams, PresetError> {
        StylusParams::of_version(self.arbos.to())
    }

    /// The chain that the calls are made on: its genesis lies so that the first call's block has its time.
    pub(crate) fn config(&self, stylus: StylusParams) -> ChainConfig {
        let default = ChainConfig::default();
        let number = |given: Option<U64>, other| given.map_or(other, |given| given.to());
        let first = self.calls.first();
        let genesis_time = first.map(|call| call.timestamp.saturating_sub(call.block));
        ChainConfig {
            chain_id: number(self.env.chain_id, default.chain_id),
            basefee: number(self.env.basefee, 0),
            coinbase: self.env.coinbase.unwrap_or_default(),
            block_gas_limit: number(self.env.block_gas_limit, default.block_gas_limit),
            genesis_time: number(genesis_time, default.genesis_time),
            stylus,
            ..default
        }
    }
}

/// WASM of a program, from its text or its bytes.
pub(crate) fn wasm(path: &Path) -> Result<Vec<u8>, ReplayError> {
    let text = fs::read(path).map_err(|e| ReplayError::Read(path.into(), e))?;
    let wasm = wat::parse_bytes(&text).map_err(|e| ReplayError::Wat(path.into(), e))?;
    Ok(wasm.into_owned())
}

/// All vector files of a folder and the folders in it, sorted; a file stands for itself.
pub fn files(path: &Path) -> Result<Vec<PathBuf>, ReplayError> {
    let failed = |e| ReplayError::Read(path.into(), e);
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        // a link to a folder could lead in circles
        if entry.file_type().map_err(failed)?.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
