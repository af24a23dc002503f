//! A chain shared by many, which answers JSON-RPC.
//!
//! [`Node::handle`] takes a method and its parameters and gives what an Arbitrum node would: the transport of this
//! crate calls it, and the server calls it for each request it gets. Clones share the chain.
//!
//! One writer at a time holds the chain ([`Node::chain`]). When it lets go, a copy is published, and readers
//! ([`Node::read`]) work on the copy that was the latest when they began: they wait for nobody and nobody waits for them.

use crate::{
    block::Block,
    chain::Chain,
    rpc::{self, Accounts, Filters, RpcError},
};
use alloy::signers::local::PrivateKeySigner;
use alloy_primitives::B256;
use serde_json::Value;
use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, RwLock},
};
use tokio::sync::broadcast;

/// Events that a slow listener may be behind before it loses the oldest.
const EVENTS: usize = 1024;

/// A handle to a shared chain.
#[derive(Clone)]
pub struct Node {
    shared: Arc<Shared>,
}

struct Shared {
    chain: Mutex<Chain>,
    published: RwLock<Arc<Chain>>,
    events: broadcast::Sender<NodeEvent>,
    filters: Mutex<Filters>,
    accounts: Mutex<Accounts>,
}

/// What a listener is told.
#[derive(Clone, Debug)]
pub enum NodeEvent {
    /// A block was added.
    Block(Arc<Block>),
    /// A transaction was accepted; where it is mined at once, its block follows.
    Pending(B256),
}

impl Node {
    /// Shares a chain.
    pub fn new(chain: Chain) -> Self {
        Self::with_accounts(chain, Vec::new())
    }

    /// Shares a chain on a node that signs for some accounts itself (`eth_sendTransaction`).
    pub fn with_accounts(chain: Chain, signers: Vec<PrivateKeySigner>) -> Self {
        let shared = Shared {
            published: RwLock::new(Arc::new(chain.clone())),
            chain: Mutex::new(chain),
            events: broadcast::Sender::new(EVENTS),
            filters: Mutex::default(),
            accounts: Mutex::new(Accounts::new(signers)),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The chain as it is now; it stays as it is for whoever has it.
    pub fn read(&self) -> Arc<Chain> {
        let published = self.shared.published.read();
        published.unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// The chain itself; nobody else changes it until the guard is dropped.
    pub fn chain(&self) -> ChainGuard<'_> {
        ChainGuard { node: self, chain: lock(&self.shared.chain), changed: false }
    }

    /// News from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<NodeEvent> {
        self.shared.events.subscribe()
    }

    /// Answers a request; `params` is an array, or null for none.
    ///
    /// # Errors
    ///
    /// [`RpcError`], with geth's codes and words.
    pub fn handle(&self, method: &str, params: Value) -> Result<Value, RpcError> {
        rpc::dispatch(self, method, params)
    }

    pub(crate) fn filters(&self) -> MutexGuard<'_, Filters> {
        lock(&self.shared.filters)
    }

    pub(crate) fn accounts(&self) -> MutexGuard<'_, Accounts> {
        lock(&self.shared.accounts)
    }

    /// Tells listeners; that there are none is no error.
    pub(crate) fn tell(&self, event: NodeEvent) {
        let _ = self.shared.events.send(event);
    }

    fn publish(&self, chain: &Chain) {
        let latest = Arc::new(chain.clone());
        let mut published =
            self.shared.published.write().unwrap_or_else(|poisoned| poisoned.into_inner());
        let known = std::mem::replace(&mut *published, latest).number();
        drop(published);
        for block in chain.blocks(known + 1, chain.number()) {
            self.tell(NodeEvent::Block(block.clone()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The one right to change the chain. What was changed is published when it is dropped.
pub struct ChainGuard<'a> {
    node: &'a Node,
    chain: MutexGuard<'a, Chain>,
    changed: bool,
}

impl Deref for ChainGuard<'_> {
    type Target = Chain;

    fn deref(&self) -> &Chain {
        &self.chain
    }
}

impl DerefMut for ChainGuard<'_> {
    fn deref_mut(&mut self) -> &mut Chain {
        self.changed = true;
        &mut self.chain
    }
}

impl Drop for ChainGuard<'_> {
    fn drop(&mut self) {
        if self.changed {
            self.node.publish(&self.chain);
        }
    }
}
