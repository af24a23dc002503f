//! What stands before JSON-RPC: who may ask, how much and how slowly.
//!
//! A browser lets any web page send requests to a port of this machine. Which pages may read the answers says CORS
//! ([`cors`]); a page whose host name was made to point to this machine is told by the `Host` header that it sends
//! (`rpc.vhosts` in geth). A request's body is read here, whole and within a time, so that slow senders hold neither a
//! thread nor more than a bounded memory.

use super::{
    ServerConfig, ServerError,
    dispatch::{CanNotify, NoAnswer},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::{Body, Bytes, Incoming},
    header::{CONNECTION, CONTENT_TYPE, HOST, HeaderValue, ORIGIN},
    http::uri::Authority,
};
use jsonrpsee::server::{HttpBody, http::response::too_large, ws::is_upgrade_request};
use std::net::{IpAddr, SocketAddr};
use tokio::{sync::Semaphore, time::timeout};
use tower::Service;
use tower_http::cors::{AllowOrigin, Any, CorsLayer};

/// Bodies up to this length, in bytes, are not counted among those that are held.
const SMALL: u64 = 16 << 10;

/// For whoever opens the endpoint in a browser.
const HELP: &str =
    "An Inkling node: JSON-RPC by POST with content type application/json, or over WebSocket.\n";

/// Which pages' scripts may read answers.
pub(super) fn cors(origins: &[String]) -> Result<CorsLayer, ServerError> {
    let layer =
        CorsLayer::new().allow_methods([Method::GET, Method::POST]).allow_headers([CONTENT_TYPE]);
    if origins.iter().any(|origin| origin == "*") {
        return Ok(layer.allow_origin(Any));
    }
    let parse = |origin: &String| {
        HeaderValue::from_str(origin).map_err(|_| ServerError::Origin(origin.clone()))
    };
    let origins: Vec<HeaderValue> = origins.iter().map(parse).collect::<Result<_, _>>()?;
    Ok(layer.allow_origin(AllowOrigin::list(origins)))
}

/// What decides who comes in; shared by all connections.
pub(super) struct Door {
    config: ServerConfig,
    is_loopback: bool,
    held: Semaphore,
}

impl Door {
    pub(super) fn new(config: &ServerConfig, address: SocketAddr) -> Self {
        Self {
            is_loopback: address.ip().is_loopback(),
            held: Semaphore::new(config.limits.held.max(config.limits.request) as usize),
            config: config.clone(),
        }
    }

    /// Whether a request names this machine, and not a name that somebody has made to point to it.
    fn host_is_ours(&self, headers: &HeaderMap) -> bool {
        let Some(host) = headers.get(HOST) else { return true };
        let Some(host) = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()) else {
            return false;
        };
        let host = host.host().trim_matches(['[', ']']);
        !self.is_loopback
            || host.parse::<IpAddr>().is_ok()
            || ["localhost", &self.config.host].iter().any(|ours| host.eq_ignore_ascii_case(ours))
    }

    /// Whether a page may open a WebSocket, which CORS does not guard.
    fn origin_is_welcome(&self, headers: &HeaderMap) -> bool {
        let Some(origin) = headers.get(ORIGIN) else { return true };
        self.config.cors.iter().any(|allowed| allowed == "*" || allowed.as_bytes() == origin)
    }

    /// Answers a request, or lets `rpc` do it.
    pub(super) async fn answer<R>(
        &self,
        mut rpc: R,
        request: Request<Incoming>,
    ) -> Response<HttpBody>
    where
        R: Service<Request<HttpBody>, Response = Response<HttpBody>>,
    {
        let is_ours = self.host_is_ours(request.headers());
        if is_ours && is_upgrade_request(&request) {
            if !self.origin_is_welcome(request.headers()) {
                return text(StatusCode::FORBIDDEN, "origin not allowed\n");
            }
            let mut request = request.map(HttpBody::new);
            request.extensions_mut().insert(CanNotify);
            return ask(&mut rpc, request).await;
        }

        let (head, body) = request.into_parts();
        let most = u64::from(self.config.limits.request);
        let length = body.size_hint().upper().unwrap_or(most);
        let held = if length <= SMALL { 0 } else { length.min(most) as u32 };
        let Ok(_held) = self.held.acquire_many(held).await else {
            return text(StatusCode::SERVICE_UNAVAILABLE, "");
        };
        // Also of a request that is refused: a connection can go on only after the whole request.
        let body = match self.read(body).await {
            Ok(body) => body,
            Err(mut refusal) => {
                refusal.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                return refusal;
            }
        };
        if !is_ours {
            return text(StatusCode::FORBIDDEN, "invalid host specified\n");
        }
        if head.method == Method::GET {
            return text(StatusCode::OK, HELP);
        }
        ask(&mut rpc, Request::from_parts(head, HttpBody::new(Full::new(body)))).await
    }

    /// The body, if it is not too large and comes in time.
    async fn read(&self, body: Incoming) -> Result<Bytes, Response<HttpBody>> {
        let most = self.config.limits.request;
        if body.size_hint().lower() > u64::from(most) {
            return Err(too_large(most));
        }
        let body = Limited::new(body, most as usize).collect();
        match timeout(self.config.limits.body_timeout, body).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(most)),
            Ok(Err(_)) => Err(text(StatusCode::BAD_REQUEST, "the request broke off\n")),
            Err(_) => Err(text(StatusCode::REQUEST_TIMEOUT, "the request took too long\n")),
        }
    }
}

/// What JSON-RPC says. Where the request needs no answer, the body is empty.
async fn ask<R>(rpc: &mut R, request: Request<HttpBody>) -> Response<HttpBody>
where
    R: Service<Request<HttpBody>, Response = Response<HttpBody>>,
{
    match rpc.call(request).await {
        Ok(answer) if answer.extensions().get::<NoAnswer>().is_some() => text(StatusCode::OK, ""),
        Ok(answer) => answer,
        Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, ""),
    }
}

fn text(status: StatusCode, text: &'static str) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    response
}
