//! Why a chain could not be asked, or said no.

use super::RECEIPT_TIMEOUT;
use crate::{abi, accounts};
use alloy::{
    primitives::{Address, B256},
    transports::{TransportError, TransportErrorKind},
};

/// Why the chain could not be asked or said no.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL with this number, counted from 1, is none of an endpoint. It is not shown, for it may hold a key.
    #[error("--rpc number {0} is not the URL of an endpoint, expected http:// or https://")]
    Url(usize),
    /// No chain is named.
    #[error("which chain? Give --network or --rpc")]
    NoNetwork,
    /// The chain is not the one that was meant, or two endpoints are of different chains.
    #[error("the chain of {endpoint} has the id {got}, expected {expected}")]
    ChainId {
        /// Whose chain it is.
        endpoint: String,
        /// Its id.
        got: u64,
        /// The id that it should have.
        expected: u64,
    },
    /// The account cannot be used.
    #[error(transparent)]
    Account(#[from] accounts::Error),
    /// A transaction on an endpoint, and no account.
    #[error("{0} is a transaction: it needs an account, such as --keystore or --private-key-env")]
    NoKey(&'static str),
    /// The endpoint cannot be reached, or did not like the request.
    #[error("{what}: {message}")]
    Transport {
        /// What was asked.
        what: &'static str,
        /// What the transport or the node said.
        message: String,
        /// Whether the same request may succeed a little later: nobody answered, or there were too many requests.
        temporary: bool,
    },
    /// The wallet did not sign.
    #[error("{what} was not signed: {message}")]
    Signing {
        /// What was to be signed.
        what: &'static str,
        /// Why.
        message: String,
    },
    /// The contract refused.
    #[error("{what} was refused: {reason}")]
    Reverted {
        /// What was asked.
        what: &'static str,
        /// The contract's error with its arguments.
        reason: String,
    },
    /// A transaction that was expected to succeed did not.
    #[error("{what} failed in transaction {hash}, although its estimate succeeded")]
    Failed {
        /// What was asked.
        what: &'static str,
        /// The transaction.
        hash: B256,
    },
    /// A transaction was sent and not included.
    #[error("no receipt of {what} within {} s (transaction {hash})", RECEIPT_TIMEOUT.as_secs())]
    NoReceipt {
        /// What was asked.
        what: &'static str,
        /// The transaction.
        hash: B256,
    },
    /// The answer is not what the interface says; mostly there is no such contract.
    #[error(
        "{what}: {address} answered {bytes} bytes that are no answer to it; is the contract there?"
    )]
    Answer {
        /// What was asked.
        what: &'static str,
        /// Who was asked.
        address: Address,
        /// Length of the answer.
        bytes: usize,
    },
}

impl Error {
    /// See [`crate::Error::exit_code`].
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Url(_) | Self::NoNetwork | Self::NoKey(_) => 2,
            Self::ChainId { .. } | Self::Account(_) => 4,
            _ => 3,
        }
    }

    /// Whether the same request may succeed a little later.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Transport { temporary: true, .. })
    }
}

/// Codes of JSON-RPC errors that mean "not so fast": geth's and Infura's limit (EIP-1474), and HTTP's.
const RATE_LIMITS: [i64; 2] = [-32_005, 429];

/// A refusal with its reason, or whatever else went wrong.
pub(super) fn said(what: &'static str, error: TransportError) -> Error {
    let Some(payload) = error.as_error_resp() else {
        let temporary = match error.as_transport_err() {
            // A request that is wrong stays wrong; what concerns the server or the way to it may pass.
            Some(TransportErrorKind::HttpError(http)) => {
                http.status == 408 || http.status == 429 || http.status >= 500
            }
            Some(kind) => !kind.is_non_retryable(),
            // An answer cut short.
            None => error.is_deser_error(),
        };
        return Error::Transport { what, message: error.to_string(), temporary };
    };
    match payload.as_revert_data().and_then(|data| abi::decode_error(&data)) {
        Some(reason) => Error::Reverted { what, reason },
        None => Error::Transport {
            what,
            message: payload.message.trim_end_matches([':', ' ']).into(),
            temporary: RATE_LIMITS.contains(&payload.code),
        },
    }
}
