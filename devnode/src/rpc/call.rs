//! Calls and estimates.

use super::{Params, RpcError, RpcResult, quantity};
use crate::{
    chain::{At, CallOptions, Chain},
    node_interface,
    tx::{TxOutcome, TxRequest, TxStatus},
};
use alloy::{
    eips::eip2930::{AccessList, AccessListItem},
    rpc::types::TransactionRequest,
    sol_types::{Panic, Revert, SolError},
};
use alloy_primitives::{TxKind, U256};
use revm::context::result::HaltReason;
use serde_json::json;

/// Most gas of a call or an estimate, and the limit of one that names none, as in Nitro's default configuration.
pub(super) const CALL_GAS: u64 = 50_000_000;

/// A call as it is asked for: parameters are the transaction, the block, accounts and block set otherwise.
pub(super) struct Call {
    pub(super) request: TxRequest,
    pub(super) options: CallOptions,
}

impl Call {
    pub(super) fn parse(chain: &Chain, p: &Params) -> Result<Self, RpcError> {
        let call: TransactionRequest = p.get(0)?;
        let price = price(chain, &call)?;
        let options = CallOptions {
            at: p.at(chain, 1)?,
            accounts: p.optional(2)?.unwrap_or_default(),
            block: p.optional(3)?.unwrap_or_default(),
            priced: price > 0,
            estimate: false,
        };
        Ok(Self { request: request(&call, price)?, options })
    }
}

/// What a client asks for as the chain takes it.
pub(super) fn request(call: &TransactionRequest, price: u128) -> Result<TxRequest, RpcError> {
    let input = call.input.clone().try_into_unique_input().map_err(|_| {
        let message = "both \"data\" and \"input\" are set and not equal. \
            Please use \"input\" to pass transaction call data";
        RpcError::invalid_params(message)
    })?;
    Ok(TxRequest {
        from: call.from.unwrap_or_default(),
        to: call.to.unwrap_or(TxKind::Create),
        value: call.value.unwrap_or_default(),
        input: input.unwrap_or_default(),
        gas_limit: call.gas.unwrap_or(CALL_GAS).min(CALL_GAS),
        max_fee: price,
        max_tip: call.gas_price.or(call.max_priority_fee_per_gas).unwrap_or_default(),
        nonce: None,
        access_list: call.access_list.clone().unwrap_or_default(),
        authorizations: call.authorization_list.clone().unwrap_or_default(),
    })
}

/// The price in wei that the sender offers for a gas; 0 for a call that is free.
fn price(chain: &Chain, call: &TransactionRequest) -> Result<u128, RpcError> {
    let (max_fee, tip) = (call.max_fee_per_gas, call.max_priority_fee_per_gas);
    if call.gas_price.is_some() && (max_fee.is_some() || tip.is_some()) {
        let message = "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified";
        return Err(RpcError::server(message));
    }
    if let (Some(max_fee), Some(tip)) = (max_fee, tip)
        && tip > max_fee
    {
        let message = format!(
            "max priority fee per gas higher than max fee per gas: address {}, \
             maxPriorityFeePerGas: {tip}, maxFeePerGas: {max_fee}",
            call.from.unwrap_or_default()
        );
        return Err(RpcError::server(message));
    }
    let ours = chain.config().chain_id;
    if let Some(theirs) = call.chain_id
        && theirs != ours
    {
        let message = format!("chainId does not match node's (have={theirs}, want={ours})");
        return Err(RpcError::server(message));
    }
    Ok(call.gas_price.or(max_fee).unwrap_or_default())
}

pub(super) fn call(chain: &Chain, p: &Params) -> RpcResult {
    let Call { request, options } = Call::parse(chain, p)?;
    if request.to.to().is_some_and(|&to| node_interface::is_virtual(to)) {
        let estimate = |inner: &TxRequest| estimated(chain, inner.clone(), options.clone());
        return Ok(json!(node_interface::answer(chain, &request, estimate)?));
    }
    let outcome = chain.simulate(&request, &options)?;
    match failure(&outcome) {
        Some(error) => Err(error),
        None => Ok(json!(outcome.output)),
    }
}

/// A failed call as geth reports it: code 3 and the revert data, else -32000.
pub(super) fn failure(outcome: &TxOutcome) -> Option<RpcError> {
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

pub(super) fn estimate(chain: &Chain, p: &Params) -> RpcResult {
    let Call { request, options } = Call::parse(chain, p)?;
    Ok(quantity(estimated(chain, request, options)?))
}

/// The gas that a request needs after the transactions that wait.
pub(super) fn estimate_next(chain: &Chain, request: TxRequest) -> Result<u64, RpcError> {
    let options = CallOptions { priced: request.max_fee > 0, ..CallOptions::at(At::Pending) };
    estimated(chain, request, options)
}

/// The least gas limit with which the transaction succeeds, to within 1.5 % as in geth (`eth/gasestimator` there).
/// Unlike a call it is under the cap of a transaction, since an estimate that cannot be sent helps nobody.
fn estimated(
    chain: &Chain,
    mut request: TxRequest,
    mut options: CallOptions,
) -> Result<u64, RpcError> {
    options.estimate = true;
    if options.priced {
        let state = chain.state(options.at).ok_or_else(|| RpcError::server("header not found"))?;
        let overridden = options.accounts.get(&request.from).and_then(|account| account.balance);
        let balance = overridden.unwrap_or_else(|| state.info(request.from).balance);
        let Some(left) = balance.checked_sub(request.value) else {
            return Err(RpcError::server("insufficient funds for transfer"));
        };
        let affordable = left / U256::from(request.max_fee);
        request.gas_limit = request.gas_limit.min(affordable.saturating_to());
    }
    let attempt = |request: &TxRequest| chain.simulate(request, &options);
    let succeeds = |request: &TxRequest| attempt(request).is_ok_and(|outcome| outcome.is_success());
    let outcome = attempt(&request)?;
    if matches!(outcome.status, TxStatus::Halt(HaltReason::OutOfGas(_))) {
        let allowance = request.gas_limit.min(chain.stylus().tx_gas_cap.unwrap_or(u64::MAX));
        return Err(RpcError::server(format!("gas required exceeds allowance ({allowance})")));
    }
    if let Some(error) = failure(&outcome) {
        return Err(error);
    }
    // A mere transfer needs no search.
    if outcome.gas_used == 21_000 {
        return Ok(21_000);
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
    Ok(high)
}

/// The accounts and slots that the call touches, as a transaction could name them to have them warm, and its gas then.
pub(super) fn access_list(chain: &Chain, p: &Params) -> RpcResult {
    let Call { mut request, options } = Call::parse(chain, p)?;
    let (outcome, touched) = chain.simulate_touched(&request, &options)?;
    let created = outcome.created;
    let warm = |address| {
        Some(address) == created
            || address == request.from
            || request.to.to() == Some(&address)
            || chain.is_precompile(address)
    };
    let mut list: Vec<AccessListItem> = touched
        .into_iter()
        .filter(|(address, slots)| !(slots.is_empty() && warm(*address)))
        .map(|(address, storage_keys)| AccessListItem { address, storage_keys })
        .collect();
    list.sort_by_key(|item| item.address);
    request.access_list = AccessList(list.clone());
    let outcome = chain.simulate(&request, &options)?;
    let mut json = json!({ "accessList": list, "gasUsed": quantity(outcome.gas_used) });
    if let Some(error) = outcome.error() {
        json["error"] = json!(error);
    }
    Ok(json)
}
