//! Recorded calls of Stylus programs, run again and compared to the unit.
//!
//! A vector file names a program and lists calls to it with what each gave on Nitro's own runtime; `tests/vectors`
//! holds some and says what their fields mean. [`replay`] puts the program on a fresh chain of the file's ArbOS version,
//! makes the calls and lists every field that differs. The example `replay` does so with folders of them.

pub use crate::vector::files;

use crate::{
    chain::Chain,
    error::ChainError,
    stylus::{self, Activation, PresetError, StylusParams},
    tx::{TxOutcome, TxRequest, TxStatus},
    vector::{Call, Expect, Vector, wasm},
};
use alloy_primitives::{Address, B256, Bytes, U256, hex};
use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// Why a vector file could not be replayed at all.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// A file or folder cannot be read.
    #[error("{0}: {1}")]
    Read(PathBuf, std::io::Error),
    /// A file is not a vector file.
    #[error("{0}: not a vector file: {1}")]
    Format(PathBuf, serde_json::Error),
    /// A program's text is not WASM.
    #[error("{0}: {1}")]
    Wat(PathBuf, wat::Error),
    /// There is no chain of the file's ArbOS version.
    #[error("{0}: {1}")]
    Version(PathBuf, PresetError),
    /// A program that stands beside the one under test does not activate.
    #[error("{0}: {1}")]
    Activation(PathBuf, ChainError),
    /// A call is in a block that is over, or absurdly far away: its name, its block, the latest block.
    #[error("{0}: {1}: block {2} cannot follow block {3}")]
    Block(PathBuf, String, u64, u64),
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
        if !call.is_empty() {
            write!(f, "{call}: ")?;
        }
        write!(f, "{field}: expected {expected}, got {got}")
    }
}

/// What became of one vector file, or of several.
#[derive(Clone, Debug, Default)]
pub struct Replay {
    /// Number of calls.
    pub calls: usize,
    /// Calls that gave exactly the recorded `gas_used`.
    pub exact_gas: usize,
    /// Calls that gave exactly what was recorded.
    pub exact: usize,
    /// Number of programs with a verdict: to be refused, or to be accepted.
    pub verdicts: usize,
    /// Every difference.
    pub differences: Vec<Difference>,
}

impl Replay {
    /// Adds what became of another file.
    pub fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.exact_gas += other.exact_gas;
        self.exact += other.exact;
        self.verdicts += other.verdicts;
        self.differences.extend(other.differences);
    }
}

/// Replays one vector file.
pub fn replay(path: &Path) -> Result<Replay, ReplayError> {
    let vector = Vector::read(path)?;
    let params = vector.params().map_err(|e| ReplayError::Version(path.into(), e))?;
    let wasm = wasm(&path.with_file_name(&vector.program))?;
    let mut compare = Compare::default();
    compare.optional("wasm_len", &vector.wasm_len, &wasm.len());
    let hash = B256::new(revm::precompile::crypto().sha256(&wasm));
    compare.optional("wasm_sha256", &vector.wasm_sha256, &hash);

    let fresh = || setup(path, &vector, &params, &wasm);
    let (mut chain, activated) = fresh()?;
    if let Some(reject) = vector.reject {
        compare.replay.verdicts += 1;
        compare.field("reject", &reject, &activated.is_err());
    }
    match activated {
        Ok(done) => activation(&vector, &params, &done, &mut compare),
        // Nothing to call; that it was refused is a difference unless it had to be.
        Err(error) => {
            if vector.reject.is_none() {
                compare.field("activation", &"success".to_string(), &error.to_string());
            }
            return Ok(compare.replay);
        }
    }
    if vector.reject == Some(false) {
        near_miss(&chain, &vector, &mut compare);
    }

    // Calls of cached and of uncached programs were recorded on a fresh chain each.
    let mut cached = None;
    for call in &vector.calls {
        if call.cached && cached.is_none() {
            cached = Some(fresh()?.0);
        }
        let chain = cached.as_mut().filter(|_| call.cached).unwrap_or(&mut chain);
        compare.call.clone_from(&call.name);
        compare.replay.calls += 1;
        let before = compare.replay.differences.len();
        move_to_block(chain, path, call)?;
        match make_call(chain, &vector, call) {
            Ok(outcome) => compare.outcome(&call.expect, &outcome),
            Err(error) => {
                compare.field("status", &call.expect.status, &format!("refused: {error}"));
            }
        }
        compare.replay.exact += usize::from(compare.replay.differences.len() == before);
    }
    Ok(compare.replay)
}

