//! What a Stylus program asks of the chain it runs on.
//!
//! The VM (this module's siblings) knows WASM, ink and memory; the chain (`crate::chain`) knows accounts, storage
//! and calls. [`StylusHost`] is the whole of what the first asks of the second. Its methods mirror the requests that
//! Nitro's Stylus runtime sends to its Go side (`EvmApi` in Nitro's `crates/arbutil/src/evm/api.rs`, answered by
//! `arbos/programs/api.go`), in gas, never in ink.

use super::record::HostioRecord;
use alloy_primitives::{Address, B256, Bytes, U256};

/// How a state-changing request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostStatus {
    /// Done.
    Success,
    /// Refused, or the callee reverted; the program goes on where the hostio allows it.
    Failure,
    /// The gas left does not pay for it: the program ends out of gas.
    OutOfGas,
    /// Not allowed inside a static call.
    WriteProtection,
}

/// The kind of call a program makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallKind {
    /// `CALL`, with value in wei.
    Call(U256),
    /// `DELEGATECALL`.
    Delegate,
    /// `STATICCALL`.
    Static,
}

/// What a call of another contract gave.
#[derive(Clone, Debug)]
pub struct CallResult {
    /// Whether the callee returned normally.
    pub success: bool,
    /// Return or revert data.
    pub output: Bytes,
    /// Gas to charge the caller: access, value, new account, and what the callee used.
    pub gas_cost: u64,
}

/// What a contract creation gave.
#[derive(Clone, Debug)]
pub struct CreateResult {
    /// The new contract; `None` where the creation failed or reverted.
    pub address: Option<Address>,
    /// Revert data of a reverted creation; empty otherwise.
    pub output: Bytes,
    /// Gas to charge the creator.
    pub gas_cost: u64,
}

/// A hostio was asked for something that ends the whole program (a violated precondition, not a refusal).
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub String);

/// The chain, as seen by one running Stylus program. All costs are in gas.
pub trait StylusHost {
    /// `SLOAD` of the program's storage: the value and the cold or warm access cost.
    fn storage_load(&mut self, key: B256) -> (B256, u64);

    /// Writes dirty slots in the order given, charging each as `SSTORE` does (EIP-2200 and EIP-2929), refunds
    /// recorded. Returns the gas used so far and how it ended; nothing after the slot that fails is written.
    fn storage_store(&mut self, slots: &[(B256, B256)], gas_left: u64) -> (u64, HostStatus);

    /// `TLOAD`; its price is a constant that the VM charges.
    fn transient_load(&mut self, key: B256) -> B256;

    /// `TSTORE`; its price is a constant that the VM charges.
    fn transient_store(&mut self, key: B256, value: B256) -> HostStatus;

    /// Calls another contract. `gas_left` is what the program has, `gas_requested` what it offers;
    /// the 63/64 rule, the stipend and access costs are the host's business (`arbos/programs/api.go`, `doCall`).
    fn call(
        &mut self,
        kind: CallKind,
        to: Address,
        input: &[u8],
        gas_left: u64,
        gas_requested: u64,
    ) -> CallResult;

    /// `CREATE`, or `CREATE2` where a salt is given.
    fn create(
        &mut self,
        init_code: &[u8],
        endowment: U256,
        salt: Option<B256>,
        gas_left: u64,
    ) -> Result<CreateResult, HostError>;

    /// `LOG0` to `LOG4`; the price is the VM's. Fails in a static call.
    fn emit_log(&mut self, topics: &[B256], data: &[u8]) -> Result<(), HostError>;

    /// `BALANCE`: wei and the access cost.
    fn account_balance(&mut self, address: Address) -> (U256, u64);

    /// Code of an account and the cost of reading it (`EXTCODECOPY`'s access plus Nitro's charge for the largest
    /// code there is). Where `gas_left` does not pay, the code is empty and the cost is still returned.
    fn account_code(&mut self, address: Address, gas_left: u64) -> (Bytes, u64);

    /// `EXTCODEHASH` and the access cost. An account that does not exist has hash zero.
    fn account_code_hash(&mut self, address: Address) -> (B256, u64);

    /// Opens `pages` more WASM pages in this transaction and returns their cost (`arbos/programs/memory.go`).
    fn add_pages(&mut self, pages: u16) -> u64;

    /// Whether a tracer wants to know of each hostio.
    fn is_traced(&self) -> bool {
        false
    }

    /// Tells the tracer of a hostio.
    fn record(&mut self, _record: HostioRecord) {}
}
