//! Logs, and filters that a client polls.

use super::{RpcError, RpcResult, params::number_of, quantity};
use crate::{
    block::{Block, TxRecord},
    chain::Chain,
    node::{Node, NodeEvent},
};
use alloy::{
    eips::BlockNumberOrTag,
    rpc::types::{Filter, FilterBlockOption},
};
use alloy_primitives::{U256, map::HashMap};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

/// After this long without a poll a filter is forgotten, as in geth.
const IDLE: Duration = Duration::from_secs(300);
/// Most filters at once.
const MAX_FILTERS: usize = 1_000;

pub(super) fn log_json(
    block: &Block,
    index: usize,
    tx: &TxRecord,
    i: usize,
    log_index: usize,
) -> Value {
    let log = &tx.outcome.logs[i];
    json!({
        "address": log.address,
        "topics": log.data.topics(),
        "data": log.data.data,
        "blockHash": block.hash,
        "blockNumber": quantity(block.header.number),
        "blockTimestamp": quantity(block.header.timestamp),
        "transactionHash": tx.envelope.tx_hash(),
        "transactionIndex": quantity(index as u64),
        "logIndex": quantity(log_index as u64),
        "removed": false,
    })
}

/// The logs of a block that a filter lets through.
pub(crate) fn block_logs(block: &Block, filter: &Filter) -> Vec<Value> {
    let mut found = Vec::new();
    if !filter.matches_bloom(block.header.logs_bloom) {
        return found;
    }
    let mut log_index = 0;
    for (index, tx) in block.txs.iter().enumerate() {
        for (i, log) in tx.outcome.logs.iter().enumerate() {
            if filter.matches(log) {
                found.push(log_json(block, index, tx, i, log_index));
            }
            log_index += 1;
        }
    }
    found
}

pub(super) fn logs(chain: &Chain, filter: &Filter) -> RpcResult {
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let Some(block) = chain.block_by_hash(hash) else {
                return Err(RpcError::server("unknown block"));
            };
            (block.header.number, block.header.number)
        }
        FilterBlockOption::Range { from_block, to_block } => {
            let explicit = |tag: Option<BlockNumberOrTag>| tag.and_then(|tag| tag.as_number());
            if let (Some(from), Some(to)) = (explicit(from_block), explicit(to_block))
                && from > to
            {
                return Err(RpcError::invalid_params("invalid block range params"));
            }
            let number = |tag: Option<_>| number_of(chain, tag.unwrap_or_default());
            (number(from_block), number(to_block))
        }
    };
    let found = chain.blocks(from, to).flat_map(|block| block_logs(block, filter));
    Ok(found.collect())
}

/// The filters that clients poll.
#[derive(Default)]
pub(crate) struct Filters {
    last_id: u64,
    filters: HashMap<U256, Polled>,
}

/// A filter and when it was polled last.
struct Polled {
    news: News,
    at: Instant,
}

/// What a filter waits for. Numbers are those of the first block that its client has not seen.
enum News {
    Logs(Box<Filter>, u64),
    Blocks(u64),
    Pending(Receiver<NodeEvent>),
}

impl Filters {
    pub(super) fn add_logs(&mut self, chain: &Chain, filter: Filter) -> RpcResult {
        self.add(News::Logs(Box::new(filter), chain.number() + 1))
    }

    pub(super) fn add_blocks(&mut self, chain: &Chain) -> RpcResult {
        self.add(News::Blocks(chain.number() + 1))
    }

    pub(super) fn add_pending(&mut self, node: &Node) -> RpcResult {
        self.add(News::Pending(node.subscribe()))
    }

    fn add(&mut self, news: News) -> RpcResult {
        self.filters.retain(|_, filter| filter.at.elapsed() < IDLE);
        if self.filters.len() >= MAX_FILTERS {
            return Err(RpcError::server(format!("too many filters: at most {MAX_FILTERS}")));
        }
        self.last_id += 1;
        let id = U256::from(self.last_id);
        self.filters.insert(id, Polled { news, at: Instant::now() });
        Ok(json!(id))
    }

    pub(super) fn remove(&mut self, id: U256) -> bool {
        self.filters.remove(&id).is_some()
    }

    fn get(&mut self, id: U256) -> Result<&mut News, RpcError> {
        self.filters.retain(|_, filter| filter.at.elapsed() < IDLE);
        let polled =
            self.filters.get_mut(&id).ok_or_else(|| RpcError::server("filter not found"))?;
        polled.at = Instant::now();
        Ok(&mut polled.news)
    }

    /// What is new since the last poll.
    pub(super) fn changes(&mut self, chain: &Chain, id: U256) -> RpcResult {
        let latest = chain.number();
        match self.get(id)? {
            News::Logs(filter, next) => {
                let (from, to) = match filter.block_option {
                    FilterBlockOption::AtBlockHash(_) => (0, latest),
                    FilterBlockOption::Range { from_block, to_block } => (
                        from_block.map_or(0, |tag| tag.as_number().unwrap_or_default()),
                        to_block.and_then(|tag| tag.as_number()).unwrap_or(latest),
                    ),
                };
                let blocks = chain.blocks(from.max(*next), to.min(latest));
                let found = blocks.flat_map(|block| block_logs(block, filter)).collect();
                *next = latest + 1;
                Ok(found)
            }
            News::Blocks(next) => {
                let blocks = chain.blocks(*next, latest);
                let hashes = blocks.map(|block| json!(block.hash)).collect();
                *next = latest + 1;
                Ok(hashes)
            }
            News::Pending(events) => {
                let mut hashes = Vec::new();
                loop {
                    match events.try_recv() {
                        Ok(NodeEvent::Pending(hash)) => hashes.push(json!(hash)),
                        // Behind by too much: the oldest are lost.
                        Ok(NodeEvent::Block(_)) | Err(TryRecvError::Lagged(_)) => {}
                        Err(TryRecvError::Empty | TryRecvError::Closed) => break,
                    }
                }
                Ok(json!(hashes))
            }
        }
    }

    /// All logs that a filter lets through, seen or not.
    pub(super) fn logs(&mut self, chain: &Chain, id: U256) -> RpcResult {
        match self.get(id)? {
            News::Logs(filter, _) => logs(chain, filter),
            _ => Err(RpcError::server("filter not found")),
        }
    }
}
