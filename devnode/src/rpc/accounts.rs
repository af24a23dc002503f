//! Accounts of this node: those that it signs for, and those that it pretends to be.

use super::{
    Params, RpcError, RpcResult,
    call::{estimate_next, request},
};
use crate::{
    error::ChainError,
    node::{Node, NodeEvent},
    tx,
};
use alloy::{
    consensus::{TxEnvelope, TypedTransaction},
    eips::eip2718::Encodable2718,
    network::TxSignerSync,
    rpc::types::TransactionRequest,
    signers::{SignerSync, local::PrivateKeySigner},
};
use alloy_primitives::{Address, B256, Bytes, map::AddressSet};
use serde_json::json;

/// The keys that a node has, and whom it takes transactions from without a signature.
#[derive(Default)]
pub(crate) struct Accounts {
    signers: Vec<PrivateKeySigner>,
    impersonated: AddressSet,
    impersonate_all: bool,
}

impl Accounts {
    pub(crate) fn new(signers: Vec<PrivateKeySigner>) -> Self {
        Self { signers, ..Self::default() }
    }

    pub(super) fn addresses(&self) -> Vec<Address> {
        let impersonated = self.impersonated.iter().copied();
        self.signers.iter().map(PrivateKeySigner::address).chain(impersonated).collect()
    }

    /// Begins or ends pretending to be an account.
    pub(super) fn impersonate(&mut self, address: Address, on: bool) {
        match on {
            true => self.impersonated.insert(address),
            false => self.impersonated.remove(&address),
        };
    }

    /// Begins or ends pretending to be whoever a transaction is from.
    pub(super) fn impersonate_all(&mut self, on: bool) {
        self.impersonate_all = on;
    }

    /// Refuses an account that this node neither signs for nor pretends to be.
    fn check(&self, address: Address) -> Result<(), RpcError> {
        if self.impersonates(address) { Ok(()) } else { self.signer(address).map(|_| ()) }
    }

    fn signer(&self, address: Address) -> Result<PrivateKeySigner, RpcError> {
        let signer = self.signers.iter().find(|signer| signer.address() == address);
        signer.cloned().ok_or_else(|| RpcError::server("unknown account"))
    }

    fn impersonates(&self, address: Address) -> bool {
        self.impersonate_all || self.impersonated.contains(&address)
    }
}

/// Takes a signed transaction. Its signature is checked before the chain is held.
pub(super) fn send_raw(node: &Node, raw: &[u8]) -> Result<B256, RpcError> {
    let chain_id = node.read().config().chain_id;
    let (envelope, request) = tx::decode(raw, chain_id).map_err(ChainError::from)?;
    send_envelope(node, envelope, &request)
}

fn send_envelope(
    node: &Node,
    envelope: TxEnvelope,
    request: &tx::TxRequest,
) -> Result<B256, RpcError> {
    let mut chain = node.chain();
    let hash = chain.send(envelope, request)?;
    node.tell(NodeEvent::Pending(hash));
    Ok(hash)
}

/// Signs what is asked for, where it must be signed, and takes it.
pub(super) fn send(node: &Node, p: &Params) -> RpcResult {
    let asked = filled(node, p)?;
    if node.accounts().impersonates(asked.from.unwrap_or_default()) {
        let mut request = request(&asked, asked.max_fee_per_gas.unwrap_or_default())?;
        request.nonce = asked.nonce;
        request.gas_limit = asked.gas.unwrap_or_default();
        let mut chain = node.chain();
        let (hash, _) = chain.send_unsigned(&request)?;
        node.tell(NodeEvent::Pending(hash));
        return Ok(json!(hash));
    }
    let envelope = signed(node, asked)?;
    let chain_id = node.read().config().chain_id;
    let (envelope, request) = tx::recover(envelope, chain_id).map_err(ChainError::from)?;
    Ok(json!(send_envelope(node, envelope, &request)?))
}

pub(super) fn sign_transaction(node: &Node, p: &Params) -> RpcResult {
    let envelope = signed(node, filled(node, p)?)?;
    Ok(json!({ "raw": Bytes::from(envelope.encoded_2718()), "tx": envelope }))
}

/// A signature after EIP-191.
pub(super) fn sign_message(node: &Node, address: Address, message: &[u8]) -> RpcResult {
    let signer = node.accounts().signer(address)?;
    let signature =
        signer.sign_message_sync(message).map_err(|error| RpcError::server(error.to_string()))?;
    Ok(json!(Bytes::from(signature.as_bytes())))
}

/// The request with nonce, gas and price where it left them out.
fn filled(node: &Node, p: &Params) -> Result<TransactionRequest, RpcError> {
    let mut asked: TransactionRequest = p.get(0)?;
    let chain = node.read();
    let config = chain.config();
    let Some(from) = asked.from else {
        return Err(RpcError::invalid_params("missing value for required argument from"));
    };
    node.accounts().check(from)?;
    asked.nonce = Some(asked.nonce.unwrap_or_else(|| chain.pending_nonce(from)));
    asked.chain_id = Some(config.chain_id);
    // Twice the base fee leaves room for it to rise; what is not needed is not paid.
    let price = asked.gas_price.or(asked.max_fee_per_gas);
    let price = price.unwrap_or(2 * u128::from(chain.basefee()));
    if asked.gas_price.is_none() {
        asked.max_fee_per_gas = Some(price);
        let tip = asked.max_priority_fee_per_gas.unwrap_or_default();
        asked.max_priority_fee_per_gas = Some(tip.min(price));
    }
    if asked.gas.is_none() {
        asked.gas = Some(estimate_next(&chain, request(&asked, price)?)?);
    }
    Ok(asked)
}

fn signed(node: &Node, mut asked: TransactionRequest) -> Result<TxEnvelope, RpcError> {
    let signer = node.accounts().signer(asked.from.unwrap_or_default())?;
    if asked.to.is_none() {
        asked.to = Some(alloy_primitives::TxKind::Create);
    }
    let mut tx: TypedTransaction = asked
        .build_typed_tx()
        .map_err(|_| RpcError::invalid_params("the transaction misses a field of its type"))?;
    let signature = signer
        .sign_transaction_sync(&mut tx)
        .map_err(|error| RpcError::server(error.to_string()))?;
    Ok(TxEnvelope::new_unhashed(tx, signature))
}
