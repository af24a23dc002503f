//! `debug_traceTransaction` and `debug_traceCall`: a transaction run again, or a call, and what happened inside.

use super::{Params, RpcError, RpcResult, call::Call};
use crate::{
    chain::Chain,
    trace::{Frame, call_json, stylus_json},
};
use alloy::rpc::types::{BlockOverrides, state::StateOverride};
use alloy_primitives::B256;
use serde::Deserialize;
use serde_json::{Value, json};

/// How to show what happened.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Options {
    tracer: Option<String>,
    tracer_config: CallTracerConfig,
    /// Of `debug_traceCall` alone.
    state_overrides: StateOverride,
    block_overrides: BlockOverrides,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CallTracerConfig {
    only_top_call: bool,
}

impl Options {
    fn parse(p: &Params, index: usize) -> Result<Self, RpcError> {
        Ok(p.optional(index)?.unwrap_or_default())
    }

    fn show(&self, frame: &Frame) -> RpcResult {
        match self.tracer.as_deref() {
            Some("stylusTracer") => Ok(stylus_json(frame)),
            Some("callTracer") => Ok(call_json(frame, self.tracer_config.only_top_call)),
            // The tracer in JavaScript that `cargo stylus` sends shows the same.
            Some(source) if source.contains("hostio") && source.contains("function") => {
                Ok(stylus_json(frame))
            }
            Some(other) => {
                let name: String = other.chars().take(40).collect();
                let message = format!("no tracer {name}: there are stylusTracer and callTracer");
                Err(RpcError::server(message))
            }
            None => {
                Err(RpcError::server("no opcode logger: name a tracer, stylusTracer or callTracer"))
            }
        }
    }
}

pub(super) fn trace_transaction(chain: &Chain, p: &Params) -> RpcResult {
    let hash: B256 = p.get(0)?;
    let options = Options::parse(p, 1)?;
    options.show(&chain.trace_tx(hash)?)
}

/// Every transaction of a block.
pub(super) fn trace_block(chain: &Chain, p: &Params) -> RpcResult {
    let options = Options::parse(p, 1)?;
    let block = p.block(chain)?.ok_or_else(|| RpcError::server("block not found"))?;
    let hashes = block.txs.iter().map(|tx| *tx.envelope.tx_hash());
    let traces = hashes.map(|hash| {
        let result = options.show(&chain.trace_tx(hash)?)?;
        Ok(json!({ "txHash": hash, "result": result }))
    });
    traces.collect::<Result<Vec<Value>, RpcError>>().map(Value::from)
}

pub(super) fn trace_call(chain: &Chain, p: &Params) -> RpcResult {
    let options = Options::parse(p, 2)?;
    let Call { request, options: mut call } = Call::parse(chain, &p.first(2))?;
    call.accounts = options.state_overrides.clone();
    call.block = options.block_overrides.clone();
    options.show(&chain.trace_call(&request, &call)?)
}
