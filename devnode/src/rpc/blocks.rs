//! Blocks, transactions and receipts as JSON, and what fees were.

use super::{Params, RpcError, RpcResult, logs::log_json, params::number_of, quantity};
use crate::{
    block::{Block, TxRecord},
    chain::Chain,
};
use alloy::{consensus::Transaction as _, eips::eip2718::Encodable2718};
use alloy_primitives::{B256, Bytes, U256};
use serde_json::{Value, json};
use std::{ops::Deref, sync::Arc};

/// A block that may be pending: then it has no hash yet.
pub(super) struct AnyBlock {
    block: Arc<Block>,
    pending: bool,
}

impl Deref for AnyBlock {
    type Target = Block;

    fn deref(&self) -> &Block {
        &self.block
    }
}

impl AnyBlock {
    pub(super) fn sealed(block: &Arc<Block>) -> Self {
        Self { block: block.clone(), pending: false }
    }

    pub(super) fn pending(chain: &Chain) -> Self {
        Self { block: Arc::new(chain.pending()), pending: true }
    }

    /// The block, with its transactions whole or as hashes.
    pub(super) fn json(&self, full: bool) -> Value {
        let txs = self.txs.iter().enumerate().map(|(index, tx)| match full {
            true => tx_json(&self.block, index, tx),
            false => json!(tx.envelope.tx_hash()),
        });
        let mut json = header_json(&self.block);
        json["transactions"] = txs.collect();
        json["uncles"] = json!([]);
        if self.pending {
            for field in ["hash", "miner", "nonce"] {
                json[field] = Value::Null;
            }
        }
        json
    }
}

/// A header, with what Nitro adds to it.
pub(crate) fn header_json(block: &Block) -> Value {
    let mut json = json!(block.header);
    json["hash"] = json!(block.hash);
    json["size"] = quantity(block.size() as u64);
    json["totalDifficulty"] = quantity(block.header.number + 1);
    json["l1BlockNumber"] = quantity(block.header.number);
    json["sendCount"] = quantity(0);
    json["sendRoot"] = json!(B256::ZERO);
    json
}

/// A transaction, in a block or waiting for one.
pub(super) fn tx(chain: &Chain, hash: B256) -> Value {
    if let Some((block, index, tx)) = chain.tx(hash) {
        return tx_json(block, index, tx);
    }
    chain.pending_tx(hash).map_or(Value::Null, bare_tx_json)
}

pub(super) fn tx_at(block: &Block, index: usize) -> Value {
    block.txs.get(index).map_or(Value::Null, |tx| tx_json(block, index, tx))
}

/// The bytes that were signed and the signature.
pub(super) fn raw_tx(chain: &Chain, hash: B256) -> Value {
    let found = chain.tx(hash).map(|(_, _, tx)| tx).or_else(|| chain.pending_tx(hash));
    found.map_or(Value::Null, |tx| json!(Bytes::from(tx.envelope.encoded_2718())))
}

fn tx_json(block: &Block, index: usize, tx: &TxRecord) -> Value {
    let mut json = bare_tx_json(tx);
    if tx.envelope.is_eip1559() {
        json["gasPrice"] = json!(U256::from(tx.gas_price));
    }
    json["blockHash"] = json!(block.hash);
    json["blockNumber"] = quantity(block.header.number);
    json["transactionIndex"] = quantity(index as u64);
    json
}

fn bare_tx_json(tx: &TxRecord) -> Value {
    let mut json = json!(tx.envelope);
    json["hash"] = json!(tx.envelope.tx_hash());
    json["from"] = json!(tx.from);
    if tx.envelope.is_eip1559() {
        json["gasPrice"] = json!(U256::from(tx.envelope.max_fee_per_gas()));
    }
    for field in ["blockHash", "blockNumber", "transactionIndex"] {
        json[field] = Value::Null;
    }
    json
}

/// The receipt of a transaction that is in a block; null for any other.
pub(super) fn receipt(chain: &Chain, hash: B256) -> Value {
    chain.tx(hash).map_or(Value::Null, |(block, index, tx)| receipt_json(block, index, tx))
}

pub(super) fn receipts(block: &Block) -> Value {
    let list = block.txs.iter().enumerate();
    list.map(|(index, tx)| receipt_json(block, index, tx)).collect()
}

fn receipt_json(block: &Block, index: usize, tx: &TxRecord) -> Value {
    let first_log = first_log_index(block, index);
    let logs: Vec<Value> =
        (0..tx.outcome.logs.len()).map(|i| log_json(block, index, tx, i, first_log + i)).collect();
    let cumulative: u64 = block.txs[..=index].iter().map(|tx| tx.outcome.gas_used).sum();
    json!({
        "transactionHash": tx.envelope.tx_hash(),
        "transactionIndex": quantity(index as u64),
        "blockHash": block.hash,
        "blockNumber": quantity(block.header.number),
        "from": tx.from,
        "to": tx.envelope.to(),
        "contractAddress": tx.outcome.created,
        "status": quantity(tx.outcome.is_success().into()),
        "type": quantity(u8::from(tx.envelope.tx_type()).into()),
        "gasUsed": quantity(tx.outcome.gas_used),
        "cumulativeGasUsed": quantity(cumulative),
        "effectiveGasPrice": U256::from(tx.gas_price),
        "logs": logs,
        "logsBloom": tx.bloom,
        "gasUsedForL1": quantity(tx.outcome.l1_gas),
        "l1BlockNumber": quantity(block.header.number),
    })
}

fn first_log_index(block: &Block, index: usize) -> usize {
    block.txs[..index].iter().map(|tx| tx.outcome.logs.len()).sum()
}

pub(super) fn fee_history(chain: &Chain, p: &Params) -> RpcResult {
    let count = p.count(0)?.min(1024);
    let newest = number_of(chain, p.get(1)?);
    if newest > chain.number() {
        let message =
            format!("request beyond head block: requested {newest}, head {}", chain.number());
        return Err(RpcError::server(message));
    }
    let percentiles = p.optional::<Vec<f64>>(2)?.unwrap_or_default();
    if percentiles.len() > 100 {
        return Err(RpcError::server("invalid reward percentile: over the query limit 100"));
    }
    let oldest = (newest + 1).saturating_sub(count);
    let blocks: Vec<_> = match count {
        0 => Vec::new(),
        _ => chain.blocks(oldest, newest).collect(),
    };
    let basefee = |header: &alloy::consensus::Header| header.base_fee_per_gas.unwrap_or_default();
    let next = chain.blocks(newest + 1, newest + 1).next();
    let next = next.map_or(chain.basefee(), |block| basefee(&block.header));
    let basefees = blocks.iter().map(|block| quantity(basefee(&block.header)));
    let mut history = json!({
        "oldestBlock": quantity(if count == 0 { 0 } else { oldest }),
        "baseFeePerGas": basefees.chain([quantity(next)]).collect::<Vec<_>>(),
        "gasUsedRatio": blocks
            .iter()
            .map(|block| block.header.gas_used as f64 / block.header.gas_limit as f64)
            .collect::<Vec<_>>(),
    });
    if !percentiles.is_empty() {
        let tips = vec![quantity(0); percentiles.len()];
        history["reward"] = json!(vec![tips; blocks.len()]);
    }
    Ok(history)
}
