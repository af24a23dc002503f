//! `eth_subscribe`: new heads, logs and pending transactions, sent as they come.
//!
//! A subscriber that does not read what it is sent is dropped: nothing is kept for it beyond the buffer of its
//! connection and that of the node's events.

use super::dispatch::object;
use crate::{
    node::{Node, NodeEvent},
    rpc::{RpcError, block_logs, header_json},
};
use alloy::rpc::types::Filter;
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule,
    server::{IdProvider, Methods},
    types::{ErrorObjectOwned, Params, SubscriptionId},
};
use serde_json::{Value, json, value::to_raw_value};
use std::{sync::Arc, time::Duration};

/// How long a subscriber may leave its connection's buffer full.
const PATIENCE: Duration = Duration::from_secs(10);

/// Subscription ids as geth makes them: 128 random bits as a hex number (`rpc/subscription.go`).
#[derive(Clone, Copy, Debug)]
pub(super) struct HexIds;

impl IdProvider for HexIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        SubscriptionId::Str(format!("{:#x}", rand::random::<u128>()).into())
    }
}

/// `eth_subscribe` and `eth_unsubscribe`.
pub(super) fn methods(node: Node) -> Methods {
    let mut module = RpcModule::new(node);
    module
        .register_subscription(
            "eth_subscribe",
            "eth_subscription",
            "eth_unsubscribe",
            |params, pending, node, _| subscribe(params, pending, node),
        )
        .expect("the names are not taken: there are no others");
    module.into()
}

/// What is subscribed to.
enum Topic {
    Heads,
    /// The filter is as `eth_getLogs` takes it; what it says of blocks does not matter.
    Logs(Box<Filter>),
    Pending,
}

impl Topic {
    fn parse(params: &Params<'_>) -> Result<Self, RpcError> {
        let mut params = params.sequence();
        let invalid = |error: ErrorObjectOwned| RpcError::invalid_params(error.message());
        let kind: String = params.next().map_err(invalid)?;
        match &*kind {
            "newHeads" => Ok(Self::Heads),
            "newPendingTransactions" => match params.optional_next::<bool>().map_err(invalid)? {
                Some(true) => {
                    Err(RpcError::invalid_params("full transactions are not sent, only hashes"))
                }
                _ => Ok(Self::Pending),
            },
            "logs" => {
                let filter: Option<Filter> = params.optional_next().map_err(invalid)?;
                Ok(Self::Logs(Box::new(filter.unwrap_or_default())))
            }
            _ => Err(RpcError {
                code: -32_601,
                message: format!("no {kind:?} subscription in eth namespace"),
                data: None,
            }),
        }
    }

    /// What to send when `event` has happened.
    fn notifications(&self, event: NodeEvent) -> Vec<Value> {
        match (self, event) {
            (Self::Heads, NodeEvent::Block(block)) => vec![header_json(&block)],
            (Self::Logs(filter), NodeEvent::Block(block)) => block_logs(&block, filter),
            (Self::Pending, NodeEvent::Pending(hash)) => vec![json!(hash)],
            _ => Vec::new(),
        }
    }
}

async fn subscribe(params: Params<'static>, pending: PendingSubscriptionSink, node: Arc<Node>) {
    let topic = match Topic::parse(&params) {
        Ok(topic) => topic,
        Err(error) => return pending.reject(object(error)).await,
    };
    // Before the client knows that it has subscribed, so that it misses nothing from then on.
    let mut events = node.subscribe();
    let Ok(sink) = pending.accept().await else { return };
    loop {
        let event = tokio::select! {
            event = events.recv() => event,
            () = sink.closed() => return,
        };
        // One that lags is dropped.
        let Ok(event) = event else { return };
        for notification in topic.notifications(event) {
            let Ok(message) = to_raw_value(&notification) else { return };
            if sink.send_timeout(message, PATIENCE).await.is_err() {
                return;
            }
        }
    }
}
