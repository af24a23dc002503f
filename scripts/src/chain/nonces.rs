//! Transactions by hand: signed for a nonce, kept, sent as often as need be.
//!
//! [`Connection::send`] does all of it and forgets what it signed. Whoever must survive a crash does it in steps instead:
//! sign, write down, send, look for the receipt. Bytes that are sent twice are one transaction, and of
//! several transactions with the same nonce a chain takes one: so what was written down is never paid for twice.

use super::{Connection, Error, Receipt, Request, error::said};
use alloy::{
    consensus::TxEnvelope,
    eips::eip2718::{Decodable2718, Encodable2718},
    network::{NetworkTransactionBuilder, TransactionBuilder},
    primitives::{B256, Bytes},
    providers::Provider,
    rpc::types::TransactionRequest,
};
use serde::{Deserialize, Serialize};

/// A signed transaction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signed {
    /// Its hash.
    pub hash: B256,
    /// Its bytes after EIP-2718.
    pub raw: Bytes,
    /// Wei a gas that it offers at most.
    pub max_fee: u128,
}

/// What a node did with a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It has it now.
    Accepted,
    /// It had it already, or one with the same nonce that offers as much.
    Known,
    /// The nonce is used up: by this transaction, or by another.
    NonceTooLow,
    /// Transactions before it are missing.
    NonceTooHigh,
    /// It offers less than the base fee.
    FeeTooLow,
}

impl Taken {
    /// In the words of geth's transaction pool and of Nitro's sequencer; `None` for other refusals.
    fn from_message(message: &str) -> Option<Self> {
        let message = message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
        Some(match () {
            () if says(&["already known", "known transaction", "already exists"]) => Self::Known,
            () if says(&["replacement transaction underpriced"]) => Self::Known,
            () if says(&["nonce too low"]) => Self::NonceTooLow,
            () if says(&["nonce too high"]) => Self::NonceTooHigh,
            () if says(&["less than block base fee", "transaction underpriced"]) => Self::FeeTooLow,
            () => return None,
        })
    }
}

impl Connection {
    /// Signs a transaction and sends nothing.
    ///
    /// # Errors
    /// [`Error::NoKey`], [`Error::Signing`].
    pub async fn sign(
        &self,
        request: &Request,
        gas: u64,
        nonce: u64,
        max_fee: u128,
    ) -> Result<Signed, Error> {
        let tx = self.tx(request).with_gas_limit(gas).with_nonce(nonce);
        self.sign_tx(request.what, tx.with_chain_id(self.chain_id), max_fee).await
    }

    /// Signs the same transaction once more, with another fee.
    ///
    /// # Errors
    /// As [`Self::sign`]; [`Error::Signing`] also where `raw` is no transaction.
    pub async fn raise(
        &self,
        what: &'static str,
        raw: &Bytes,
        max_fee: u128,
    ) -> Result<Signed, Error> {
        let envelope = TxEnvelope::decode_2718_exact(raw)
            .map_err(|error| Error::Signing { what, message: error.to_string() })?;
        let mut tx: TransactionRequest = envelope.into();
        tx.from = self.sender;
        self.sign_tx(what, tx, max_fee).await
    }

    async fn sign_tx(
        &self,
        what: &'static str,
        tx: TransactionRequest,
        max_fee: u128,
    ) -> Result<Signed, Error> {
        let wallet = self.wallet.as_ref().ok_or(Error::NoKey(what))?;
        let tx = tx.with_max_fee_per_gas(max_fee).with_max_priority_fee_per_gas(0);
        let signed = tx.build(wallet).await;
        let signed = signed.map_err(|error| Error::Signing { what, message: error.to_string() })?;
        Ok(Signed { hash: *signed.tx_hash(), raw: signed.encoded_2718().into(), max_fee })
    }

    /// Sends a signed transaction and waits for nothing.
    ///
    /// # Errors
    /// [`Error::Transport`] where the node refuses it for another reason than [`Taken`] knows.
    pub async fn send_raw(&self, what: &'static str, raw: &Bytes) -> Result<Taken, Error> {
        match self.provider.send_raw_transaction(raw).await {
            Ok(_) => Ok(Taken::Accepted),
            Err(error) => {
                let payload = error.as_error_resp();
                let taken = payload.and_then(|payload| Taken::from_message(&payload.message));
                taken.ok_or_else(|| said(what, error))
            }
        }
    }

