//! JSON-RPC methods, each a function from parameters to a result.
//!
//! Names, parameters, results and error texts are those of geth and Nitro, so far as a wallet or alloy's provider
//! depends on them. The state that can be asked for is the latest, whatever block a request names.

use crate::{
    block::{Block, TxRecord},
    chain::Chain,
    node::RpcError,
    tx::{TxOutcome, TxRequest, TxStatus},
};
use alloy::{
    consensus::Transaction as _,
    eips::{BlockId, BlockNumberOrTag, RpcBlockHash},
    rpc::types::{Filter, FilterBlockOption, TransactionRequest, state::StateOverride},
    sol_types::{Panic, Revert, SolError},
};
use alloy_primitives::{B256, Bytes, TxKind, U64, U256};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

type RpcResult = Result<Value, RpcError>;

/// Most gas of a call or an estimate, and the limit of one that names none, as in Nitro's default configuration.
const CALL_GAS: u64 = 50_000_000;

/// Answers one request.
pub(crate) fn dispatch(chain: &mut Chain, method: &str, params: Value) -> RpcResult {
    let p = Params(match params {
        Value::Array(list) => list,
        Value::Null => Vec::new(),
        other => vec![other],
    });
    match method {
        "eth_chainId" => Ok(quantity(chain.config().chain_id)),
        "net_version" => Ok(json!(chain.config().chain_id.to_string())),
        "net_listening" => Ok(json!(true)),
        "eth_syncing" => Ok(json!(false)),
        "web3_clientVersion" => Ok(json!(concat!("inkling-devnode/v", env!("CARGO_PKG_VERSION")))),
        "eth_accounts" => Ok(json!([])),
        "eth_blockNumber" => Ok(quantity(chain.number())),
        "eth_gasPrice" => Ok(quantity(chain.basefee())),
        "eth_maxPriorityFeePerGas" => Ok(quantity(0)),
        "eth_feeHistory" => fee_history(chain, &p),
        "eth_getBalance" => Ok(json!(chain.balance(p.get(0)?))),
        "eth_getCode" => Ok(json!(chain.code(p.get(0)?))),
        "eth_getStorageAt" => {
            let word = chain.storage(p.get(0)?, p.get(1)?);
            Ok(json!(B256::from(word)))
        }
        "eth_getTransactionCount" => Ok(quantity(chain.nonce(p.get(0)?))),
        "eth_call" => call(chain, &p),
        "eth_estimateGas" => estimate(chain, &p),
        "eth_sendRawTransaction" => {
            let raw: Bytes = p.get(0)?;
            Ok(json!(chain.send_raw(&raw)?))
        }
        "eth_getTransactionReceipt" => {
            let found = chain.tx(p.get(0)?);
            Ok(found.map_or(Value::Null, |(block, index, tx)| receipt_json(block, index, tx)))
        }
        "eth_getTransactionByHash" => {
            let found = chain.tx(p.get(0)?);
            Ok(found.map_or(Value::Null, |(block, index, tx)| tx_json(block, index, tx)))
        }
        "eth_getBlockByNumber" => {
            let tag: BlockNumberOrTag = p.get(0)?;
            let block = chain.block(number_of(chain, tag));
            Ok(block.map_or(Value::Null, |block| block_json(block, p.flag(1))))
        }
        "eth_getBlockByHash" => {
            let block = chain.block_by_hash(p.get(0)?);
            Ok(block.map_or(Value::Null, |block| block_json(block, p.flag(1))))
        }
        "eth_getLogs" => logs(chain, &p.get(0)?),
        "evm_snapshot" => Ok(quantity(chain.snapshot() as u64)),
        "evm_revert" => {
            let id: U64 = p.get(0)?;
            Ok(json!(chain.revert(id.saturating_to())))
        }
        "evm_mine" => {
            chain.mine_empty();
            Ok(json!("0x0"))
        }
        "inkling_setCached" => {
            chain.set_cached(p.get(0)?, p.get(1)?)?;
            Ok(json!(true))
        }
        _ => Err(RpcError::no_method(method)),
    }
}

/// The parameters of a request.
struct Params(Vec<Value>);

impl Params {
    fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, RpcError> {
        let Some(value) = self.0.get(index) else {
            let message = format!("missing value for required argument {index}");
            return Err(RpcError::invalid_params(message));
        };
        T::deserialize(value)
            .map_err(|error| RpcError::invalid_params(format!("invalid argument {index}: {error}")))
    }

    fn optional<T: DeserializeOwned>(&self, index: usize) -> Result<Option<T>, RpcError> {
        match self.0.get(index) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.get(index).map(Some),
        }
    }

    fn flag(&self, index: usize) -> bool {
        self.0.get(index).and_then(Value::as_bool).unwrap_or(false)
    }
}