/// Where a program without an address of its own is put.
const ELSEWHERE: Address = Address::repeat_byte(0xab);

impl Vector {
    fn address(&self) -> Address {
        self.address.unwrap_or(ELSEWHERE)
    }
}

/// A fresh chain with all programs on it, and what activating the one under test gave.
fn setup(
    path: &Path,
    vector: &Vector,
    params: &StylusParams,
    wasm: &[u8],
) -> Result<(Chain, Result<Activation, ChainError>), ReplayError> {
    let mut chain = Chain::new(vector.config(params.clone()));
    for also in &vector.also {
        let file = path.with_file_name(&also.file);
        let code = match file.extension().is_some_and(|e| e == "code") {
            true => fs::read(&file).map_err(|e| ReplayError::Read(file.clone(), e))?,
            false => stylus::compress(&self::wasm(&file)?),
        };
        let is_program = stylus::is_program(&code);
        chain.set_code(also.address, code.into());
        if is_program {
            chain.activate(also.address).map_err(|e| ReplayError::Activation(file, e))?;
        }
    }
    let address = vector.address();
    chain.set_code(address, stylus::compress(wasm).into());
    for (&slot, &value) in &vector.storage {
        chain.set_storage(address, slot, value);
    }
    let activation = chain.activate(address);
    Ok((chain, activation))
}

fn activation(vector: &Vector, params: &StylusParams, got: &Activation, compare: &mut Compare) {
    compare.optional("wasm_footprint_pages", &vector.wasm_footprint_pages, &got.footprint);
    compare.optional("init_gas", &vector.init_gas, &params.init_gas(got.init_cost));
    let cached = params.cached_init_gas(got.cached_init_cost);
    compare.optional("cached_init_gas", &vector.cached_init_gas, &cached);
    compare.optional("activation_gas", &vector.activation_gas, &got.gas);
}

/// A program that is only just admitted must run. As a call, which is exempt from the gas cap: 128 pages alone cost more.
fn near_miss(chain: &Chain, vector: &Vector, compare: &mut Compare) {
    let call = TxRequest::call(Address::ZERO, vector.address(), Bytes::new());
    let result = chain.call(&TxRequest { gas_limit: 1 << 40, ..call });
    let got = match result {
        Ok(outcome) if outcome.is_success() => "success".into(),
        Ok(outcome) => outcome.error().unwrap_or_default(),
        Err(error) => error.to_string(),
    };
    compare.field("call without calldata", &"success".to_string(), &got);
}

/// Sees that the call's block is the next one; those in between are skipped, at the time of the latest.
fn move_to_block(chain: &mut Chain, path: &Path, call: &Call) -> Result<(), ReplayError> {
    let (block, latest) = (call.block.to::<u64>(), chain.number());
    if block <= latest {
        return Err(ReplayError::Block(path.into(), call.name.clone(), block, latest));
    }
    chain.set_next_time(0);
    chain.skip_to(block);
    chain.set_next_time(call.timestamp.to());
    Ok(())
}

fn make_call(chain: &mut Chain, vector: &Vector, call: &Call) -> Result<TxOutcome, ChainError> {
    let address = vector.address();
    for program in vector.also.iter().map(|also| also.address).chain([address]) {
        if chain.program(program).version > 0 {
            chain.set_cached(program, call.cached)?;
        }
    }
    chain.set_balance(call.from, U256::from(1u128 << 120));
    chain.transact(&TxRequest {
        value: call.value,
        gas_limit: call.gas.to(),
        max_fee: chain.config().basefee.into(),
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

    /// What was not recorded is not compared.
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
        self.field(
            "output",
            &hex::encode_prefixed(&expect.output),
            &hex::encode_prefixed(&got.output),
        );
        self.field("gas_used", &expect.gas_used, &got.gas_used);
        self.replay.exact_gas += usize::from(expect.gas_used == got.gas_used);
        self.optional("intrinsic", &expect.intrinsic, &got.intrinsic());
        self.optional("execution", &expect.execution, &got.trace.gas);
        self.optional("refund", &expect.refund, &got.refund);
        if let Some(cost) = &expect.call_cost {
            let got = got.trace.call_cost.unwrap_or_default();
            self.field("call_cost.pages", &cost.pages, &got.pages);
            self.field("call_cost.init", &cost.init, &got.init);
        }
        if expect.ink.is_some() {
            self.field("ink", &expect.ink, &got.trace.ink);
        }
        self.field("logs", &expect.logs, &got.logs);
    }
}
