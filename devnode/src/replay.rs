//! Recorded calls of Stylus programs, run again and compared to the unit.
//!
//! A vector file names a program and lists calls to it with what each gave on Nitro's own runtime; `tests/vectors`
//! holds them and says what their fields mean. [`replay`] puts the program on a fresh chain, makes the calls and
//! lists every field that differs.

use crate::{
    chain::Chain,
    config::ChainConfig,
    error::ChainError,
    stylus::{self, Activation},
    tx::{TxOutcome, TxRequest, TxStatus},
};
use alloy_primitives::{Address, Bytes, Log, U256};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
};

/// Why a vector file could not be replayed at all.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, std::io::Error),
    /// A file is not a vector file.
    #[error("{0}: {1}")]
    Format(PathBuf, serde_json::Error),
    /// A program's text is not WASM.
    #[error("{0}: {1}")]
    Wat(PathBuf, wat::Error),
    /// A program does not activate.
    #[error("{0}: {1}")]
    Activation(PathBuf, ChainError),
    /// A call was not accepted.
    #[error("{0}: {1}: {2}")]
    Call(PathBuf, String, ChainError),
}

/// A field that is not as recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name of the call; empty for the program itself.
    pub call: String,
    /// Name of the field.
    pub field: &'static str,
    /// What was recorded.
    pub expected: String,
    /// What came out.
    pub got: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, field, expected, got } = self;
        write!(f, "{call}: {field}: expected {expected}, got {got}")
    }
}

/// What became of one vector file.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Number of calls.
    pub calls: usize,
    /// Calls that gave exactly the recorded `gas_used`.
    pub exact_gas: usize,
    /// Calls that gave exactly what was recorded.
    pub exact: usize,
    /// Every difference.
    pub differences: Vec<Difference>,
}

#[derive(Deserialize)]
struct Vector {
    program: String,
    #[serde(default)]
    reject: bool,
    address: Option<Address>,
    wasm_len: usize,
    wasm_footprint_pages: Option<u16>,
    init_gas: Option<u64>,
    cached_init_gas: Option<u64>,
    activation_gas: Option<u64>,
    #[serde(default)]
    also: Vec<Also>,
    #[serde(default)]
    storage: BTreeMap<U256, U256>,
    #[serde(default)]
    env: Env,
    #[serde(default)]
    calls: Vec<Call>,
}

#[derive(Deserialize)]
struct Also {
    file: String,
    address: Address,
}

#[derive(Deserialize, Default)]
struct Env {
    #[serde(default)]
    basefee: String,
    coinbase: Option<Address>,
    block_gas_limit: Option<u64>,
}

#[derive(Deserialize)]
struct Call {
    name: String,
    from: Address,
    to: Option<Address>,
    value: String,
    gas: u64,
    data: Bytes,
    cached: bool,
    block: u64,
    timestamp: u64,
    expect: Expect,
}

#[derive(Deserialize)]
struct Expect {
    status: String,
    halt: Option<String>,
    output: Bytes,
    gas_used: u64,
    intrinsic: Option<u64>,
    execution: Option<u64>,
    refund: Option<u64>,
    call_cost: Option<Cost>,
    ink: Option<u64>,
    #[serde(default)]
    logs: Vec<Log>,
}

#[derive(Deserialize)]
struct Cost {
    pages: u64,
    init: u64,
}

/// Replays one vector file.
pub fn replay(path: &Path) -> Result<Replay, ReplayError> {
    let text = fs::read_to_string(path).map_err(|e| ReplayError::Read(path.into(), e))?;
    let vector: Vector =
        serde_json::from_str(&text).map_err(|e| ReplayError::Format(path.into(), e))?;
    let mut compare = Compare::default();
    let program = path.with_file_name(&vector.program);
    let wasm = wasm(&program)?;
    compare.field("wasm_len", &vector.wasm_len, &wasm.len());

    if vector.calls.is_empty() {
        verdict(&vector, &wasm, &mut compare);
        return Ok(compare.replay);
    }

    // Calls of cached and of uncached programs were recorded on a fresh chain each.
    let mut chains = [setup(path, &vector, &wasm)?, setup(path, &vector, &wasm)?];
    activation(&vector, &chains[0].1, &mut compare);
    for call in &vector.calls {
        let chain = &mut chains[usize::from(call.cached)].0;
        compare.call.clone_from(&call.name);
        let outcome = make_call(chain, &vector, call)
            .map_err(|e| ReplayError::Call(path.into(), call.name.clone(), e))?;
        let before = compare.replay.differences.len();
        compare.outcome(&call.expect, &outcome);
        let replay = &mut compare.replay;
        replay.calls += 1;
        replay.exact += usize::from(replay.differences.len() == before);
        replay.exact_gas += usize::from(outcome.gas_used == call.expect.gas_used);
    }
    Ok(compare.replay)
}

fn wasm(path: &Path) -> Result<Vec<u8>, ReplayError> {
    let text = fs::read(path).map_err(|e| ReplayError::Read(path.into(), e))?;
    let wasm = wat::parse_bytes(&text).map_err(|e| ReplayError::Wat(path.into(), e))?;
    Ok(wasm.into_owned())
}

/// Where a program without an address of its own is put.
const ELSEWHERE: Address = Address::repeat_byte(0xab);

