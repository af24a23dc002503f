//! Transactions: what is asked, how raw bytes become it, and what came of it.

use crate::evm::TopFrame;
use alloy::{
    consensus::{
        Transaction as _, TxEip1559, TxEip7702, TxEnvelope, transaction::SignerRecoverable,
    },
    eips::{eip2718::Decodable2718, eip2930::AccessList, eip7702::SignedAuthorization},
};
use alloy_primitives::{Address, Bytes, Log, Signature, TxKind, U256};
use revm::{
    context::{
        TxEnv,
        either::Either,
        result::{ExecutionResult, HaltReason, Output},
    },
    context_interface::cfg::gas::calculate_initial_tx_gas,
    primitives::hardfork::SpecId,
};
use serde::{Deserialize, Serialize};

/// What a call with this calldata pays before its first instruction: 21,000, 4 for each zero byte and 16 for each other
/// one (EIP-2028).
///
/// ```
/// assert_eq!(inkling_devnode::tx::intrinsic_gas(&[0, 0, 7]), 21_024);
/// ```
pub fn intrinsic_gas(calldata: &[u8]) -> u64 {
    calculate_initial_tx_gas(SpecId::OSAKA, calldata, false, 0, 0, 0, None).initial_total_gas()
}

/// A call or a transaction to be made, signed or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxRequest {
    /// Sender.
    pub from: Address,
    /// Callee, or a creation.
    pub to: TxKind,
    /// Wei sent along.
    pub value: U256,
    /// Calldata or init code.
    pub input: Bytes,
    /// Gas limit.
    pub gas_limit: u64,
    /// Most wei that the sender pays for a gas; the price paid is the base fee.
    pub max_fee: u128,
    /// Wei a gas that the sender offers on top of the base fee. Nobody gets it, but programs are told of it:
    /// [`Self::gas_price`].
    pub max_tip: u128,
    /// Nonce; `None` takes the account's.
    pub nonce: Option<u64>,
    /// Addresses and storage keys that start warm (EIP-2930).
    pub access_list: AccessList,
    /// Accounts that delegate their code (EIP-7702), from ArbOS 40.
    pub authorizations: Vec<SignedAuthorization>,
}

impl Default for TxRequest {
    /// From and to nobody, with 30,000,000 gas, at any price.
    fn default() -> Self {
        Self {
            from: Address::ZERO,
            to: TxKind::Call(Address::ZERO),
            value: U256::ZERO,
            input: Bytes::new(),
            gas_limit: 30_000_000,
            max_fee: 1_000_000_000_000,
            max_tip: 0,
            nonce: None,
            access_list: AccessList::default(),
            authorizations: Vec::new(),
        }
    }
}

impl TxRequest {
    /// Calls `to` with `input`.
    pub fn call(from: Address, to: Address, input: impl Into<Bytes>) -> Self {
        Self { from, to: TxKind::Call(to), input: input.into(), ..Self::default() }
    }

    /// Creates a contract with `init_code`.
    pub fn create(from: Address, init_code: impl Into<Bytes>) -> Self {
        Self { from, to: TxKind::Create, input: init_code.into(), ..Self::default() }
    }

    /// What an envelope asks for, sent by `from`.
    pub(crate) fn from_envelope(envelope: &TxEnvelope, from: Address) -> Self {
        Self {
            from,
            to: envelope.kind(),
            value: envelope.value(),
            input: envelope.input().clone(),
            gas_limit: envelope.gas_limit(),
            max_fee: envelope.max_fee_per_gas(),
            max_tip: envelope.priority_fee_or_price(),
            nonce: Some(envelope.nonce()),
            access_list: envelope.access_list().cloned().unwrap_or_default(),
            authorizations: envelope.authorization_list().unwrap_or_default().to_vec(),
        }
    }

    /// Price of a gas that a program is told (`tx_gas_price`): with the tip, because Nitro notes it before it drops the tip
    /// (`NewEVMTxContext` and `execute` in `core/state_transition.go` of its geth). EVM code's `GASPRICE` is without
    /// (`GasPriceOp` in `arbos/tx_processor.go`).
    ///
    /// ```
    /// # use inkling_devnode::TxRequest;
    /// let request = TxRequest { max_fee: 12, max_tip: 5, ..TxRequest::default() };
    /// assert_eq!(request.gas_price(10), 12);
    /// ```
    pub fn gas_price(&self, basefee: u64) -> u128 {
        self.max_tip.saturating_add(basefee.into()).min(self.max_fee)
    }

    /// As revm takes it. Arbitrum drops tips (`CollectTips` in `arbos/tx_processor.go`), so every transaction pays the
    /// base fee, whatever its type: it becomes one of EIP-1559, or of EIP-7702, without a tip.
    pub(crate) fn to_env(&self, nonce: u64, chain_id: u64) -> TxEnv {
        TxEnv {
            tx_type: if self.authorizations.is_empty() { 2 } else { 4 },
            caller: self.from,
            gas_limit: self.gas_limit,
            gas_price: self.max_fee,
            kind: self.to,
            value: self.value,
            data: self.input.clone(),
            nonce,
            chain_id: Some(chain_id),
            access_list: self.access_list.clone(),
            gas_priority_fee: Some(0),
            authorization_list: self.authorizations.iter().cloned().map(Either::Left).collect(),
            ..TxEnv::default()
        }
    }

