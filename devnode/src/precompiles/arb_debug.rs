//! `ArbDebug` at `0xff`: what a development chain offers for tests of the tools around it.
//!
//! Where [`ChainConfig::debug`](crate::ChainConfig::debug) is off, calling it takes all gas, as on a live chain
//! (`precompiles/ArbDebug.go`, `debugOnly` in `precompiles/wrapper.go`).

use super::{Call, Failure, Purity, solidity};
use crate::arbos::{self, address_set::CHAIN_OWNERS};
use alloy::{sol, sol_types::SolCall};
use alloy_primitives::B256;
use revm::{
    bytecode::Bytecode,
    context::{ContextTr, JournalTr},
};

sol! {
    /// `ArbDebug`.
    interface IArbDebug {
        /// Makes the caller a chain owner.
        function becomeChainOwner() external;
        /// Puts code at an address.
        function overwriteContractCode(address target, bytes calldata newCode) external returns (bytes memory oldCode);
        /// Emits two events and returns the caller and what it paid.
        function events(bool flag, bytes32 value) external payable returns (address, uint256);
        /// Tries to emit events, which a view may not.
        function eventsView() external view;
        /// Reverts with [`Custom`](IArbDebug::Custom).
        function customRevert(uint64 number) external pure;
        /// Makes a Nitro node panic; here, the call takes all gas.
        function panic() external;
        /// Reverts without data.
        function legacyError() external pure;

        /// An indexed value and another.
        event Basic(bool flag, bytes32 indexed value);
        /// Indexed values between others.
        event Mixed(bool indexed flag, bool not, bytes32 indexed value, address conn, address indexed caller);

        /// An error with several fields.
        error Custom(uint64, string, bool);
    }
}
use IArbDebug as I;

/// The text in [`I::Custom`].
const SPIDER: &str = r"This spider family wards off bugs: /\oo/\ //\(oo)//\ /\oo/\";

pub(crate) fn call(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    if !call.ctx.chain().debug {
        return Err(Failure::Halt("debug precompiles are disabled".into()));
    }
    match call.selector()? {
        I::becomeChainOwnerCall::SELECTOR => {
            call.enter(Purity::Write)?;
            CHAIN_OWNERS.add(call.ctx, &mut call.burner, call.caller)?;
            Ok(Vec::new())
        }
        I::overwriteContractCodeCall::SELECTOR => {
            let args = call.args::<I::overwriteContractCodeCall>(Purity::Write)?;
            let old = arbos::load(call.ctx, args.target).info.code.clone().unwrap_or_default();
            call.ctx.journal_mut().set_code(args.target, Bytecode::new_legacy(args.newCode));
            Ok(I::overwriteContractCodeCall::abi_encode_returns(&old.original_bytes()))
        }
        I::eventsCall::SELECTOR => {
            let args = call.args::<I::eventsCall>(Purity::Payable)?;
            events(call, args.flag, args.value)?;
            let returned = I::eventsReturn { _0: call.caller, _1: call.value };
            Ok(I::eventsCall::abi_encode_returns(&returned))
        }
        I::eventsViewCall::SELECTOR => {
            call.enter(Purity::View)?;
            events(call, true, B256::ZERO)?;
            Ok(Vec::new())
        }
        I::customRevertCall::SELECTOR => {
            let args = call.args::<I::customRevertCall>(Purity::Pure)?;
            Err(solidity(I::Custom { _0: args.number, _1: SPIDER.into(), _2: true }))
        }
        I::panicCall::SELECTOR => {
            call.enter(Purity::Write)?;
            Err(Failure::Halt("called ArbDebug's debug-only Panic method".into()))
        }
        I::legacyErrorCall::SELECTOR => {
            call.enter(Purity::Pure)?;
            Err(Failure::Other)
        }
        _ => Err(Failure::BadCall),
    }
}

fn events(call: &mut Call<'_, '_>, flag: bool, value: B256) -> Result<(), Failure> {
    call.emit(I::Basic { flag: !flag, value })?;
    let (conn, caller) = (call.address, call.caller);
    call.emit(I::Mixed { flag, not: !flag, value, conn, caller })
}
