//! Requests on their way to the node: on threads that may block, a bounded number at once.
//!
//! What executes code and what only looks something up are counted apart, so that the one never waits for the other.
//! A request that panics is answered with an internal error; the thread and the node live on.

use super::Limits;
use crate::{node::Node, rpc::RpcError};
use jsonrpsee::{
    core::middleware::{Batch, BatchEntry, Notification},
    server::{
        BatchResponseBuilder, MethodResponse, ResponsePayload,
        middleware::rpc::{RpcService, RpcServiceT},
    },
    types::{ErrorCode, ErrorObjectOwned, Id, Request},
};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tower::Layer;

/// In the extensions of a request that came over a connection which can be sent notifications.
#[derive(Clone, Copy)]
pub(super) struct CanNotify;

/// In the extensions of an answer that must not be sent: the request was a notification.
#[derive(Clone, Copy)]
pub(super) struct NoAnswer;

/// What all connections share.
pub(super) struct Shared {
    node: Node,
    heavy: Arc<Semaphore>,
    light: Arc<Semaphore>,
    waiting: Semaphore,
    max_response: usize,
}

/// Puts [`Dispatch`] before jsonrpsee's own service.
#[derive(Clone)]
pub(super) struct DispatchLayer(pub(super) Arc<Shared>);

impl Layer<RpcService> for DispatchLayer {
    type Service = Dispatch;

    fn layer(&self, inner: RpcService) -> Dispatch {
        Dispatch { inner, shared: self.0.clone() }
    }
}

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Dispatch {
    /// Knows the connection's subscriptions.
    inner: RpcService,
    shared: Arc<Shared>,
}

impl RpcServiceT for Dispatch {
    type MethodResponse = MethodResponse;
    type BatchResponse = MethodResponse;
    type NotificationResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            match request.method_name() {
                "eth_subscribe" | "eth_unsubscribe" => {
                    match request.extensions.get::<CanNotify>() {
                        Some(_) => this.inner.call(request).await,
                        None => {
                            let error = RpcError {
                                code: -32_601,
                                message: "notifications not supported".into(),
                                data: None,
                            };
                            MethodResponse::error(request.id, object(error))
                        }
                    }
                }
                _ => this.shared.answer(request).await,
            }
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let is_empty = batch.is_empty();
            let mut answers = BatchResponseBuilder::new_with_limit(this.shared.max_response);
            for entry in batch {
                let answer = match entry {
                    Ok(BatchEntry::Call(request)) => this.call(request).await,
                    Ok(BatchEntry::Notification(notification)) => {
                        this.notification(notification).await;
                        continue;
                    }
                    Err(error) => {
                        let (error, id) = error.into_parts();
                        MethodResponse::error(id, error)
                    }
                };
                if let Err(too_large) = answers.append(answer) {
                    return too_large;
                }
            }
            match answers.is_empty() && !is_empty {
                true => no_answer(),
                false => MethodResponse::from_batch(answers.finish()),
            }
        }
    }

    /// A request without an id is carried out, but not answered.
    fn notification<'a>(
        &self,
        notification: Notification<'a>,
    ) -> impl Future<Output = MethodResponse> + Send + 'a {
        let shared = self.shared.clone();
        async move {
            let Notification { method, params, .. } = notification;
            shared
                .answer(Request::owned(method.into(), params.map(|p| p.into_owned()), Id::Null))
                .await;
            no_answer()
        }
    }
}

fn no_answer() -> MethodResponse {
    let mut answer = MethodResponse::notification();
    answer.extensions_mut().insert(NoAnswer);
    answer
}

impl Shared {
    pub(super) fn new(node: Node, limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            node,
            heavy: Arc::new(Semaphore::new(limits.running)),
            light: Arc::new(Semaphore::new(limits.running)),
            waiting: Semaphore::new(limits.waiting),
            max_response: limits.response as usize,
        })
    }

    /// Runs a request on the node when its turn comes.
    async fn answer(self: &Arc<Self>, request: Request<'_>) -> MethodResponse {
        let id = request.id.clone().into_owned();
        let Ok(_waiting) = self.waiting.try_acquire() else {
            return MethodResponse::error(
                id,
                object(RpcError {
                    code: -32_005,
                    message: "too many requests wait for an answer".into(),
                    data: None,
                }),
            );
        };
        let params = match request.params.as_ref().map(|params| serde_json::from_str(params.get()))
        {
            None => Value::Null,
            Some(Ok(params)) => params,
            Some(Err(error)) => {
                return MethodResponse::error(
                    id,
                    object(RpcError::invalid_params(error.to_string())),
                );
            }
        };
        let method = request.method.into_owned();
        let turns = if is_heavy(&method) { &self.heavy } else { &self.light };
        let Ok(turn) = turns.clone().acquire_owned().await else {
            return MethodResponse::error(id, ErrorCode::InternalError);
        };
        let (this, for_answer) = (self.clone(), id.clone());
        let done = tokio::task::spawn_blocking(move || {
            // The turn is the thread's, even where nobody waits for the answer any more.
            let _turn = turn;
            match this.node.handle(&method, params) {
                Ok(value) => {
                    let payload = ResponsePayload::success(value);
                    MethodResponse::response(for_answer, payload, this.max_response)
                }
                Err(error) => MethodResponse::error(for_answer, object(error)),
            }
        });
        done.await.unwrap_or_else(|_panicked| MethodResponse::error(id, ErrorCode::InternalError))
    }
}

/// Whether a method may execute code, or go through much of the chain.
fn is_heavy(method: &str) -> bool {
    matches!(
        method,
        "eth_call" | "eth_estimateGas" | "eth_createAccessList" | "eth_simulateV1" | "eth_getLogs"
    ) || ["eth_send", "debug_", "trace_", "evm_"].iter().any(|prefix| method.starts_with(prefix))
}

pub(super) fn object(error: RpcError) -> ErrorObjectOwned {
    let code = i32::try_from(error.code).unwrap_or(ErrorCode::InternalError.code());
    ErrorObjectOwned::owned(code, error.message, error.data)
}
