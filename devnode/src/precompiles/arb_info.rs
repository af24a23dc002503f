//! `ArbInfo` at `0x65`: balance and code of any account.

use super::{Call, Failure, Purity};
use crate::arbos;
use alloy::{sol, sol_types::SolCall};

sol! {
    /// `ArbInfo`.
    interface IArbInfo {
        /// Balance in wei.
        function getBalance(address account) external view returns (uint256);
        /// Code.
        function getCode(address account) external view returns (bytes memory);
    }
}

pub(crate) fn call(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    match call.selector()? {
        IArbInfo::getBalanceCall::SELECTOR => {
            let args = call.args::<IArbInfo::getBalanceCall>(Purity::View)?;
            call.burner.burn(700)?; // BALANCE as of EIP-1884
            let balance = arbos::load(call.ctx, args.account).info.balance;
            Ok(IArbInfo::getBalanceCall::abi_encode_returns(&balance))
        }
        IArbInfo::getCodeCall::SELECTOR => {
            let args = call.args::<IArbInfo::getCodeCall>(Purity::View)?;
            call.burner.burn(2_100)?;
            let code = arbos::load(call.ctx, args.account).info.code.clone().unwrap_or_default();
            call.burner.burn(3 * (code.len() as u64).div_ceil(32))?;
            Ok(IArbInfo::getCodeCall::abi_encode_returns(&code.original_bytes()))
        }
        _ => Err(Failure::BadCall),
    }
}
