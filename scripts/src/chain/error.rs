//! Why a chain could not be asked, or said no.

use super::RECEIPT_TIMEOUT;
use crate::abi;
use alloy::{
    primitives::{Address, B256},
    transports::TransportError,
};

/// Why the chain could not be asked or said no.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not the URL of an endpoint.
    #[error("{0} is not the URL of an endpoint, expected http:// or https://")]
    Url(String),
    /// The environment variable with the key is missing or holds none. Its value is never shown.
    #[error("the environment variable {0} does not hold a private key, expected 32 bytes in hex")]
    Key(String),
    /// A transaction on an endpoint, and no key.
    #[error("{0} is a transaction: it needs --private-key-env")]
    NoKey(&'static str),
    /// The endpoint cannot be reached, or did not like the request.
    #[error("{what}: {message}")]
    Transport {
        /// What was asked.
        what: &'static str,
        /// What the transport or the node said.
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

/// A refusal with its reason, or whatever else went wrong.
pub(super) fn said(what: &'static str, error: TransportError) -> Error {
    let Some(payload) = error.as_error_resp() else {
        return Error::Transport { what, message: error.to_string() };
    };
    match payload.as_revert_data().and_then(|data| abi::decode_error(&data)) {
        Some(reason) => Error::Reverted { what, reason },
        None => {
            Error::Transport { what, message: payload.message.trim_end_matches([':', ' ']).into() }
        }
    }
}
