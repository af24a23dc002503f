//! Blocks and the transactions in them, as they are kept.

use crate::tx::TxOutcome;
use alloy::rlp::Encodable;
use alloy::{
    consensus::{
        Eip658Value, Header, Receipt, ReceiptEnvelope, ReceiptWithBloom, TxEnvelope, TxType, proofs,
    },
    eips::eip2718::Encodable2718,
};
use alloy_primitives::{Address, B256, Bloom, U256, logs_bloom};
use serde::{Deserialize, Serialize};

/// A block.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Block {
    /// Its header. The state root is zero: nothing here proves state, and computing it would cost more than the block.
    pub header: Header,
    /// Hash of the header.
    pub hash: B256,
    /// Its transactions.
    pub txs: Vec<TxRecord>,
}

/// A transaction in a block, and its receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TxRecord {
    /// The transaction.
    pub envelope: TxEnvelope,
    /// Its sender.
    pub from: Address,
    /// What came of it.
    pub outcome: TxOutcome,
    /// Bloom filter of its logs.
    pub bloom: Bloom,
    /// Price in wei of a gas.
    pub gas_price: u128,
}

impl TxRecord {
    pub(crate) fn new(
        envelope: TxEnvelope,
        from: Address,
        outcome: TxOutcome,
        gas_price: u128,
    ) -> Self {
        let bloom = logs_bloom(&outcome.logs);
        Self { envelope, from, outcome, bloom, gas_price }
    }

    fn receipt(&self, cumulative_gas_used: u64) -> ReceiptEnvelope {
        let receipt = ReceiptWithBloom {
            receipt: Receipt {
                status: Eip658Value::Eip658(self.outcome.is_success()),
                cumulative_gas_used,
                logs: self.outcome.logs.clone(),
            },
            logs_bloom: self.bloom,
        };
        match self.envelope.tx_type() {
            TxType::Legacy => ReceiptEnvelope::Legacy(receipt),
            TxType::Eip2930 => ReceiptEnvelope::Eip2930(receipt),
            TxType::Eip7702 => ReceiptEnvelope::Eip7702(receipt),
            _ => ReceiptEnvelope::Eip1559(receipt),
        }
    }
}

impl Block {
    /// Bytes of the header and the transactions, as they would be sent.
    pub fn size(&self) -> usize {
        let txs = self.txs.iter().map(|tx| tx.envelope.encode_2718_len());
        self.header.length() + txs.sum::<usize>()
    }

    /// Completes a header with what the transactions say, and hashes it.
    pub(crate) fn seal(mut header: Header, txs: Vec<TxRecord>) -> Self {
        let mut gas_used = 0;
        let receipts: Vec<_> = txs
            .iter()
            .map(|tx| {
                gas_used += tx.outcome.gas_used;
                tx.receipt(gas_used)
            })
            .collect();
        let envelopes: Vec<_> = txs.iter().map(|tx| &tx.envelope).collect();
        header.transactions_root = proofs::calculate_transaction_root(&envelopes);
        header.receipts_root = proofs::calculate_receipt_root(&receipts);
        header.gas_used = gas_used;
        for tx in &txs {
            header.logs_bloom.accrue_bloom(&tx.bloom);
        }
        header.difficulty = U256::ONE;
        let hash = header.hash_slow();
        Self { header, hash, txs }
    }
}
