//! Why a chain refuses a transaction, a program or a setting.

use crate::{
    arbos::Inactive,
    chain::{At, HISTORY},
    handler::TxError,
    stylus::{ActivationError, code::CodeError},
    tx::RawTxError,
};
use alloy_primitives::B256;
use revm::context::result::{EVMError, InvalidTransaction};

/// Why the chain refuses something.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// The transaction cannot be in a block.
    #[error("{}", tx_error(.0))]
    Tx(#[from] TxError),
    /// The bytes are not a transaction.
    #[error(transparent)]
    Raw(#[from] RawTxError),
    /// The transaction waits already.
    #[error("already known")]
    Known,
    /// There is no such block, or its state is forgotten.
    #[error("{}", no_state(.0))]
    NoState(At),
    /// There is no transaction of this hash.
    #[error("transaction {0} not found")]
    NoTx(B256),
    /// It had no frame: what it paid did not reach its code.
    #[error("nothing to trace: no code ran")]
    Untraceable,
    /// A call sets something otherwise that cannot be set so.
    #[error("{0}")]
    Override(String),
    /// The program may not be called, hence not be cached.
    #[error(transparent)]
    Inactive(#[from] Inactive),
    /// The code is not a program.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The program breaks a rule.
    #[error(transparent)]
    Activation(#[from] ActivationError),
}

/// In the words of geth, which clients look for.
fn tx_error(error: &TxError) -> String {
    use InvalidTransaction as T;
    match error {
        EVMError::Transaction(T::NonceTooLow { tx, state }) => {
            format!("nonce too low: next nonce {state}, tx nonce {tx}")
        }
        EVMError::Transaction(T::NonceTooHigh { tx, state }) => {
            format!("nonce too high: next nonce {state}, tx nonce {tx}")
        }
        EVMError::Transaction(T::LackOfFundForMaxFee { fee, balance }) => {
            format!("insufficient funds for gas * price + value: balance {balance}, tx cost {fee}")
        }
        EVMError::Transaction(T::CallGasCostMoreThanGasLimit { initial_gas, gas_limit }) => {
            format!("intrinsic gas too low: have {gas_limit}, want {initial_gas}")
        }
        EVMError::Transaction(T::GasPriceLessThanBasefee) => {
            "max fee per gas less than block base fee".into()
        }
        EVMError::Transaction(other) => other.to_string(),
        other => other.to_string(),
    }
}

fn no_state(at: &At) -> String {
    match at {
        At::Block(number) => format!(
            "missing trie node: no state for block {number} (the state of the last {HISTORY} blocks is kept)"
        ),
        At::Pending => "no pending state".into(),
    }
}
