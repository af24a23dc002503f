//! `ArbInfo` at `0x65`: balance and code of any account.

use super::{Call, Failure, Purity};
use alloy::{sol, sol_types::SolCall};
use revm::context::{ContextTr, JournalTr};

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
            let Ok(account) = call.ctx.journal_mut().load_account(args.account);
            Ok(IArbInfo::getBalanceCall::abi_encode_returns(&account.info.balance))
        }
        IArbInfo::getCodeCall::SELECTOR => {
            let args = call.args::<IArbInfo::getCodeCall>(Purity::View)?;
            call.burner.burn(2_100)?;
            let Ok(code) = call.ctx.journal_mut().code(args.account);
            call.burner.burn(3 * (code.data.len() as u64).div_ceil(32))?;
            Ok(IArbInfo::getCodeCall::abi_encode_returns(&code.data))
        }
        _ => Err(Failure::BadCall),
    }
}
