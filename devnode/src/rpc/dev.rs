//! Methods that set what a live chain would not let anybody set, under the names that client libraries know.

use super::{Params, RpcError, RpcResult, quantity};
use crate::node::Node;
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use serde_json::{Value, json};

/// Answers a method of `evm_`, `anvil_`, `hardhat_` or `inkling_`.
pub(super) fn dispatch(node: &Node, method: &str, p: &Params) -> RpcResult {
    match method {
        "evm_snapshot" | "anvil_snapshot" => Ok(quantity(node.chain().snapshot() as u64)),
        "evm_revert" | "anvil_revert" => {
            let id: U64 = p.get(0)?;
            Ok(json!(node.chain().revert(id.saturating_to())))
        }
        "evm_setAutomine" | "anvil_setAutomine" => {
            let automine: bool = p.get(0)?;
            let mut chain = node.chain();
            chain.set_automine(automine);
            // What waits would wait for ever.
            if automine && chain.pending_tx_count() > 0 {
                chain.mine();
            }
            Ok(json!(true))
        }
        "anvil_getAutomine" | "hardhat_getAutomine" => Ok(json!(node.read().automine())),
        "evm_mine" => {
            let mut chain = node.chain();
            if let Some(time) = mine_time(p)? {
                chain.set_next_time(time);
            }
            chain.mine();
            Ok(json!("0x0"))
        }
        "hardhat_mine" | "anvil_mine" => mine_many(node, p),
        "evm_increaseTime" | "anvil_increaseTime" => {
            let seconds = p.count(0)?;
            Ok(json!(node.chain().clock().advance(seconds)))
        }
        "evm_setNextBlockTimestamp" | "anvil_setNextBlockTimestamp" => {
            let time = p.count(0)?;
            let mut chain = node.chain();
            let latest = chain.latest().header.timestamp;
            if time < latest {
                let message = format!("timestamp {time} is before the latest block's, {latest}");
                return Err(RpcError::invalid_params(message));
            }
            chain.set_next_time(time);
            Ok(json!(time))
        }
        "hardhat_setNextBlockBaseFeePerGas" | "anvil_setNextBlockBaseFeePerGas" => {
            let basefee: U256 = p.get(0)?;
            let basefee = basefee
                .try_into()
                .map_err(|_| RpcError::invalid_params("baseFeePerGas exceeds 64 bits"))?;
            node.chain().set_basefee(basefee);
            Ok(json!(true))
        }
        "hardhat_impersonateAccount" | "anvil_impersonateAccount" => {
            node.accounts().impersonate(p.get(0)?, true);
            Ok(json!(true))
        }
        "hardhat_stopImpersonatingAccount" | "anvil_stopImpersonatingAccount" => {
            node.accounts().impersonate(p.get(0)?, false);
            Ok(json!(true))
        }
        "anvil_autoImpersonateAccount" | "hardhat_autoImpersonateAccount" => {
            node.accounts().impersonate_all(p.get(0)?);
            Ok(json!(true))
        }
        "hardhat_setBalance" | "anvil_setBalance" => {
            let (address, balance): (Address, U256) = (p.get(0)?, p.get(1)?);
            node.chain().set_balance(address, balance);
            Ok(json!(true))
        }
        "hardhat_setNonce" | "anvil_setNonce" => {
            let (address, nonce): (Address, U64) = (p.get(0)?, p.get(1)?);
            node.chain().set_nonce(address, nonce.saturating_to());
            Ok(json!(true))
        }
        "hardhat_setCode" | "anvil_setCode" => {
            let (address, code): (Address, Bytes) = (p.get(0)?, p.get(1)?);
            node.chain().set_code(address, code);
            Ok(json!(true))
        }
        "hardhat_setStorageAt" | "anvil_setStorageAt" => {
            let (address, value): (Address, B256) = (p.get(0)?, p.get(2)?);
            let slot = p.slot(1)?;
            node.chain().set_storage(address, slot, value.into());
            Ok(json!(true))
        }
        "inkling_setCached" => {
            let (address, cached) = (p.get(0)?, p.get(1)?);
            node.chain().set_cached(address, cached)?;
            Ok(json!(true))
        }
        _ => Err(RpcError::no_method(method)),
    }
}

/// `evm_mine` takes a time, or an object with one, or nothing.
fn mine_time(p: &Params) -> Result<Option<u64>, RpcError> {
    match p.optional::<Value>(0)? {
        None => Ok(None),
        Some(Value::Object(options)) => match options.get("timestamp") {
            None | Some(Value::Null) => Ok(None),
            Some(time) => Params::new(json!([time]))?.count(0).map(Some),
        },
        Some(_) => p.count(0).map(Some),
    }
}

/// Adds blocks, an interval of seconds apart; one stands for those that would be empty in between.
fn mine_many(node: &Node, p: &Params) -> RpcResult {
    let count = match p.optional::<Value>(0)? {
        None => 1,
        Some(_) => p.count(0)?,
    };
    let interval = match p.optional::<Value>(1)? {
        None => 1,
        Some(_) => p.count(1)?,
    };
    let mut chain = node.chain();
    if count > 0 {
        chain.mine();
    }
    if count > 1 {
        let (number, time) = (chain.number(), chain.latest().header.timestamp);
        chain.set_next_time(time.saturating_add(interval.saturating_mul(count - 1)));
        chain.skip_to(number.saturating_add(count));
    }
    Ok(json!(true))
}
