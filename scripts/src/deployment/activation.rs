//! What activating a Stylus program costs.

use super::Error;
use crate::{
    abi::{ARB_WASM, IArbWasm},
    artifacts::StylusProgram,
    chain::{self, Connection, Request},
};
use alloy::primitives::{Address, Bytes, U256, address};
use inkling_devnode::tx::intrinsic_gas;

/// A program's code is put here for the time of an `eth_call` that asks its data fee. Nobody's address.
pub(super) const SCRATCH: Address = address!("00000000000000000000000000000000005c2a7c");

/// Wei that such a call brings along: more than any fee.
const FEE_BOUND: u64 = 1_000_000_000_000_000_000;

/// What to send along for a data fee: it may rise before the transaction is there, and what is too much comes back.
pub fn with_margin(fee: U256) -> U256 {
    fee + fee / U256::from(5)
}

/// Wei that activating a program with this contract code costs now; 0 where the same code is active already.
///
/// # Errors
/// [`chain::Error`] where the chain does not accept the program.
pub async fn data_fee(chain: &Connection, code: Bytes) -> Result<U256, chain::Error> {
    let activate = IArbWasm::activateProgramCall { program: SCRATCH };
    let value = U256::from(FEE_BOUND);
    match chain.call_with_code(ARB_WASM, &activate, value, (SCRATCH, code)).await {
        Ok(returned) => Ok(returned.dataFee),
        Err(chain::Error::Reverted { reason, .. }) if reason == "ProgramUpToDate" => Ok(U256::ZERO),
        Err(error) => Err(error),
    }
}

/// Activates a program by itself, created without StylusDeployer, and returns the gas that this takes beyond the
/// transaction's own: what activation contributes to a deployment. Where the same code is active already: `None`.
///
/// # Errors
/// [`Error`].
pub async fn activation_gas(
    chain: &Connection,
    program: &StylusProgram,
) -> Result<Option<u64>, Error> {
    let fee = data_fee(chain, program.code.clone().into()).await?;
    if fee.is_zero() {
        return Ok(None);
    }
    let receipt = chain.send(&Request::create(program.init_code())).await?;
    let address = receipt.contract_address.ok_or(Error::NoAddress(receipt.transaction_hash))?;
    let activate = IArbWasm::activateProgramCall { program: address };
    let request = Request { value: with_margin(fee), ..Request::call(ARB_WASM, &activate) };
    let gas = chain.send(&request).await?.gas();
    Ok(Some(gas - intrinsic_gas(&request.data)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifacts;

    #[tokio::test]
    async fn activation_is_measured_once() {
        let (chain, program) =
            (Connection::embedded().await.unwrap(), artifacts::stylus().unwrap());
        let gas = activation_gas(&chain, &program).await.unwrap();
        assert!(gas.is_some_and(|gas| gas > 1_659_168));
        assert_eq!(activation_gas(&chain, &program).await.unwrap(), None);
    }
}
