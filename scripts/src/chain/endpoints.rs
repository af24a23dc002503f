//! Several endpoints of one chain as a transport of alloy's.
//!
//! Requests go to one endpoint until it fails, then to the next; when all have failed they wait, twice as long each time
//! and at least as long as a `Retry-After` says, and begin anew. alloy has layers for both. Its `FallbackLayer` asks
//! several endpoints at once and takes the first answer, also of one that lags behind, so that a nonce may be an old one
//! and each request counts against every limit; its `RetryBackoffLayer` waits the same time again and again, and only after
//! 429 and 503.
//!
//! An endpoint is asked for its chain id before anything else, also when it was down at first. A provider's URL often
//! holds a key: errors and logs name scheme and host only.

use super::{Error, RpcUrl, error::said};
use alloy::{
    rpc::json_rpc::{Id, Request, RequestPacket, ResponsePacket, RpcError},
    transports::{TransportError, TransportErrorKind, TransportFut, http::Http},
};
use reqwest::Client;
use std::{
    error::Error as _,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::time::Instant;
use tower_service::Service;

/// How often all endpoints are tried; the pauses between add up to 16 s.
const ROUNDS: u32 = 7;

/// How often they are when none has ever answered: rather a wrong URL than a bad moment.
const FIRST_ROUNDS: u32 = 3;

/// The first pause; each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A server may ask for a longer pause, but not for one beyond this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Characters of a server's words that an error shows.
const SAID: usize = 200;

/// An endpoint, and whether it is known to be of the chain.
struct Endpoint {
    name: String,
    http: Http<Client>,
    checked: AtomicBool,
}

/// Why an endpoint gave no answer.
struct Failure {
    error: TransportError,
    /// How long to wait before it is worth asking again; `None` where it is not.
    again: Option<Duration>,
}

/// The endpoints, in order of preference.
struct Shared {
    endpoints: Vec<Endpoint>,
    /// Which one is asked.
    current: AtomicUsize,
    chain_id: u64,
    /// Time between requests, and when the next may go.
    pace: Option<(Duration, Mutex<Instant>)>,
}

/// The transport.
#[derive(Clone)]
pub(super) struct Endpoints(Arc<Shared>);

impl Endpoints {
    /// Asks all endpoints for their chain id, which must be the same, and `expected` where it is given; those that do not
    /// answer are kept for later. At most `rate` requests a second are made.
    ///
    /// # Errors
    /// [`Error::ChainId`], [`Error::Url`]; [`Error::Transport`] where none answers.
    pub(super) async fn connect(
        urls: &[RpcUrl],
        expected: Option<u64>,
        rate: Option<NonZeroU32>,
    ) -> Result<Self, Error> {
        // Fails only where it was done before.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().connect_timeout(CONNECT_TIMEOUT).timeout(TIMEOUT).build();
        let client = client.map_err(|error| transport(cause(&error)))?;
        let mut endpoints = Vec::new();
        for (number, url) in (1..).zip(urls) {
            let parsed = url.url().ok_or(Error::Url(number))?;
            let http = Http::with_client(client.clone(), parsed.clone());
            endpoints.push(Endpoint { name: url.to_string(), http, checked: false.into() });
        }
        let mut failure = Error::NoNetwork;
        for round in 0..FIRST_ROUNDS {
            let (mut found, mut pause) = (expected, None);
            for endpoint in &endpoints {
                match endpoint.chain_id().await {
                    Ok(got) if found.is_none_or(|id| id == got) => {
                        found = Some(got);
                        endpoint.checked.store(true, Relaxed);
                    }
                    Ok(got) => {
                        let (endpoint, expected) = (endpoint.name.clone(), found.unwrap_or(got));
                        return Err(Error::ChainId { endpoint, got, expected });
                    }
                    Err(Failure { error, again }) => {
                        tracing::warn!("{error}");
                        failure = said("eth_chainId", error);
                        pause = pause.max(again);
                    }
                }
            }
            let first = endpoints.iter().position(|endpoint| endpoint.checked.load(Relaxed));
            if let (Some(first), Some(chain_id)) = (first, found) {
                let gap = rate.map(|rate| Duration::from_secs(1) / rate.get());
                let pace = gap.map(|gap| (gap, Mutex::new(Instant::now())));
                let current = first.into();
                return Ok(Self(Arc::new(Shared { endpoints, current, chain_id, pace })));
            }
            match pause {
                Some(pause) if round + 1 < FIRST_ROUNDS => wait(round, pause).await,
                _ => break,
            }
        }
        Err(failure)
    }
}

impl Service<RequestPacket> for Endpoints {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move { shared.ask(&request).await })
    }
}

