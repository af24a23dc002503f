//! What is asked of a chain, and what it says of a transaction.

use alloy::{
    primitives::{Address, B256, Bytes, TxKind, U64, U128, U256},
    rpc::types::Log,
    sol_types::{SolCall, SolEvent},
};
use serde::Deserialize;

/// What the chain said of a transaction.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The transaction.
    pub transaction_hash: B256,
    gas_used: U64,
    /// Gas that paid for posting to L1; Arbitrum only.
    gas_used_for_l1: Option<U64>,
    effective_gas_price: Option<U128>,
    /// The block that it is in.
    pub block_number: Option<U64>,
    status: U64,
    /// The contract that was created.
    pub contract_address: Option<Address>,
    /// Events.
    pub logs: Vec<Log>,
}

impl Receipt {
    /// Gas of the transaction less what paid for posting it to L1.
    pub fn gas(&self) -> u64 {
        self.gas_used.saturating_sub(self.gas_used_for_l1.unwrap_or_default()).to()
    }

    /// Gas that paid for posting to L1; 0 on chains that do not tell.
    pub fn l1_gas(&self) -> u64 {
        self.gas_used_for_l1.unwrap_or_default().to()
    }

    /// Wei that a gas cost; 0 on chains that do not tell.
    pub fn price(&self) -> u64 {
        self.effective_gas_price.unwrap_or_default().saturating_to()
    }

    /// Whether its effects stand.
    pub fn is_success(&self) -> bool {
        !self.status.is_zero()
    }

    /// The first event of this kind.
    pub fn event<E: SolEvent>(&self) -> Option<E> {
        self.logs.iter().find_map(|log| E::decode_log(&log.inner).ok()).map(|log| log.data)
    }
}

/// A call or a transaction that is yet to be made.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its name in errors.
    pub what: &'static str,
    /// Callee, or a creation.
    pub to: TxKind,
    /// Calldata or init code.
    pub data: Bytes,
    /// Wei sent along.
    pub value: U256,
    /// Gas limit; estimated where there is none.
    pub gas: Option<u64>,
}

impl Request {
    /// Calls a function of a contract.
    pub fn call<C: SolCall>(to: Address, call: &C) -> Self {
        let data = call.abi_encode().into();
        Self { what: C::SIGNATURE, to: to.into(), data, value: U256::ZERO, gas: None }
    }

    /// Creates a contract.
    pub fn create(init_code: Bytes) -> Self {
        let what = "contract creation";
        Self { what, to: TxKind::Create, data: init_code, value: U256::ZERO, gas: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn l1_gas_is_taken_off() {
        let receipt: Receipt = serde_json::from_value(serde_json::json!({
            "transactionHash": B256::ZERO, "gasUsed": "0x64", "gasUsedForL1": "0x0a", "status": "0x1",
            "contractAddress": null, "logs": [],
        }))
        .unwrap();
        assert_eq!((receipt.gas(), receipt.l1_gas(), receipt.price()), (90, 10, 0));
    }
}
