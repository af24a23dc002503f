//! The chain's answers to a running Stylus program.
//!
//! Each method is one request of Nitro's `arbos/programs/api.go`, with the costs of `core/vm/operations_acl_arbitrum.go`
//! in its geth: EIP-2929 access, EIP-2200 storage, calls with the 63/64 rule and the stipend. State is revm's journal.

use crate::{
    arbos,
    evm::{ArbEvm, Ctx, access_cost},
    memory::page_cost,
    stylus::{CallKind, CallResult, CreateResult, HostError, HostStatus, HostioRecord, StylusHost},
};
use alloy_primitives::{Address, B256, Bytes, Log, LogData, U256};
use revm::{
    bytecode::Bytecode,
    context::{Cfg, ContextTr, CreateScheme, JournalTr},
    handler::{EvmTr, FrameResult},
    interpreter::{
        CallInput, CallInputs, CallScheme, CallValue, CreateInputs, FrameInput, InstructionResult,
    },
};

/// Stands between one frame's program and the chain.
pub(crate) struct FrameHost<'e, 'a> {
    evm: &'e mut ArbEvm<'a>,
    address: Address,
    caller: Address,
    value: U256,
    is_static: bool,
    refund: i64,
}

impl<'e, 'a> FrameHost<'e, 'a> {
    /// For a program that acts as `address`, called by `caller` with `value`.
    pub(crate) fn new(
        evm: &'e mut ArbEvm<'a>,
        address: Address,
        caller: Address,
        value: U256,
        is_static: bool,
    ) -> Self {
        Self { evm, address, caller, value, is_static, refund: 0 }
    }

    /// Storage refund that the program and its successful calls have earned.
    pub(crate) fn refund(&self) -> i64 {
        self.refund
    }

    fn ctx(&mut self) -> &mut Ctx<'a> {
        self.evm.ctx_mut()
    }

    /// Runs a frame; gives what it returned and the gas it left.
    fn run(&mut self, input: FrameInput) -> (InstructionResult, FrameOutput) {
        let mut result = match self.evm.run_nested(input) {
            Ok(result) => result,
            Err(fault) => {
                // The machine failed, not the code: the transaction is abandoned when this frame ends.
                *self.ctx().error() = Err(fault);
                return (InstructionResult::OutOfGas, FrameOutput::default());
            }
        };
        let status = result.instruction_result();
        let gas = result.gas_mut();
        let mut output = FrameOutput::default();
        if status.is_ok_or_revert() {
            output.gas_left = gas.remaining();
        }
        if status.is_ok() {
            self.refund += gas.refunded();
        }
        match result {
            FrameResult::Call(call) => output.data = call.result.output,
            FrameResult::Create(create) => {
                output.data = create.result.output;
                output.address = create.address.filter(|_| status.is_ok());
            }
        }
        (status, output)
    }

    /// Price of reaching the callee, and its code; `None` where `gas_left` does not pay for it.
    fn reach(
        &mut self,
        to: Address,
        value: U256,
        gas_left: u64,
    ) -> Option<(u64, (B256, Bytecode))> {
        let mut cost = 100;
        if cost > gas_left {
            return None;
        }
        let journal = self.ctx().journal_mut();
        let Ok(account) = journal.load_account_with_code(to);
        cost = access_cost(account.is_cold);
        if !value.is_zero() {
            cost += 9_000;
            if account.is_empty() {
                cost += 25_000;
            }
        }
        if cost > gas_left {
            return None;
        }
        let code = account.info.code.clone().unwrap_or_default();
        let mut known = (account.info.code_hash, code);
        // A delegate's code is read without charge and without warming it (`resolveCode` in `core/vm/evm.go`).
        if let Some(delegate) = known.1.eip7702_address() {
            let account = arbos::load(self.ctx(), delegate);
            known = (account.info.code_hash, account.info.code.clone().unwrap_or_default());
        }
        Some((cost, known))
    }
}

/// What a nested frame left behind.
#[derive(Default)]
struct FrameOutput {
    data: Bytes,
    gas_left: u64,
    address: Option<Address>,
}

impl StylusHost for FrameHost<'_, '_> {
    fn storage_load(&mut self, key: B256) -> (B256, u64) {
        let address = self.address;
        let Ok(load) = self.ctx().journal_mut().sload(address, key.into());
        (load.data.into(), if load.is_cold { 2_100 } else { 100 })
    }

    fn storage_store(&mut self, slots: &[(B256, B256)], gas_left: u64) -> (u64, HostStatus) {
        let address = self.address;
        let mut left = gas_left;
        for &(key, value) in slots {
            if self.is_static {
                return (gas_left - left, HostStatus::WriteProtection);
            }
            let ctx = self.ctx();
            let Ok(store) = ctx.journal_mut().sstore(address, key.into(), value.into());
            let gas = ctx.cfg().gas_params();
            let cost =
                gas.sstore_static_gas() + gas.sstore_dynamic_gas(true, &store.data, store.is_cold);
            let refund = gas.sstore_refund(true, &store.data);
            // A store that is not paid for ends the frame, which undoes it.
            if cost > left {
                return (gas_left, HostStatus::OutOfGas);
            }
            left -= cost;
            self.refund += refund;
        }
        let status = if left == 0 { HostStatus::OutOfGas } else { HostStatus::Success };
        (gas_left - left, status)
    }

    fn transient_load(&mut self, key: B256) -> B256 {
        let address = self.address;
        self.ctx().journal_mut().tload(address, key.into()).into()
    }

