//! `ArbSys` at `0x64`: what a contract asks of the chain itself.

use super::{Call, Failure, Purity};
use alloy::{sol, sol_types::SolCall};
use alloy_primitives::U256;
use revm::context::{Block, Cfg, ContextTr};

sol! {
    /// The part of `ArbSys` that exists here.
    interface IArbSys {
        /// Number of the current Arbitrum block.
        function arbBlockNumber() external view returns (uint256);
        /// Chain id.
        function arbChainID() external view returns (uint256);
        /// ArbOS version, plus 55.
        function arbOSVersion() external view returns (uint256);
    }
}

pub(crate) fn call(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    let number = match call.selector()? {
        IArbSys::arbBlockNumberCall::SELECTOR => {
            call.args::<IArbSys::arbBlockNumberCall>(Purity::View)?;
            call.ctx.block().number()
        }
        IArbSys::arbChainIDCall::SELECTOR => {
            call.args::<IArbSys::arbChainIDCall>(Purity::View)?;
            U256::from(call.ctx.cfg().chain_id())
        }
        IArbSys::arbOSVersionCall::SELECTOR => {
            call.args::<IArbSys::arbOSVersionCall>(Purity::View)?;
            U256::from(55 + call.ctx.chain().params.arbos_version)
        }
        _ => return Err(Failure::BadCall),
    };
    Ok(number.to_be_bytes_vec())
}