impl Shared {
    async fn ask(&self, request: &RequestPacket) -> Result<ResponsePacket, TransportError> {
        let count = self.endpoints.len();
        let mut round = 0;
        loop {
            let (mut pause, mut last) = (None, None);
            for _ in 0..count {
                self.take_turn().await;
                let index = self.current.load(Relaxed);
                let Some(endpoint) = self.endpoints.get(index) else { break };
                let Failure { error, again } = match endpoint.ask(request, self.chain_id).await {
                    Ok(answer) => return Ok(answer),
                    Err(failure) => failure,
                };
                tracing::warn!("{error}");
                pause = pause.max(again);
                last = Some(error);
                // Unless another request has moved on meanwhile.
                let next = (index + 1) % count;
                let _ = self.current.compare_exchange(index, next, Relaxed, Relaxed);
            }
            round += 1;
            match pause {
                Some(pause) if round < ROUNDS => wait(round - 1, pause).await,
                _ => return Err(last.unwrap_or_else(TransportErrorKind::backend_gone)),
            }
        }
    }

    /// Waits until a request may go.
    async fn take_turn(&self) {
        if let Some((gap, next)) = &self.pace {
            let turn = {
                let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                let turn = (*next).max(Instant::now());
                *next = turn + *gap;
                turn
            };
            tokio::time::sleep_until(turn).await;
        }
    }
}

impl Endpoint {
    async fn ask(&self, request: &RequestPacket, chain: u64) -> Result<ResponsePacket, Failure> {
        if !self.checked.load(Relaxed) {
            let got = self.chain_id().await?;
            if got != chain {
                let error = format!("{}: its chain is {got}, not {chain}", self.name);
                let error = TransportErrorKind::non_retryable_str(&error);
                return Err(Failure { error, again: None });
            }
            self.checked.store(true, Relaxed);
        }
        self.send(request.clone()).await
    }

    async fn chain_id(&self) -> Result<u64, Failure> {
        let request = Request::new("eth_chainId", Id::Number(0), ());
        let request = request
            .serialize()
            .map_err(|error| Failure { error: TransportError::ser_err(error), again: None })?;
        let answer = self.send(RequestPacket::Single(request)).await?;
        let id = match &answer {
            ResponsePacket::Single(answer) => answer.payload.as_success(),
            ResponsePacket::Batch(_) => None,
        };
        let id = id.and_then(|id| serde_json::from_str::<alloy::primitives::U64>(id.get()).ok());
        id.map(|id| id.to()).ok_or_else(|| Failure {
            error: TransportErrorKind::non_retryable_str(&format!(
                "{} knows no eth_chainId",
                self.name
            )),
            again: None,
        })
    }

    /// An answer, which may be an error of the node's; not one that says only that it is busy.
    async fn send(&self, request: RequestPacket) -> Result<ResponsePacket, Failure> {
        let answer = match self.http.clone().call(request).await {
            Ok(answer) => match answer.as_error() {
                Some(busy) if busy.is_retry_err() => Err((busy.message.to_string(), Some(None))),
                _ => return Ok(answer),
            },
            Err(error) => Err(judge(error)),
        };
        answer.map_err(|(said, again): (String, Option<Option<Duration>>)| {
            let said = said.chars().take(SAID).collect::<String>();
            let said = format!("{}: {said}", self.name);
            let error = match again {
                Some(_) => TransportErrorKind::custom_str(&said),
                None => TransportErrorKind::non_retryable_str(&said),
            };
            Failure { error, again: again.map(Option::unwrap_or_default) }
        })
    }
}

/// What went wrong, without a URL, and whether to ask again: after how long, if the server says so.
fn judge(error: TransportError) -> (String, Option<Option<Duration>>) {
    match error {
        RpcError::Transport(TransportErrorKind::Custom(error)) => {
            let said = match error.downcast::<reqwest::Error>() {
                Ok(error) => cause(&error),
                Err(error) => error.to_string(),
            };
            (said, Some(None))
        }
        RpcError::Transport(kind) => {
            let busy = |status: u16| matches!(status, 408 | 425 | 429 | 500..=599);
            let again = kind.as_http_error().is_none_or(|error| busy(error.status));
            (kind.to_string(), again.then_some(kind.retry_after()))
        }
        // Cut off, or a page of a proxy.
        RpcError::DeserError { .. } => ("its answer is no JSON-RPC".into(), Some(None)),
        other => (other.to_string(), None),
    }
}

/// The reason under all others, which does not show the URL.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut cause = error.source();
    while let Some(deeper) = cause.and_then(|error| error.source()) {
        cause = Some(deeper);
    }
    cause.map_or_else(|| "the connection failed".into(), ToString::to_string)
}

fn transport(message: String) -> Error {
    Error::Transport { what: "HTTP", message, temporary: false }
}

async fn wait(round: u32, at_least: Duration) {
    let pause = (FIRST_PAUSE * 2_u32.saturating_pow(round)).max(at_least).min(LONGEST_PAUSE);
    tracing::info!("asking again in {} ms", pause.as_millis());
    tokio::time::sleep(pause).await;
}