    fn transient_store(&mut self, key: B256, value: B256) -> HostStatus {
        if self.is_static {
            return HostStatus::WriteProtection;
        }
        let address = self.address;
        let journal = self.ctx().journal_mut();
        journal.tstore(address, key.into(), value.into());
        HostStatus::Success
    }

    fn call(
        &mut self,
        kind: CallKind,
        to: Address,
        input: &[u8],
        gas_left: u64,
        gas_requested: u64,
    ) -> CallResult {
        let failed = |gas_cost| CallResult { success: false, output: Bytes::new(), gas_cost };
        let value = match kind {
            CallKind::Call(value) => value,
            CallKind::Delegate | CallKind::Static => U256::ZERO,
        };
        if self.is_static && !value.is_zero() {
            return failed(0);
        }
        let Some((base, known_bytecode)) = self.reach(to, value, gas_left) else {
            return failed(gas_left);
        };
        // `gas * 63 / 64` as Nitro has it, without the overflow.
        let left = gas_left - base;
        let mut gas = (left - left.div_ceil(64)).min(gas_requested);
        if !value.is_zero() {
            gas = gas.saturating_add(2_300);
        }

        let (scheme, target, caller, value) = match kind {
            CallKind::Call(_) => {
                let value = CallValue::Transfer(value);
                (CallScheme::Call, to, self.address, value)
            }
            CallKind::Static => {
                let value = CallValue::Transfer(U256::ZERO);
                (CallScheme::StaticCall, to, self.address, value)
            }
            CallKind::Delegate => {
                let value = CallValue::Apparent(self.value);
                (CallScheme::DelegateCall, self.address, self.caller, value)
            }
        };
        let (status, output) = self.run(FrameInput::Call(Box::new(CallInputs {
            input: CallInput::Bytes(Bytes::copy_from_slice(input)),
            return_memory_offset: 0..0,
            gas_limit: gas,
            reservoir: 0,
            bytecode_address: to,
            known_bytecode,
            target_address: target,
            caller,
            value,
            scheme,
            is_static: self.is_static || kind == CallKind::Static,
            charged_new_account_state_gas: false,
        })));
        CallResult {
            success: status.is_ok(),
            output: output.data,
            gas_cost: base.saturating_add(gas.saturating_sub(output.gas_left)),
        }
    }

    fn create(
        &mut self,
        init_code: &[u8],
        endowment: U256,
        salt: Option<B256>,
        gas_left: u64,
    ) -> Result<CreateResult, HostError> {
        if self.is_static {
            return Err(HostError("write protection".into()));
        }
        // Nitro does not charge EIP-3860's two gas a word here.
        let words = (init_code.len() as u64).div_ceil(32);
        let base = 32_000 + salt.map_or(0, |_| 6 * words);
        let Some(left) = gas_left.checked_sub(base) else {
            return Err(HostError("out of gas".into()));
        };
        let kept = left / 64;
        let scheme = match salt {
            Some(salt) => CreateScheme::Create2 { salt: salt.into() },
            None => CreateScheme::Create,
        };
        let (status, output) = self.run(FrameInput::Create(Box::new(CreateInputs::new(
            self.address,
            scheme,
            endowment,
            Bytes::copy_from_slice(init_code),
            left - kept,
            0,
        ))));
        Ok(CreateResult {
            address: output.address,
            output: match status {
                InstructionResult::Revert => output.data,
                _ => Bytes::new(),
            },
            gas_cost: gas_left - (output.gas_left + kept),
        })
    }

    fn emit_log(&mut self, topics: &[B256], data: &[u8]) -> Result<(), HostError> {
        if self.is_static {
            return Err(HostError("write protection".into()));
        }
        let data = LogData::new_unchecked(topics.to_vec(), Bytes::copy_from_slice(data));
        let address = self.address;
        self.ctx().journal_mut().log(Log { address, data });
        Ok(())
    }

    fn account_balance(&mut self, address: Address) -> (U256, u64) {
        let Ok(account) = self.ctx().journal_mut().load_account(address);
        (account.info.balance, access_cost(account.is_cold))
    }

    fn account_code(&mut self, address: Address, gas_left: u64) -> (Bytes, u64) {
        let Ok(account) = self.ctx().journal_mut().load_account_with_code(address);
        let (access, code) = (access_cost(account.is_cold), account.info.code.clone());
        // EXTCODESIZE's 700 for every 24,576 bytes that code may have.
        let cost = u64::from(self.ctx().chain().params.max_code_size / 24_576) * 700 + access;
        let code = match code {
            Some(code) if gas_left >= cost => code.original_bytes(),
            _ => Bytes::new(),
        };
        (code, cost)
    }

    fn account_code_hash(&mut self, address: Address) -> (B256, u64) {
        let Ok(account) = self.ctx().journal_mut().load_account(address);
        let cost = access_cost(account.is_cold);
        if account.is_empty() {
            return (B256::ZERO, cost);
        }
        (account.info.code_hash, cost)
    }

    fn is_traced(&self) -> bool {
        self.evm.ctx_ref().chain().recording.is_some()
    }

    fn record(&mut self, record: HostioRecord) {
        if let Some(recording) = &mut self.ctx().chain_mut().recording {
            recording.hostio(record);
        }
    }

    fn add_pages(&mut self, pages: u16) -> u64 {
        let scope = self.ctx().chain_mut();
        let cost = page_cost(&scope.params, pages, scope.pages_open, scope.pages_ever);
        scope.open_pages(pages);
        cost
    }
}