fn quantity(number: u64) -> Value {
    json!(U64::from(number))
}

/// Blocks are final at once, so all tags but the earliest mean the latest.
fn number_of(chain: &Chain, tag: BlockNumberOrTag) -> u64 {
    match tag {
        BlockNumberOrTag::Number(number) => number,
        BlockNumberOrTag::Earliest => 0,
        _ => chain.number(),
    }
}

// ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────────

/// A call without a price is free, and sees a base fee of 0, as in geth.
fn request(call: &TransactionRequest) -> TxRequest {
    TxRequest {
        from: call.from.unwrap_or_default(),
        to: call.to.unwrap_or(TxKind::Create),
        value: call.value.unwrap_or_default(),
        input: call.input.input().cloned().unwrap_or_default(),
        gas_limit: call.gas.unwrap_or(CALL_GAS).min(CALL_GAS),
        max_fee: call.gas_price.or(call.max_fee_per_gas).unwrap_or_default(),
        max_tip: call.gas_price.or(call.max_priority_fee_per_gas).unwrap_or_default(),
        nonce: None,
        access_list: call.access_list.clone().unwrap_or_default(),
        authorizations: call.authorization_list.clone().unwrap_or_default(),
    }
}

fn call(chain: &Chain, p: &Params) -> RpcResult {
    let call: TransactionRequest = p.get(0)?;
    check_block(chain, p)?;
    let request = request(&call);
    let outcome = chain.simulate(&request, &overrides(p)?, None)?;
    match failure(&outcome) {
        Some(error) => Err(error),
        None => Ok(json!(outcome.output)),
    }
}

fn overrides(p: &Params) -> Result<StateOverride, RpcError> {
    Ok(p.optional(2)?.unwrap_or_default())
}

/// A block parameter must name a block that exists.
fn check_block(chain: &Chain, p: &Params) -> Result<(), RpcError> {
    let exists = match p.optional::<BlockId>(1)? {
        None => true,
        Some(BlockId::Number(tag)) => chain.block(number_of(chain, tag)).is_some(),
        Some(BlockId::Hash(RpcBlockHash { block_hash, .. })) => {
            chain.block_by_hash(block_hash).is_some()
        }
    };
    match exists {
        true => Ok(()),
        false => Err(RpcError::server("header not found")),
    }
}

/// A failed call as geth reports it: code 3 and the revert data, else -32000.
fn failure(outcome: &TxOutcome) -> Option<RpcError> {
    let mut message = outcome.error()?;
    if outcome.status != TxStatus::Revert {
        return Some(RpcError::server(message));
    }
    if let Ok(error) = Revert::abi_decode(&outcome.output) {
        message = format!("{message}: {}", error.reason);
    } else if let Ok(panic) = Panic::abi_decode(&outcome.output) {
        message = format!("{message}: {panic}");
    }
    Some(RpcError { code: 3, message, data: Some(json!(outcome.output)) })
}

/// The least gas limit with which the transaction succeeds, to within 1.5 % as in geth. Unlike a call it is under the
/// cap of a transaction, since an estimate that cannot be sent helps nobody.
fn estimate(chain: &Chain, p: &Params) -> RpcResult {
    let call: TransactionRequest = p.get(0)?;
    check_block(chain, p)?;
    let mut request = request(&call);
    let overrides = overrides(p)?;
    let attempt =
        |request: &TxRequest| chain.simulate(request, &overrides, chain.config().stylus.tx_gas_cap);
    let succeeds = |request: &TxRequest| attempt(request).is_ok_and(|outcome| outcome.is_success());
    let outcome = attempt(&request)?;
    if let Some(error) = failure(&outcome) {
        return Err(error);
    }
    let mut low = outcome.gas_used.saturating_sub(1);
    let mut high = request.gas_limit;
    // What was used, the refund that came only at the end, and 1/64 for each call: mostly a good first guess.
    let guess = (outcome.gas_used + outcome.refund + 2_300) * 64 / 63;
    request.gas_limit = guess;
    if guess < high && succeeds(&request) {
        high = guess;
    }
    while low + 1 < high && (high - low) * 1000 > high * 15 {
        request.gas_limit = low + (high - low) / 2;
        match succeeds(&request) {
            true => high = request.gas_limit,
            false => low = request.gas_limit,
        }
    }
    Ok(quantity(high))
}

