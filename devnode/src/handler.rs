//! The course of a transaction, where Arbitrum's differs from Ethereum's.
//!
//! * From ArbOS 50 code gets at most 32,000,000 gas less the intrinsic gas; what the limit has above that is held and
//!   given back (`GasChargingHook` in Nitro's `arbos/tx_processor.go`).
//! * Posting the transaction to L1 is charged as gas beside the intrinsic gas and outside that limit ([`crate::l1_pricing`]).
//!   A refund is at most a fifth of the other gas (`calcRefund` in `core/state_transition.go` of Nitro's geth).
//! * The base fee is not burnt but credited to the network's account, or up to the least base fee to the
//!   infrastructure's where there is one; what L1 costs goes to a pool (`EndTxHook`). There are no tips: see [`crate::tx`].

use crate::{
    arbos::{
        storage::{self, Word},
        words,
    },
    evm::{ArbEvm, Ctx},
    l1_pricing::FUNDS_POOL,
};
use alloy_primitives::{Address, U256};
use revm::{
    context::{
        Block, ContextTr, JournalTr, Transaction,
        journaled_state::account::JournaledAccountTr,
        result::{EVMError, HaltReason, InvalidTransaction},
    },
    handler::{EthFrame, EvmTr, FrameResult, Handler, MainnetHandler},
    interpreter::{
        GasTracker, InitialAndFloorGas, interpreter::EthInterpreter, interpreter_action::FrameInit,
    },
};
use std::convert::Infallible;

/// Why a transaction is not accepted into a block.
pub type TxError = EVMError<Infallible, InvalidTransaction>;

/// Runs one transaction on an [`ArbEvm`].
#[derive(Default)]
pub struct ArbHandler<'a> {
    mainnet: MainnetHandler<ArbEvm<'a>, TxError, EthFrame<EthInterpreter>>,
}

impl<'a> Handler for ArbHandler<'a> {
    type Evm = ArbEvm<'a>;
    type Error = TxError;
    type HaltReason = HaltReason;

    fn validate_initial_tx_gas(
        &self,
        evm: &mut Self::Evm,
    ) -> Result<InitialAndFloorGas, Self::Error> {
        let intrinsic = self.mainnet.validate_initial_tx_gas(evm)?;
        let ctx = evm.ctx_ref();
        let initial_gas = intrinsic.initial_total_gas().saturating_add(ctx.chain().l1.gas);
        let gas_limit = ctx.tx().gas_limit();
        if gas_limit < initial_gas {
            let refused =
                InvalidTransaction::CallGasCostMoreThanGasLimit { initial_gas, gas_limit };
            return Err(EVMError::Transaction(refused));
        }
        Ok(intrinsic)
    }

    fn tx_gas(&self, evm: &mut Self::Evm, intrinsic: &InitialAndFloorGas) -> GasTracker {
        let limit = evm.ctx_ref().tx().gas_limit();
        let l1_gas = evm.ctx_ref().chain().l1.gas;
        let left = limit - intrinsic.initial_total_gas() - l1_gas;
        let scope = evm.ctx_mut().chain_mut();
        // Before ArbOS 50 the cap was on what code uses, since then it is on the whole transaction.
        let before = match scope.params.arbos_version {
            ..50 => 0,
            _ => intrinsic.initial_total_gas(),
        };
        let allowed = scope.gas_cap.map_or(left, |cap| cap.saturating_sub(before));
        scope.held_gas = left.saturating_sub(allowed);
        GasTracker::new(limit, left.min(allowed), 0)
    }

    fn first_frame_input(
        &mut self,
        evm: &mut Self::Evm,
        gas: &mut GasTracker,
    ) -> Result<Option<FrameInit>, Self::Error> {
        let ctx = evm.ctx_mut();
        ctx.chain_mut().trace.gas = gas.remaining();
        let units = ctx.chain().l1.units;
        if units > 0 {
            add(ctx, words::L1_UNITS_SINCE_UPDATE, U256::from(units));
        }
        self.mainnet.first_frame_input(evm, gas)
    }

    fn last_frame_result(
        &mut self,
        evm: &mut Self::Evm,
        result: &mut FrameResult,
        gas: &mut GasTracker,
    ) -> Result<(), Self::Error> {
        self.mainnet.last_frame_result(evm, result, gas)?;
        let scope = evm.ctx_mut().chain_mut();
        scope.trace.gas -= gas.remaining();
        gas.erase_cost(scope.held_gas);
        *result.gas_mut().tracker_mut() = *gas;
        Ok(())
    }

    fn refund(
        &self,
        evm: &mut Self::Evm,
        result: &mut FrameResult,
        eip7702_refund: i64,
    ) -> Result<(), Self::Error> {
        let l1_gas = evm.ctx_ref().chain().l1.gas;
        let gas = result.gas_mut();
        gas.record_refund(eip7702_refund);
        let most = gas.total_gas_spent().saturating_sub(l1_gas) / 5;
        gas.set_refund(gas.refunded().min(most as i64));
        Ok(())
    }

    fn reward_beneficiary(
        &self,
        evm: &mut Self::Evm,
        result: &mut FrameResult,
    ) -> Result<(), Self::Error> {
        let ctx = evm.ctx_mut();
        if ctx.cfg.disable_fee_charge {
            return Ok(());
        }
        let price = U256::from(ctx.tx().effective_gas_price(ctx.block().basefee().into()));
        let (l1, fees) = (ctx.chain().l1, ctx.chain().fees);
        let gas = U256::from(result.gas().used().saturating_sub(l1.gas));
        let infra = match fees.infra.is_zero() {
            true => U256::ZERO,
            false => gas * price.min(fees.min_base_fee),
        };
        credit(ctx, fees.infra, infra)?;
        credit(ctx, fees.network, gas * price - infra)?;
        credit(ctx, FUNDS_POOL, l1.fee)?;
        if !l1.fee.is_zero() {
            add(ctx, words::L1_FEES_AVAILABLE, l1.fee);
        }
        Ok(())
    }
}

fn credit(ctx: &mut Ctx<'_>, account: Address, wei: U256) -> Result<(), TxError> {
    if !wei.is_zero() {
        let Ok(mut account) = ctx.journal_mut().load_account_mut(account);
        account.incr_balance(wei);
    }
    Ok(())
}

/// Adds to a word of ArbOS state.
fn add(ctx: &mut Ctx<'_>, word: Word, amount: U256) {
    let sum = storage::read(ctx, word.slot()).saturating_add(amount);
    storage::write(ctx, word.slot(), sum);
}