    /// An envelope for a transaction that nobody signed. Its signature holds the sender, which keeps hashes apart.
    pub(crate) fn unsigned_envelope(&self, nonce: u64, chain_id: u64) -> TxEnvelope {
        let (max_fee_per_gas, max_priority_fee_per_gas) = (self.max_fee, self.max_tip);
        let &Self { gas_limit, value, .. } = self;
        let (access_list, input) = (self.access_list.clone(), self.input.clone());
        let sender = U256::from_be_slice(self.from.as_slice());
        let signature = Signature::new(sender, U256::ONE, false);
        let tx = match self.to {
            TxKind::Call(to) if !self.authorizations.is_empty() => TxEip7702 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                authorization_list: self.authorizations.clone(),
                input,
            }
            .into(),
            to => TxEip1559 {
                chain_id,
                nonce,
                gas_limit,
                max_fee_per_gas,
                max_priority_fee_per_gas,
                to,
                value,
                access_list,
                input,
            }
            .into(),
        };
        TxEnvelope::new_unhashed(tx, signature)
    }
}

/// Why raw bytes are not a transaction of this chain.
#[derive(Debug, thiserror::Error)]
pub enum RawTxError {
    /// Not an encoding of EIP-2718.
    #[error("rlp: {0}")]
    Encoding(String),
    /// Blob transactions are not taken.
    #[error("transaction type not supported")]
    Type,
    /// No account could have signed it.
    #[error("invalid sender")]
    Signature,
    /// Signed for another chain.
    #[error("invalid chain id for signer: have {0} want {1}")]
    ChainId(u64, u64),
}

/// Decodes a signed transaction and recovers its sender.
pub(crate) fn decode(raw: &[u8], chain_id: u64) -> Result<(TxEnvelope, TxRequest), RawTxError> {
    let envelope = TxEnvelope::decode_2718_exact(raw)
        .map_err(|error| RawTxError::Encoding(error.to_string()))?;
    recover(envelope, chain_id)
}

/// Recovers the sender of a signed transaction.
pub(crate) fn recover(
    envelope: TxEnvelope,
    chain_id: u64,
) -> Result<(TxEnvelope, TxRequest), RawTxError> {
    if envelope.is_eip4844() {
        return Err(RawTxError::Type);
    }
    if let Some(signed_for) = envelope.chain_id()
        && signed_for != chain_id
    {
        return Err(RawTxError::ChainId(signed_for, chain_id));
    }
    let from = envelope.recover_signer().map_err(|_| RawTxError::Signature)?;
    let request = TxRequest::from_envelope(&envelope, from);
    Ok((envelope, request))
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TxStatus {
    /// Its effects stand.
    Success,
    /// It was reverted; unused gas was given back.
    Revert,
    /// It was stopped; all gas was used.
    Halt(HaltReason),
}

/// What came of a transaction or a call.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TxOutcome {
    /// How it ended.
    pub status: TxStatus,
    /// Return or revert data.
    pub output: Bytes,
    /// Events, none unless it succeeded.
    pub logs: Vec<Log>,
    /// Gas paid for, after the refund.
    pub gas_used: u64,
    /// The part of it that pays for posting the transaction to L1.
    pub l1_gas: u64,
    /// Storage refund in gas, capped at a fifth of the gas before it.
    pub refund: u64,
    /// New contract of a creation that succeeded.
    pub created: Option<Address>,
    /// The first frame: its gas, and what a Stylus program paid.
    pub trace: TopFrame,
}

impl TxOutcome {
    /// Gas of the transaction before its first frame and beside L1: 21,000, calldata, access list, creation.
    pub fn intrinsic(&self) -> u64 {
        (self.gas_used + self.refund).saturating_sub(self.trace.gas + self.l1_gas)
    }

    pub(crate) fn new(result: ExecutionResult, trace: TopFrame, l1_gas: u64) -> Self {
        let gas_used = result.tx_gas_used();
        let refund = result.gas().final_refunded();
        let created = match &result {
            ExecutionResult::Success { output: Output::Create(_, address), .. } => *address,
            _ => None,
        };
        let (status, output, logs) = match result {
            ExecutionResult::Success { output, logs, .. } => {
                (TxStatus::Success, output.into_data(), logs)
            }
            ExecutionResult::Revert { output, .. } => (TxStatus::Revert, output, Vec::new()),
            ExecutionResult::Halt { reason, .. } => {
                (TxStatus::Halt(reason), Bytes::new(), Vec::new())
            }
        };
        Self { status, output, logs, gas_used, l1_gas, refund, created, trace }
    }

    /// Whether its effects stand.
    pub fn is_success(&self) -> bool {
        self.status == TxStatus::Success
    }

    /// The failure in geth's words; `None` after a success.
    pub fn error(&self) -> Option<String> {
        match (&self.status, &self.trace.failure) {
            (TxStatus::Success, _) => None,
            (TxStatus::Revert, _) => Some("execution reverted".into()),
            (TxStatus::Halt(HaltReason::OutOfGas(_)), _) => Some("out of gas".into()),
            (TxStatus::Halt(HaltReason::OutOfFunds), _) => {
                Some("insufficient funds for transfer".into())
            }
            (TxStatus::Halt(_), Some(failure)) => Some(failure.clone()),
            (TxStatus::Halt(reason), None) => Some(reason.to_string()),
        }
    }
}