fn fee_history(chain: &Chain, p: &Params) -> RpcResult {
    let count = p.get::<U64>(0)?.saturating_to::<u64>().min(1024);
    let newest = number_of(chain, p.get(1)?).min(chain.number());
    let percentiles = p.optional::<Vec<f64>>(2)?.unwrap_or_default();
    if percentiles.len() > 100 {
        return Err(RpcError::server("invalid reward percentile: over the query limit 100"));
    }
    let oldest = (newest + 1).saturating_sub(count);
    let blocks = (newest + 1 - oldest) as usize;
    let basefee = quantity(chain.basefee());
    Ok(json!({
        "oldestBlock": quantity(oldest),
        "baseFeePerGas": vec![basefee; blocks + 1],
        "gasUsedRatio": vec![0.0; blocks],
        "reward": vec![vec![quantity(0); percentiles.len()]; blocks],
    }))
}

// ── blocks, transactions, logs ──────────────────────────────────────────────────────────────────────────────────

fn block_json(block: &Block, full: bool) -> Value {
    let txs: Vec<Value> = block
        .txs
        .iter()
        .enumerate()
        .map(|(index, tx)| match full {
            true => tx_json(block, index, tx),
            false => json!(tx.envelope.tx_hash()),
        })
        .collect();
    let mut json = json!(block.header);
    json["hash"] = json!(block.hash);
    json["size"] = quantity(0x220);
    json["totalDifficulty"] = quantity(block.header.number + 1);
    json["uncles"] = json!([]);
    json["transactions"] = json!(txs);
    json["l1BlockNumber"] = quantity(block.header.number);
    json
}

fn tx_json(block: &Block, index: usize, tx: &TxRecord) -> Value {
    let mut json = json!(tx.envelope);
    json["hash"] = json!(tx.envelope.tx_hash());
    json["from"] = json!(tx.from);
    if tx.envelope.is_eip1559() {
        json["gasPrice"] = json!(U256::from(tx.gas_price));
    }
    json["blockHash"] = json!(block.hash);
    json["blockNumber"] = quantity(block.header.number);
    json["transactionIndex"] = quantity(index as u64);
    json
}

fn receipt_json(block: &Block, index: usize, tx: &TxRecord) -> Value {
    let first_log = first_log_index(block, index);
    let logs: Vec<Value> =
        (0..tx.outcome.logs.len()).map(|i| log_json(block, index, tx, i, first_log + i)).collect();
    let cumulative: u64 = block.txs[..=index].iter().map(|tx| tx.outcome.gas_used).sum();
    json!({
        "transactionHash": tx.envelope.tx_hash(),
        "transactionIndex": quantity(index as u64),
        "blockHash": block.hash,
        "blockNumber": quantity(block.header.number),
        "from": tx.from,
        "to": tx.envelope.to(),
        "contractAddress": tx.outcome.created,
        "status": quantity(tx.outcome.is_success().into()),
        "type": quantity(u8::from(tx.envelope.tx_type()).into()),
        "gasUsed": quantity(tx.outcome.gas_used),
        "cumulativeGasUsed": quantity(cumulative),
        "effectiveGasPrice": U256::from(tx.gas_price),
        "logs": logs,
        "logsBloom": tx.bloom,
        "gasUsedForL1": quantity(0),
        "l1BlockNumber": quantity(block.header.number),
    })
}

fn first_log_index(block: &Block, index: usize) -> usize {
    block.txs[..index].iter().map(|tx| tx.outcome.logs.len()).sum()
}

fn log_json(block: &Block, index: usize, tx: &TxRecord, i: usize, log_index: usize) -> Value {
    let log = &tx.outcome.logs[i];
    json!({
        "address": log.address,
        "topics": log.data.topics(),
        "data": log.data.data,
        "blockHash": block.hash,
        "blockNumber": quantity(block.header.number),
        "blockTimestamp": quantity(block.header.timestamp),
        "transactionHash": tx.envelope.tx_hash(),
        "transactionIndex": quantity(index as u64),
        "logIndex": quantity(log_index as u64),
        "removed": false,
    })
}

fn logs(chain: &Chain, filter: &Filter) -> RpcResult {
    let (from, to) = match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => {
            let Some(block) = chain.block_by_hash(hash) else {
                return Err(RpcError::server("unknown block"));
            };
            (block.header.number, block.header.number)
        }
        FilterBlockOption::Range { from_block, to_block } => {
            let number = |tag: Option<_>| number_of(chain, tag.unwrap_or_default());
            (number(from_block), number(to_block).min(chain.number()))
        }
    };
    let mut found = Vec::new();
    for block in (from..=to).filter_map(|number| chain.block(number)) {
        if !filter.matches_bloom(block.header.logs_bloom) {
            continue;
        }
        let mut log_index = 0;
        for (index, tx) in block.txs.iter().enumerate() {
            for (i, log) in tx.outcome.logs.iter().enumerate() {
                if filter.matches(log) {
                    found.push(log_json(block, index, tx, i, log_index));
                }
                log_index += 1;
            }
        }
    }
    Ok(json!(found))
}
