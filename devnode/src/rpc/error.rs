//! Errors of JSON-RPC.

use crate::{error::ChainError, node_interface::NodeInterfaceError};
use serde_json::Value;

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

impl From<NodeInterfaceError> for RpcError {
    fn from(error: NodeInterfaceError) -> Self {
        Self::server(error.to_string())
    }
}

impl From<ChainError> for RpcError {
    fn from(error: ChainError) -> Self {
        Self::server(error.to_string())
    }
}
