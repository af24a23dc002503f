//! The course of a transaction, where Arbitrum's differs from Ethereum's.
//!
//! * From ArbOS 50 code gets at most 32,000,000 gas less the intrinsic gas; what the limit has above that is held and
//!   given back (`GasChargingHook` in Nitro's `arbos/tx_processor.go`).
//! * The base fee is not burnt but credited to the network's account. There are no tips: see [`crate::chain`].

use crate::evm::{ArbEvm, EvmFault};
use alloy_primitives::U256;
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

    fn tx_gas(&self, evm: &mut Self::Evm, intrinsic: &InitialAndFloorGas) -> GasTracker {
        let limit = evm.ctx_ref().tx().gas_limit();
        let left = limit - intrinsic.initial_total_gas();
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
        evm.ctx_mut().chain_mut().trace.gas = gas.remaining();
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

    fn reward_beneficiary(
        &self,
        evm: &mut Self::Evm,
        result: &mut FrameResult,
    ) -> Result<(), Self::Error> {
        let ctx = evm.ctx_mut();
        if ctx.cfg.disable_fee_charge {
            return Ok(());
        }
        let price = ctx.tx().effective_gas_price(ctx.block().basefee().into());
        let fee = U256::from(price) * U256::from(result.gas().used());
        let account = ctx.chain().fee_account;
        ctx.journal_mut().load_account_mut(account).map_err(EvmFault::from)?.incr_balance(fee);
        Ok(())
    }
}
