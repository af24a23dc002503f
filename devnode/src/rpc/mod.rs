//! JSON-RPC methods, each a function from parameters to a result.
//!
//! Names, parameters, results and error texts are those of geth and Nitro, so far as a wallet or a library depends on
//! them. A method reads a published copy of the chain unless it changes something.
//!
//! | file | methods |
//! |---|---|
//! | [`call`] | `eth_call`, `eth_estimateGas`, `eth_createAccessList` |
//! | [`blocks`] | blocks, transactions and receipts as JSON, fees |
//! | [`logs`] | `eth_getLogs`, filters |
//! | [`accounts`] | the accounts that this node signs for, and those it pretends to |
//! | [`debug`] | what happened inside a transaction |
//! | [`dev`] | `evm_`, `anvil_`, `hardhat_`: what test modes of client libraries set |

mod accounts;
mod blocks;
mod call;
mod debug;
mod dev;
mod error;
mod logs;
mod params;

use crate::node::Node;
pub(crate) use accounts::Accounts;
use alloy_primitives::{B256, Bytes, U64, keccak256};
pub(crate) use blocks::header_json;
pub use error::RpcError;
pub(crate) use logs::{Filters, block_logs};
use params::Params;
use serde_json::{Value, json};

type RpcResult = Result<Value, RpcError>;

/// Answers one request.
pub(crate) fn dispatch(node: &Node, method: &str, params: Value) -> RpcResult {
    let p = Params::new(params)?;
    let chain = node.read();
    match method {
        "eth_chainId" => Ok(quantity(chain.config().chain_id)),
        "net_version" => Ok(json!(chain.config().chain_id.to_string())),
        "net_listening" => Ok(json!(true)),
        "net_peerCount" => Ok(quantity(0)),
        "web3_clientVersion" => Ok(json!(concat!("inkling-devnode/v", env!("CARGO_PKG_VERSION")))),
        "web3_sha3" => Ok(json!(keccak256(p.get::<Bytes>(0)?))),
        "rpc_modules" => Ok(json!({
            "debug": "1.0", "eth": "1.0", "evm": "1.0", "net": "1.0", "rpc": "1.0", "web3": "1.0"
        })),
        "eth_syncing" | "eth_mining" => Ok(json!(false)),
        "eth_hashrate" => Ok(quantity(0)),
        "eth_coinbase" => Ok(json!(chain.config().coinbase)),

        // State
        "eth_getBalance" => {
            let state = p.state(&chain, 1)?;
            Ok(json!(state.info(p.get(0)?).balance))
        }
        "eth_getTransactionCount" => {
            let state = p.state(&chain, 1)?;
            Ok(quantity(state.info(p.get(0)?).nonce))
        }
        "eth_getCode" => {
            let state = p.state(&chain, 1)?;
            let hash = state.info(p.get(0)?).code_hash;
            Ok(json!(state.code(hash).original_bytes()))
        }
        "eth_getStorageAt" => {
            let state = p.state(&chain, 2)?;
            Ok(json!(B256::from(state.storage(p.get(0)?, p.slot(1)?))))
        }

        // Calls
        "eth_call" => call::call(&chain, &p),
        "eth_estimateGas" => call::estimate(&chain, &p),
        "eth_createAccessList" => call::access_list(&chain, &p),

        // Transactions
        "eth_sendRawTransaction" => Ok(json!(accounts::send_raw(node, &p.get::<Bytes>(0)?)?)),
        "eth_sendRawTransactionSync" => {
            let hash = accounts::send_raw(node, &p.get::<Bytes>(0)?)?;
            Ok(blocks::receipt(&node.read(), hash))
        }
        "eth_accounts" | "eth_requestAccounts" => Ok(json!(node.accounts().addresses())),
        "eth_sendTransaction" => accounts::send(node, &p),
        "eth_signTransaction" => accounts::sign_transaction(node, &p),
        "eth_sign" => accounts::sign_message(node, p.get(0)?, &p.get::<Bytes>(1)?),
        "personal_sign" => accounts::sign_message(node, p.get(1)?, &p.get::<Bytes>(0)?),

        // Blocks, transactions, receipts
        "eth_blockNumber" => Ok(quantity(chain.number())),
        "eth_getBlockByNumber" | "eth_getBlockByHash" => {
            Ok(p.block(&chain)?.map_or(Value::Null, |block| block.json(p.flag(1))))
        }
        "eth_getHeaderByNumber" | "eth_getHeaderByHash" => {
            Ok(p.block(&chain)?.map_or(Value::Null, |block| header_json(&block)))
        }
        "eth_getBlockReceipts" => {
            Ok(p.block(&chain)?.map_or(Value::Null, |block| blocks::receipts(&block)))
        }
        "eth_getBlockTransactionCountByNumber" | "eth_getBlockTransactionCountByHash" => {
            Ok(p.block(&chain)?.map_or(Value::Null, |block| quantity(block.txs.len() as u64)))
        }
        "eth_getTransactionByBlockNumberAndIndex" | "eth_getTransactionByBlockHashAndIndex" => {
            let index = p.get::<U64>(1)?.saturating_to();
            Ok(p.block(&chain)?.map_or(Value::Null, |block| blocks::tx_at(&block, index)))
        }
        "eth_getUncleCountByBlockNumber" | "eth_getUncleCountByBlockHash" => {
            Ok(p.block(&chain)?.map_or(Value::Null, |_| quantity(0)))
        }
        "eth_getUncleByBlockNumberAndIndex" | "eth_getUncleByBlockHashAndIndex" => Ok(Value::Null),
        "eth_getTransactionByHash" => Ok(blocks::tx(&chain, p.get(0)?)),
        "eth_getRawTransactionByHash" | "debug_getRawTransaction" => {
            Ok(blocks::raw_tx(&chain, p.get(0)?))
        }
        "eth_getTransactionReceipt" => Ok(blocks::receipt(&chain, p.get(0)?)),
        "txpool_status" => {
            let waiting = quantity(chain.pending_tx_count() as u64);
            Ok(json!({ "pending": waiting, "queued": "0x0" }))
        }

        // Fees: Arbitrum drops tips, and the base fee does not move here
        "eth_gasPrice" => Ok(quantity(chain.basefee())),
        "eth_maxPriorityFeePerGas" => Ok(quantity(0)),
        "eth_feeHistory" => blocks::fee_history(&chain, &p),

        // Logs and filters
        "eth_getLogs" => logs::logs(&chain, &p.get(0)?),
        "eth_newFilter" => node.filters().add_logs(&chain, p.get(0)?),
        "eth_newBlockFilter" => node.filters().add_blocks(&chain),
        "eth_newPendingTransactionFilter" => node.filters().add_pending(node),
        "eth_getFilterChanges" => node.filters().changes(&chain, p.get(0)?),
        "eth_getFilterLogs" => node.filters().logs(&chain, p.get(0)?),
        "eth_uninstallFilter" => Ok(json!(node.filters().remove(p.get(0)?))),

        "debug_traceTransaction" => debug::trace_transaction(&chain, &p),
        "debug_traceBlockByNumber" | "debug_traceBlockByHash" => debug::trace_block(&chain, &p),
        "debug_traceCall" => debug::trace_call(&chain, &p),

        _ => dev::dispatch(node, method, &p),
    }
}

fn quantity(number: u64) -> Value {
    json!(U64::from(number))
}