    /// Number of transactions that the sender has in blocks; with those that wait, where `pending`.
    ///
    /// # Errors
    /// [`Error::NoKey`], [`Error::Transport`].
    pub async fn nonce(&self, pending: bool) -> Result<u64, Error> {
        let what = "eth_getTransactionCount";
        let asked = self.provider.get_transaction_count(self.sender.ok_or(Error::NoKey(what))?);
        let asked = if pending { asked.pending() } else { asked.latest() };
        asked.await.map_err(|e| said(what, e))
    }

    /// What became of a transaction; `None` while it is in no block.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub async fn receipt_of(&self, hash: B256) -> Result<Option<Receipt>, Error> {
        let method = "eth_getTransactionReceipt";
        let receipt = self.provider.raw_request(method.into(), [hash]).await;
        receipt.map_err(|e| said(method, e))
    }

    /// Whether a transaction is in a block; `None` where the node has not heard of it.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub async fn is_in_block(&self, hash: B256) -> Result<Option<bool>, Error> {
        let method = "eth_getTransactionByHash";
        let found: Result<Option<serde_json::Value>, _> =
            self.provider.raw_request(method.into(), [hash]).await;
        let found = found.map_err(|e| said(method, e))?;
        Ok(found.map(|tx| tx.get("blockNumber").is_some_and(|number| !number.is_null())))
    }

    /// Number of the latest block.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub async fn block_number(&self) -> Result<u64, Error> {
        self.provider.get_block_number().await.map_err(|e| said("eth_blockNumber", e))
    }

    /// Gas that a block's transactions used; 0 where there is no such block.
    ///
    /// # Errors
    /// [`Error::Transport`].
    pub async fn block_gas(&self, number: u64) -> Result<u64, Error> {
        let block = self.provider.get_block_by_number(number.into()).await;
        let block = block.map_err(|e| said("eth_getBlockByNumber", e))?;
        Ok(block.map_or(0, |block| block.header.gas_used))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{U256, address};

    #[test]
    fn what_nodes_say() {
        let says = Taken::from_message;
        assert_eq!(says("already known"), Some(Taken::Known));
        assert_eq!(says("replacement transaction underpriced"), Some(Taken::Known));
        assert_eq!(says("nonce too low: next nonce 7, tx nonce 6"), Some(Taken::NonceTooLow));
        assert_eq!(says("Nonce too high: address 0x"), Some(Taken::NonceTooHigh));
        let low = "max fee per gas less than block base fee: address 0x, maxFeePerGas: 1";
        assert_eq!(says(low), Some(Taken::FeeTooLow));
        assert_eq!(says("insufficient funds for gas * price + value"), None);
    }

    #[tokio::test]
    async fn the_same_bytes_are_one_transaction() {
        let chain = Connection::embedded().await.unwrap();
        let to = address!("00000000000000000000000000000000000a11ce");
        let (data, value) = (Bytes::new(), U256::ONE);
        let request = Request { what: "transfer", to: to.into(), data, value, gas: None };
        let nonce = chain.nonce(true).await.unwrap();
        let later = chain.sign(&request, 30_000, nonce + 1, 200_000_000).await.unwrap();
        let cheap = chain.sign(&request, 30_000, nonce, 1).await.unwrap();
        let raised = chain.raise("transfer", &cheap.raw, 200_000_000).await.unwrap();
        let dear = chain.sign(&request, 30_000, nonce, 200_000_000).await.unwrap();
        assert_eq!(raised, dear);
        for (signed, taken) in [
            (&later, Taken::NonceTooHigh),
            (&cheap, Taken::FeeTooLow),
            (&dear, Taken::Accepted),
            (&dear, Taken::NonceTooLow),
            (&later, Taken::Accepted),
        ] {
            assert_eq!(chain.send_raw("transfer", &signed.raw).await.unwrap(), taken);
        }
        assert_eq!(chain.nonce(false).await.unwrap(), nonce + 2);
        assert_eq!(chain.receipt_of(dear.hash).await.unwrap().unwrap().gas(), 21_000);
        assert!(chain.receipt_of(cheap.hash).await.unwrap().is_none());
        assert_eq!(chain.is_in_block(dear.hash).await.unwrap(), Some(true));
        assert_eq!(chain.is_in_block(cheap.hash).await.unwrap(), None);
    }
}
