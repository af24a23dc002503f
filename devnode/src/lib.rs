//! An embedded Arbitrum chain: accounts, blocks and transactions in one process, with the gas of a live chain.
//!
//! EVM code runs in [revm](https://docs.rs/revm), code that begins `ef f0 00` in the Stylus VM of [`stylus`]. A chain
//! is a value ([`Chain`]); a [`Node`] shares one and answers JSON-RPC; [`Embedded`] is a transport that lets an alloy
//! provider talk to a node as it would to an HTTP endpoint.
//!
//! ```text
//! alloy Provider ─ transport ─► node (rpc) ─► chain ─► handler ─► evm ─┬─ revm interpreter
//!                                                                      ├─ precompiles (ArbWasm, …) ─ arbos
//!                                                                      └─ programs ─ stylus ─ frame_host ─┐
//!                                                          nested frames ◄─────────────────────────────────┘
//! ```
//!
//! The rules are those of ArbOS 51; each module names the file of Nitro that a rule comes from. What a live chain
//! has and this one does not: an L1 (data is posted to none, though a price for it can be set), a base fee that moves by
//! itself, state roots.

pub mod arbos;
pub mod block;
pub mod chain;
pub mod config;
mod data_pricer;
mod error;
pub mod evm;
mod frame_host;
pub mod handler;
pub mod l1_pricing;
pub mod memory;
pub mod node;
pub mod node_interface;
pub mod precompiles;
pub mod predeploys;
mod programs;
pub mod recent;
pub mod replay;
mod rpc;
pub mod server;
pub mod state;
pub mod stylus;
#[cfg(test)]
mod tests;
pub mod time;
mod trace;
pub mod transport;
pub mod tx;
mod vector;

pub use block::{Block, TxRecord};
pub use chain::{At, CallOptions, Chain, StateFileError};
pub use config::ChainConfig;
pub use error::ChainError;
pub use node::{Node, NodeEvent};
pub use rpc::RpcError;
pub use state::State;
pub use transport::Embedded;
pub use tx::{TxOutcome, TxRequest, TxStatus};
