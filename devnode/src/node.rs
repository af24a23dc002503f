//! A chain shared by many, which answers JSON-RPC.
//!
//! [`Node::handle`] takes a method and its parameters and gives what an Arbitrum node would: the transport of this
//! crate calls it, and a server would call it for each request it gets. Clones share the chain.

use crate::{chain::Chain, error::ChainError, rpc};
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard};

/// A handle to a shared chain.
#[derive(Clone)]
pub struct Node {
    chain: Arc<Mutex<Chain>>,
    events: tokio::sync::broadcast::Sender<NodeEvent>,
}

/// What happens on a node.
#[derive(Clone, Debug)]
pub enum NodeEvent {
    /// A new block.
    Block(Arc<crate::block::Block>),
    /// A transaction was accepted.
    Pending(alloy_primitives::B256),
}

/// A JSON-RPC error.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct RpcError {
    /// Code: 3 for a revert, -32000 for a refusal, -32601 and -32602 for a request that is not understood.
    pub code: i64,
    /// In geth's words where geth has any.
    pub message: String,
    /// Revert data.
    pub data: Option<Value>,
}

impl RpcError {
    /// The server cannot do it.
    pub fn server(message: impl Into<String>) -> Self {
        Self::new(-32_000, message)
    }

    /// The parameters are not what the method takes.
    pub fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32_602, message)
    }

    /// There is no such method.
    pub fn no_method(method: &str) -> Self {
        let message = format!("the method {method} does not exist/is not available");
        Self::new(-32_601, message)
    }

    fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }
}

impl From<ChainError> for RpcError {
    fn from(error: ChainError) -> Self {
        Self::server(error.to_string())
    }
}

impl Node {
    /// Shares a chain.
    pub fn new(chain: Chain) -> Self {
        Self { chain: Arc::new(Mutex::new(chain)), events: tokio::sync::broadcast::channel(256).0 }
    }

    /// The chain itself; nobody else gets at it until the guard is dropped.
    pub fn chain(&self) -> MutexGuard<'_, Chain> {
        self.chain.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Answers a request; `params` is an array, or null for none.
    pub fn handle(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        let mut chain = self.chain();
        let before = chain.number();
        let answer = rpc::dispatch(&mut chain, method, params);
        for number in before + 1..=chain.number() {
            let block = chain.block(number).unwrap();
            for tx in &block.txs {
                let _ = self.events.send(NodeEvent::Pending(*tx.envelope.tx_hash()));
            }
            let _ = self.events.send(NodeEvent::Block(Arc::new(block.clone())));
        }
        answer
    }

    /// What happens from now on.
    pub fn subscribe(&self) -> tokio::sync::broadcast::Receiver<NodeEvent> {
        self.events.subscribe()
    }
}
