//! An alloy transport that ends in a [`Node`] of this process.
//!
//! ```
//! # use inkling_devnode::{Chain, ChainConfig, Embedded, Node};
//! # use alloy::{providers::{Provider, ProviderBuilder}, rpc::client::RpcClient};
//! let node = Node::new(Chain::new(ChainConfig::default()));
//! let provider = ProviderBuilder::new().connect_client(RpcClient::new(Embedded::new(node), true));
//! # async fn ask(provider: impl Provider) { provider.get_chain_id().await; }
//! ```

use crate::{node::Node, rpc::RpcError};
use alloy::{
    rpc::json_rpc::{
        ErrorPayload, RequestPacket, Response, ResponsePacket, ResponsePayload, SerializedRequest,
    },
    transports::{TransportError, TransportErrorKind, TransportFut},
};
use serde_json::{Value, value::to_raw_value};
use std::task::{Context, Poll};
use tower_service::Service;

/// The transport. Requests are answered at once, on the thread that polls the answer.
#[derive(Clone)]
pub struct Embedded {
    node: Node,
}

impl Embedded {
    /// A transport to `node`.
    pub fn new(node: Node) -> Self {
        Self { node }
    }

    fn answer(&self, request: &SerializedRequest) -> Result<Response, TransportError> {
        let params = match request.params() {
            Some(params) => {
                serde_json::from_str(params.get()).map_err(TransportErrorKind::custom)?
            }
            None => Value::Null,
        };
        let payload = match self.node.handle(request.method(), params) {
            Ok(value) => {
                let raw = to_raw_value(&value).map_err(TransportErrorKind::custom)?;
                ResponsePayload::Success(raw)
            }
            Err(RpcError { code, message, data }) => {
                let data = data
                    .map(|data| to_raw_value(&data))
                    .transpose()
                    .map_err(TransportErrorKind::custom)?;
                ResponsePayload::Failure(ErrorPayload { code, message: message.into(), data })
            }
        };
        Ok(Response { id: request.id().clone(), payload })
    }
}

impl Service<RequestPacket> for Embedded {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, packet: RequestPacket) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            Ok(match packet {
                RequestPacket::Single(request) => ResponsePacket::Single(this.answer(&request)?),
                RequestPacket::Batch(requests) => ResponsePacket::Batch(
                    requests
                        .iter()
                        .map(|request| this.answer(request))
                        .collect::<Result<_, _>>()?,
                ),
            })
        })
    }
}
