//! A connection to a chain: alloy's `Provider` over the embedded chain or over an endpoint.
//!
//! A transaction is estimated first (unless its gas limit is given), so that what the chain would refuse is an error
//! with the contract's own words and costs nothing; then it is sent and its receipt waited for.

mod endpoints;
mod error;
mod nonces;
mod request;
mod rpc_url;
mod state;
mod trace;

pub use error::Error;
pub use nonces::{Signed, Taken};
pub use request::{Receipt, Request};
pub use rpc_url::RpcUrl;
pub use trace::{Hostio, Trace};

use crate::accounts::{self, Account};
use alloy::{
    eips::BlockId,
    network::{EthereumWallet, TransactionBuilder},
    primitives::{Address, B256, Bytes, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::{
        client::RpcClient,
        types::{
            TransactionRequest,
            state::{AccountOverride, StateOverride},
        },
    },
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
};
use endpoints::Endpoints;
use error::said;
use inkling_devnode::{Chain, ChainConfig, Embedded, Node, arbos};
use std::{num::NonZeroU32, time::Duration};

/// How long a receipt is waited for.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(120);

/// A chain and an account on it.
#[derive(Clone)]
pub struct Connection {
    provider: DynProvider,
    sender: Option<Address>,
    wallet: Option<EthereumWallet>,
    /// The chain, where it is of this process.
    node: Option<Node>,
    chain_id: u64,
}

impl Connection {
    /// A new embedded chain, with the account that a Nitro development node gives funds to.
    ///
    /// # Errors
    /// [`Error::Transport`]; never in practice.
    pub async fn embedded() -> Result<Self, Error> {
        Self::to_node(Node::new(Chain::new(ChainConfig::default()))).await
    }

    /// A node of this process, with the same account.
    ///
    /// # Errors
    /// As [`Self::embedded`].
    pub async fn to_node(node: Node) -> Result<Self, Error> {
        let signer = PrivateKeySigner::from_bytes(&arbos::DEV_PRIVATE_KEY);
        let signer = signer.map_err(|_| accounts::Error::PrivateKey)?;
        let client = RpcClient::new(Embedded::new(node.clone()), true);
        Self::new(client, Some(signer.into()), Some(node)).await
    }

    /// A chain behind one endpoint or several, of which the next takes over when one fails; all must be of the chain
    /// `expected`, where it is given. At most `rate` requests a second are made. With an account it can send
    /// transactions.
    ///
    /// # Errors
    /// [`Error::Url`], [`Error::ChainId`], or [`Error::Transport`] where nobody answers.
    pub async fn endpoints(
        urls: &[RpcUrl],
        expected: Option<u64>,
        rate: Option<NonZeroU32>,
        account: Option<Account>,
    ) -> Result<Self, Error> {
        let endpoints = Endpoints::connect(urls, expected, rate).await?;
        Self::new(RpcClient::new(endpoints, false), account, None).await
    }

    async fn new(
        client: RpcClient,
        account: Option<Account>,
        node: Option<Node>,
    ) -> Result<Self, Error> {
        let sender = account.as_ref().map(|account| account.address);
        let wallet = account.map(|account| account.wallet);
        // Nonces, fees and signatures are made here: no fillers.
        let provider = ProviderBuilder::default().connect_client(client).erased();
        let chain_id = provider.get_chain_id().await.map_err(|e| said("eth_chainId", e))?;
        Ok(Self { provider, sender, wallet, node, chain_id })
    }

    /// Whether it is a chain of this process.
    pub fn is_embedded(&self) -> bool {
        self.node.is_some()
    }

    /// Chain id.
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The account that signs transactions.
    pub fn sender(&self) -> Option<Address> {
        self.sender
    }

    fn tx(&self, request: &Request) -> TransactionRequest {
        let mut tx = TransactionRequest::default()
            .with_kind(request.to)
            .with_input(request.data.clone())
            .with_value(request.value);
        tx.from = self.sender;
        tx.gas = request.gas;
        tx
    }

    /// What a contract's function returns, without a transaction.
    ///
    /// # Errors
    /// [`Error::Reverted`], [`Error::Transport`], [`Error::Answer`].
    pub async fn call<C: SolCall>(&self, to: Address, call: &C) -> Result<C::Return, Error> {
        self.call_with(to, call, U256::ZERO, StateOverride::default()).await
    }

    /// As [`Self::call`], with wei sent along and code put at an address for the time of the call. The sender is given
    /// the wei, too.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_with_code<C: SolCall>(
        &self,
        to: Address,
        call: &C,
        value: U256,
        (address, code): (Address, Bytes),
    ) -> Result<C::Return, Error> {
        let code = AccountOverride { code: Some(code), ..Default::default() };
        let funds = AccountOverride { balance: Some(value * U256::from(2)), ..Default::default() };
        let overrides = [(address, code), (self.sender.unwrap_or_default(), funds)];
        self.call_with(to, call, value, overrides.into_iter().collect()).await
    }

    async fn call_with<C: SolCall>(
        &self,
        to: Address,
        call: &C,
        value: U256,
        overrides: StateOverride,
    ) -> Result<C::Return, Error> {
        let request = Request { value, ..Request::call(to, call) };
        let mut asked = self.provider.call(self.tx(&request)).block(BlockId::latest());
        if !overrides.is_empty() {
            asked = asked.overrides(overrides);
        }
        let answer = asked.await.map_err(|e| said(C::SIGNATURE, e))?;
        C::abi_decode_returns_validate(&answer).map_err(|_| Error::Answer {
            what: C::SIGNATURE,
            address: to,
            bytes: answer.len(),
        })
    }

    /// What a request returns, without a transaction; `eth_call` is under no gas cap of transactions.
    ///
    /// # Errors
    /// [`Error::Reverted`], [`Error::Transport`].
    pub async fn call_raw(&self, request: &Request) -> Result<Bytes, Error> {
        let asked = self.provider.call(self.tx(request)).block(BlockId::latest());
        asked.await.map_err(|e| said(request.what, e))
    }

    /// As [`Self::call_raw`], where a refusal is an answer, too: `Err` with its data.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub async fn try_call(&self, request: &Request) -> Result<Result<Bytes, Bytes>, Error> {
        let asked = self.provider.call(self.tx(request)).block(BlockId::latest());
        match asked.await {
            Ok(answer) => Ok(Ok(answer)),
            Err(error) => match error.as_error_resp().and_then(|said| said.as_revert_data()) {
                Some(data) => Ok(Err(data)),
                None => Err(said(request.what, error)),
            },
        }
    }

    /// `eth_estimateGas`.
    ///
    /// # Errors
    /// [`Error::Reverted`] where a transaction would fail; [`Error::Transport`].
    pub async fn estimate(&self, request: &Request) -> Result<u64, Error> {
        self.provider.estimate_gas(self.tx(request)).await.map_err(|e| said(request.what, e))
    }

    /// Sends a transaction and waits for its receipt.
    ///
    /// # Errors
    /// [`Error::Reverted`] where the estimate fails, [`Error::Failed`] where the transaction does; [`Error::NoKey`],
    /// [`Error::NoReceipt`], [`Error::Transport`].
    pub async fn send(&self, request: &Request) -> Result<Receipt, Error> {
        let what = request.what;
        if self.sender.is_none() {
            return Err(Error::NoKey(what));
        }
        let gas = match request.gas {
            Some(gas) => gas,
            None => self.estimate(request).await?,
        };
        let price = self.gas_price().await?;
        // Arbitrum charges the base fee whatever is offered; twice of it survives its ups.
        let signed = self.sign(request, gas, self.nonce(true).await?, 2 * price).await?;
        match self.send_raw(what, &signed.raw).await? {
            // A node that has it already got it from us: its answer was lost, and it was asked again.
            Taken::Accepted | Taken::Known | Taken::NonceTooLow => {}
            Taken::NonceTooHigh | Taken::FeeTooLow => {
                let message = "the account or the fees changed while it was sent".into();
                return Err(Error::Transport { what, message, temporary: true });
            }
        }
        let receipt = self.receipt(what, signed.hash).await?;
        match receipt.is_success() {
            true => Ok(receipt),
            false => Err(Error::Failed { what, hash: receipt.transaction_hash }),
        }
    }

    async fn receipt(&self, what: &'static str, hash: B256) -> Result<Receipt, Error> {
        let asked = async {
            loop {
                if let Some(receipt) = self.receipt_of(hash).await? {
                    return Ok(receipt);
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        };
        let waited = tokio::time::timeout(RECEIPT_TIMEOUT, asked).await;
        waited.unwrap_or(Err(Error::NoReceipt { what, hash }))
    }

    /// Puts a Stylus program into the cache of the embedded chain, or evicts it, free of charge.
    ///
    /// # Errors
    /// [`Error::Transport`] on any other chain, or where there is no active program.
    pub async fn set_cached(&self, program: Address, cached: bool) -> Result<(), Error> {
        let method = "inkling_setCached";
        let done: Result<bool, _> =
            self.provider.raw_request(method.into(), (program, cached)).await;
        done.map(drop).map_err(|e| said(method, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::IClassifier;
    use alloy::primitives::address;

    #[tokio::test]
    async fn transactions_and_receipts() {
        let chain = Connection::embedded().await.unwrap();
        assert_eq!((chain.chain_id(), chain.is_embedded()), (412_346, true));
        let to = address!("00000000000000000000000000000000000a11ce");
        let data = Bytes::from_static(&[0, 1]);
        let request =
            Request { what: "transfer", to: to.into(), data, value: U256::ONE, gas: None };
        assert_eq!(chain.send(&request).await.unwrap().gas(), 21_020);
        // An estimate may be up to 1.5 % too high.
        assert!((21_020..=21_335).contains(&chain.estimate(&request).await.unwrap()));
    }

    #[tokio::test]
    async fn no_contract_is_no_answer() {
        let chain = Connection::embedded().await.unwrap();
        let nobody = address!("00000000000000000000000000000000000a11ce");
        let error = chain.call(nobody, &IClassifier::isModelReadyCall {}).await.unwrap_err();
        assert!(matches!(error, Error::Answer { bytes: 0, .. }), "{error}");
    }
}