/// A program that must not activate, or must just so and then run.
fn verdict(vector: &Vector, wasm: &[u8], compare: &mut Compare) {
    let mut chain = Chain::new(ChainConfig::default());
    chain.set_code(ELSEWHERE, stylus::compress(wasm).into());
    let result = chain.activate(ELSEWHERE);
    compare.field("reject", &vector.reject, &result.is_err());
    let Ok(done) = result else {
        return;
    };
    activation(vector, &done, compare);
    let request =
        TxRequest { gas_limit: 1 << 40, ..TxRequest::call(Address::ZERO, ELSEWHERE, Bytes::new()) };
    let succeeds = chain.call(&request).is_ok_and(|outcome| outcome.is_success());
    compare.field("succeeds", &true, &succeeds);
}

fn activation(vector: &Vector, got: &Activation, compare: &mut Compare) {
    let params = ChainConfig::default().stylus;
    compare.optional("wasm_footprint_pages", &vector.wasm_footprint_pages, &got.footprint);
    compare.optional("init_gas", &vector.init_gas, &params.init_gas(got.init_cost));
    let cached = params.cached_init_gas(got.cached_init_cost);
    compare.optional("cached_init_gas", &vector.cached_init_gas, &cached);
    compare.optional("activation_gas", &vector.activation_gas, &got.gas);
}

fn setup(path: &Path, vector: &Vector, wasm: &[u8]) -> Result<(Chain, Activation), ReplayError> {
    let first_time = vector.calls.first().map_or(2, |call| call.timestamp);
    let mut chain = Chain::new(ChainConfig {
        basefee: vector.env.basefee.parse().unwrap_or(0),
        coinbase: vector.env.coinbase.unwrap_or_default(),
        block_gas_limit: vector.env.block_gas_limit.unwrap_or(1 << 50),
        genesis_time: first_time.saturating_sub(2),
        ..ChainConfig::default()
    });
    for also in &vector.also {
        let file = path.with_file_name(&also.file);
        let code = match file.extension().is_some_and(|e| e == "wat") {
            true => stylus::compress(&self::wasm(&file)?),
            false => fs::read(&file).map_err(|e| ReplayError::Read(file.clone(), e))?,
        };
        chain.set_code(also.address, code.into());
        chain.activate(also.address).map_err(|e| ReplayError::Activation(file, e))?;
    }
    let address = vector.address.unwrap_or(ELSEWHERE);
    chain.set_code(address, stylus::compress(wasm).into());
    for (&slot, &value) in &vector.storage {
        chain.set_storage(address, slot, value);
    }
    let activation =
        chain.activate(address).map_err(|e| ReplayError::Activation(path.into(), e))?;
    Ok((chain, activation))
}

fn make_call(chain: &mut Chain, vector: &Vector, call: &Call) -> Result<TxOutcome, ChainError> {
    let address = vector.address.unwrap_or(ELSEWHERE);
    for program in vector.also.iter().map(|also| also.address).chain([address]) {
        chain.set_cached(program, call.cached)?;
    }
    chain.set_balance(call.from, U256::from(1u128 << 120));
    chain.skip_to(call.block);
    chain.set_next_time(call.timestamp);
    chain.transact(&TxRequest {
        value: call.value.parse().unwrap_or_default(),
        gas_limit: call.gas,
        ..TxRequest::call(call.from, call.to.unwrap_or(address), call.data.clone())
    })
}

/// Collects differences.
#[derive(Default)]
struct Compare {
    call: String,
    replay: Replay,
}

impl Compare {
    fn field<T: PartialEq + fmt::Debug>(&mut self, field: &'static str, expected: &T, got: &T) {
        if expected != got {
            self.replay.differences.push(Difference {
                call: self.call.clone(),
                field,
                expected: format!("{expected:?}"),
                got: format!("{got:?}"),
            });
        }
    }

    fn optional<T: PartialEq + fmt::Debug>(
        &mut self,
        field: &'static str,
        expected: &Option<T>,
        got: &T,
    ) {
        if let Some(expected) = expected {
            self.field(field, expected, got);
        }
    }

    fn outcome(&mut self, expect: &Expect, got: &TxOutcome) {
        let (status, halt) = match &got.status {
            TxStatus::Success => ("success", None),
            TxStatus::Revert => ("revert", None),
            TxStatus::Halt(reason) => ("halt", Some(format!("{reason:?}"))),
        };
        self.field("status", &expect.status.as_str(), &status);
        self.field("halt", &expect.halt, &halt);
        self.field("output", &expect.output, &got.output);
        self.field("gas_used", &expect.gas_used, &got.gas_used);
        self.optional("intrinsic", &expect.intrinsic, &got.intrinsic());
        self.optional("execution", &expect.execution, &got.trace.gas);
        self.optional("refund", &expect.refund, &got.refund);
        if let Some(cost) = &expect.call_cost {
            let got = got.trace.call_cost.unwrap_or_default();
            self.field("call_cost.pages", &cost.pages, &got.pages);
            self.field("call_cost.init", &cost.init, &got.init);
        }
        self.field("ink", &expect.ink, &got.trace.ink);
        self.field("logs", &expect.logs, &got.logs);
    }
}
