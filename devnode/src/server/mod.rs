//! A node behind a socket: JSON-RPC over HTTP and WebSocket on one port.
//!
//! [`jsonrpsee`] reads requests, batches and subscriptions; `dispatch` hands each request to [`Node::handle`] on a thread
//! that may block; `subscriptions` answers `eth_subscribe`; `http` is what stands before them: who may ask, how much and
//! how slowly; `gate` keeps a client from asking for more than it reads. Limits are geth's where geth has one
//! (`node/defaults.go` and `rpc/http.go` in go-ethereum), so that what works here works there.
//!
//! ```
//! # use inkling_devnode::{Chain, ChainConfig, Node, server::{self, ServerConfig}};
//! # #[tokio::main] async fn main() -> Result<(), server::ServerError> {
//! let node = Node::new(Chain::new(ChainConfig::default()));
//! let server = server::serve(node, ServerConfig { port: 0, ..ServerConfig::default() }).await?;
//! println!("http://{0} and ws://{0}", server.address());
//! server.stop().await;
//! # Ok(()) }
//! ```

mod dispatch;
mod gate;
mod http;
mod subscriptions;

use crate::node::Node;
use dispatch::{DispatchLayer, Shared};
use gate::Gate;
use http::{Door, cors};
use hyper::{body::Incoming, server::conn::http1, service::HttpService};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use jsonrpsee::server::{
    BatchRequestConfig, HttpBody, PingConfig, Server, StopHandle,
    middleware::rpc::RpcServiceBuilder, stop_channel,
};
use std::{
    convert::Infallible, error::Error, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::ServiceBuilder;

/// How a node is served.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Address or name of the interface to listen on; loopback by default.
    pub host: String,
    /// Port, 8547 by default as for Nitro's; 0 for any that is free.
    pub port: u16,
    /// Origins of web pages that may ask, `*` for all, which is the default.
    pub cors: Vec<String>,
    /// What a client may ask for.
    pub limits: Limits,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 8547,
            cors: vec!["*".into()],
            limits: Limits::default(),
        }
    }
}

/// What a client may ask for. [`Default`] is geth's where geth has such a limit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request, a batch or a WebSocket message: 5 MiB.
    pub request: u32,
    /// Bytes of an answer, be it to a batch: 25 MB.
    pub response: u32,
    /// Requests in a batch: 1,000.
    pub batch: u32,
    /// Bytes of large HTTP requests that are held at once; more wait to be read: 64 MiB.
    pub held: u32,
    /// Connections; more wait until one ends: 1,000.
    pub connections: usize,
    /// Requests that run at once, of those that execute code and of others each: 8.
    pub running: usize,
    /// Bytes of requests that run or wait to; more are refused: 128 MiB.
    pub waiting: u32,
    /// Subscriptions of a connection: 128.
    pub subscriptions: u32,
    /// How long a connection may take to send the head of its next request: 60 s.
    pub head_timeout: Duration,
    /// How long an HTTP request may take to arrive: 30 s.
    pub body_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            request: 5 << 20,
            response: 25_000_000,
            batch: 1_000,
            held: 64 << 20,
            connections: 1_000,
            running: 8,
            waiting: 128 << 20,
            subscriptions: 128,
            head_timeout: Duration::from_secs(60),
            body_timeout: Duration::from_secs(30),
        }
    }
}

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is taken, or is none of this machine's.
    #[error("cannot listen on {host}:{port}: {source}")]
    Listen {
        /// Host as configured.
        host: String,
        /// Port as configured.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// An origin that no header could hold.
    #[error("{0:?} is not an origin, expected * or the like of http://localhost:3000")]
    Origin(String),
}

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub struct ServerHandle {
    address: SocketAddr,
    stopper: jsonrpsee::server::ServerHandle,
}

impl ServerHandle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, and waits until requests that run are answered and connections closed.
    pub async fn stop(self) {
        // Fails only where it has stopped by itself.
        let _ = self.stopper.stop();
        self.stopper.stopped().await;
    }
}

/// Serves `node` until the handle is dropped.
///
/// # Errors
/// [`ServerError::Listen`], [`ServerError::Origin`].
pub async fn serve(node: Node, config: ServerConfig) -> Result<ServerHandle, ServerError> {
    let cors = cors(&config.cors)?;
    let listen =
        |source| ServerError::Listen { host: config.host.clone(), port: config.port, source };
    let listener = TcpListener::bind((&*config.host, config.port)).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;

    let limits = config.limits;
    let (stop, stopper) = stop_channel();
    let rpc = Server::builder()
        .set_config(
            jsonrpsee::server::ServerConfig::builder()
                .max_request_body_size(limits.request)
                .max_response_body_size(limits.response)
                .set_batch_request_config(BatchRequestConfig::Limit(limits.batch))
                .max_subscriptions_per_connection(limits.subscriptions)
                .enable_ws_ping(PingConfig::new())
                .set_id_provider(subscriptions::HexIds)
                // Answers may be large. What waits here is not yet in the socket's buffer.
                .set_message_buffer_capacity(4)
                // Connections are counted where they are accepted.
                .max_connections(u32::MAX)
                .build(),
        )
        .to_service_builder();
    let shared = Shared::new(node.clone(), &limits);
    let methods = subscriptions::methods(node);
    let door = Arc::new(Door::new(&config, address));
    let connections = Arc::new(Semaphore::new(limits.connections));
    tokio::spawn(async move {
        let mut stopped = pin!(stop.clone().shutdown());
        loop {
            let (socket, permit) = tokio::select! {
                accepted = accept(&listener, &connections) => accepted,
                () = &mut stopped => break,
            };
            let (socket, blocked) = Gate::new(socket);
            let layer = DispatchLayer::new(shared.clone(), blocked);
            let rpc = rpc.clone().set_rpc_middleware(RpcServiceBuilder::new().layer(layer));
            let (door, rpc) = (door.clone(), rpc.build(methods.clone(), stop.clone()));
            let service = ServiceBuilder::new().layer(cors.clone()).service_fn(move |request| {
                let (door, rpc) = (door.clone(), rpc.clone());
                async move { Ok::<_, Infallible>(door.answer(rpc, request).await) }
            });
            let service = TowerToHyperService::new(service);
            tokio::spawn(connection(socket, service, limits.head_timeout, stop.clone(), permit));
        }
    });
    Ok(ServerHandle { address, stopper })
}

/// The next connection, once there is room for one.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> (TcpStream, OwnedSemaphorePermit) {
    loop {
        let Ok(permit) = connections.clone().acquire_owned().await else {
            return std::future::pending().await; // never: the semaphore is not closed
        };
        match listener.accept().await {
            Ok((socket, _)) => {
                // Else each small answer waits for the client's acknowledgement of the one before.
                let _ = socket.set_nodelay(true);
                return (socket, permit);
            }
            // The client is gone already, or the process is out of files until others close theirs.
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Serves one connection to its end.
async fn connection(
    socket: Gate<TcpStream>,
    service: impl HttpService<Incoming, ResBody = HttpBody, Error: Error + Send + Sync, Future: Send>,
    head_timeout: Duration,
    stop: StopHandle,
    permit: OwnedSemaphorePermit,
) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    // How a connection ends is the client's affair.
    let _ = tokio::select! {
        result = &mut connection => result,
        () = stop.shutdown() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    drop(permit);
}
