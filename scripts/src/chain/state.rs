//! What the chain keeps of an account, and the price of gas.

use super::{Connection, Error, error::said};
use alloy::{
    primitives::{Address, Bytes, U256},
    providers::Provider,
};

impl Connection {
    /// The code at an address.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub async fn code(&self, address: Address) -> Result<Bytes, Error> {
        self.provider.get_code_at(address).await.map_err(|error| said("eth_getCode", error))
    }

    /// Wei of the account that signs; 0 where there is none.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub async fn balance(&self) -> Result<U256, Error> {
        let Some(sender) = self.sender else { return Ok(U256::ZERO) };
        self.provider.get_balance(sender).await.map_err(|error| said("eth_getBalance", error))
    }

    /// Wei that a gas costs now.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub async fn gas_price(&self) -> Result<u128, Error> {
        self.provider.get_gas_price().await.map_err(|error| said("eth_gasPrice", error))
    }
}
