//! Requests on their way to the node: on threads that may block, a bounded number at once.
//!
//! What executes code and what only looks something up are counted apart, so that the one never waits for the other.
//! Gas bounds how long a call runs (50 million, whatever it asks for), and nothing else does: no call has to be cut off.
//! JSON takes up to some eighty times its length in memory, so that a request of many small values is refused.
//! A request that panics is answered with an internal error; the thread and the node live on.

use super::{Limits, gate::Blocked};
use crate::{node::Node, rpc::RpcError};
use jsonrpsee::{
    core::middleware::{Batch, BatchEntry, Notification},
    server::{
        BatchResponseBuilder, MethodResponse, ResponsePayload,
        middleware::rpc::{RpcService, RpcServiceT},
    },
    types::{ErrorCode, ErrorObject, ErrorObjectOwned, Id, Request},
};
use serde_json::{Value, value::RawValue};
use std::{borrow::Cow, sync::Arc};
use tokio::sync::Semaphore;
use tower::Layer;

/// Most values in the parameters of a request. Without long texts among them 5 MB hold no more storage slots to set.
const VALUES: usize = 100_000;
/// Requests of one connection that run at once.
const AT_ONCE: usize = 8;
/// Bytes that a request takes beside its parameters, about.
const REQUEST: usize = 1 << 10;

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
    /// Bytes of requests that wait or run.
    waiting: Semaphore,
    max_response: usize,
}

/// Puts [`Dispatch`] before jsonrpsee's own service, for the requests of one connection.
#[derive(Clone)]
pub(super) struct DispatchLayer {
    shared: Arc<Shared>,
    blocked: Blocked,
    running: Arc<Semaphore>,
}

impl DispatchLayer {
    pub(super) fn new(shared: Arc<Shared>, blocked: Blocked) -> Self {
        Self { shared, blocked, running: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Layer<RpcService> for DispatchLayer {
    type Service = Dispatch;

    fn layer(&self, inner: RpcService) -> Dispatch {
        let Self { shared, blocked, running } = self.clone();
        Dispatch { inner, shared, blocked, running }
    }
}

/// Answers the requests of one connection.
#[derive(Clone)]
pub(super) struct Dispatch {
    /// Knows the connection's subscriptions.
    inner: RpcService,
    shared: Arc<Shared>,
    blocked: Blocked,
    running: Arc<Semaphore>,
}

impl Dispatch {
    /// Runs a request once the client has read enough of its other answers.
    async fn run(mut self, request: Request<'_>) -> MethodResponse {
        if matches!(request.method_name(), "eth_subscribe" | "eth_unsubscribe") {
            return match request.extensions.get::<CanNotify>() {
                Some(_) => self.inner.call(request).await,
                None => refusal(request.id, -32_601, "notifications not supported"),
            };
        }
        let Ok(_running) = self.running.acquire().await else {
            return MethodResponse::error(request.id, ErrorCode::InternalError);
        };
        self.blocked.over().await;
        self.shared.run(request).await
    }
}

impl RpcServiceT for Dispatch {
    type MethodResponse = MethodResponse;
    type BatchResponse = MethodResponse;
    type NotificationResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let Ok(_room) = this.shared.waiting.try_acquire_many(size(request.params.as_ref()))
            else {
                return too_many(request.id);
            };
            this.clone().run(request).await
        }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move {
            let sizes = batch.iter().flatten().map(|entry| size(entry.params()));
            let Ok(_room) = this.shared.waiting.try_acquire_many(sizes.sum()) else {
                return too_many(Id::Null);
            };
            let is_empty = batch.is_empty();
            let mut answers = BatchResponseBuilder::new_with_limit(this.shared.max_response);
            for entry in batch {
                let answer = match entry {
                    Ok(BatchEntry::Call(request)) => this.clone().run(request).await,
                    Ok(BatchEntry::Notification(notification)) => {
                        this.clone().run(with_id(notification)).await;
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
        let answer = self.call(with_id(notification));
        async move {
            answer.await;
            no_answer()
        }
    }
}

fn with_id(notification: Notification<'_>) -> Request<'_> {
    let Notification { method, params, .. } = notification;
    let params = params.map(Cow::into_owned);
    Request::owned(method.into(), params, Id::Null)
}

/// Bytes that a request takes while it waits, about.
fn size(params: Option<&Cow<'_, RawValue>>) -> u32 {
    let length = params.map_or(0, |params| params.get().len());
    u32::try_from(REQUEST + length).unwrap_or(u32::MAX)
}

fn too_many(id: Id<'_>) -> MethodResponse {
    refusal(id, -32_005, "too many requests wait for an answer")
}

fn refusal(id: Id<'_>, code: i32, message: &str) -> MethodResponse {
    MethodResponse::error(id, ErrorObject::owned(code, message, None::<()>))
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
            waiting: Semaphore::new(limits.waiting as usize),
            max_response: limits.response as usize,
        })
    }

    /// Runs a request on the node when its turn comes.
    async fn run(self: &Arc<Self>, request: Request<'_>) -> MethodResponse {
        let Request { id, method, params, .. } = request;
        let (id, method) = (id.into_owned(), method.into_owned());
        let params = params.map(Cow::into_owned);
        let values = |text: &str| text.bytes().filter(|byte| b",[{".contains(byte)).count();
        if params.as_ref().is_some_and(|params| values(params.get()) > VALUES) {
            return refusal(id, -32_602, "too many values");
        }
        let turns = if is_heavy(&method) { &self.heavy } else { &self.light };
        let Ok(turn) = turns.clone().acquire_owned().await else {
            return MethodResponse::error(id, ErrorCode::InternalError);
        };
        let (this, for_answer) = (self.clone(), id.clone());
        let done = tokio::task::spawn_blocking(move || {
            // The turn is the thread's, even where nobody waits for the answer any more.
            let _turn = turn;
            let params =
                params.map_or(Ok(Value::Null), |params| serde_json::from_str(params.get()));
            let answer = params
                .map_err(|error| RpcError::invalid_params(error.to_string()))
                .and_then(|params| this.node.handle(&method, params));
            match answer {
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

/// Whether a method may execute code, wait for a writer, or go through much of the chain.
fn is_heavy(method: &str) -> bool {
    const PREFIXES: [&str; 8] =
        ["eth_call", "eth_send", "debug_", "trace_", "evm_", "anvil_", "hardhat_", "inkling_"];
    PREFIXES.iter().any(|prefix| method.starts_with(prefix))
        || matches!(
            method,
            "eth_estimateGas" | "eth_createAccessList" | "eth_getLogs" | "eth_getFilterLogs"
        )
}

pub(super) fn object(error: RpcError) -> ErrorObjectOwned {
    let code = i32::try_from(error.code).unwrap_or(ErrorCode::InternalError.code());
    ErrorObjectOwned::owned(code, error.message, error.data)
}
