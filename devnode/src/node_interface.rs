//! `NodeInterface` at `0xc8`: a contract that exists only in calls to a node.
//!
//! No code is there and no contract can call it; a node that is asked to `eth_call` it answers itself (`InterceptRPCMessage`
//! and `execution/nodeinterface` in Nitro). Here are the gas estimates and the relation of this chain's blocks to L1's; of
//! what a live chain has beside them, batches, retryable tickets, the outbox and the chain before Nitro, there is none, and
//! asking for it is refused. The L1 block of a block has the same number as itself.

use crate::{
    chain::Chain,
    l1_pricing::{self, Posting},
    tx::TxRequest,
};
use alloy::{sol, sol_types::SolCall};
use alloy_primitives::{Address, Bytes, TxKind, U256, address};

/// `NodeInterface`.
pub const NODE_INTERFACE: Address = address!("00000000000000000000000000000000000000c8");
/// `NodeInterfaceDebug`, whose one method tells of retryable tickets.
pub const NODE_INTERFACE_DEBUG: Address = address!("00000000000000000000000000000000000000c9");

sol! {
    /// `NodeInterface`.
    interface INodeInterface {
        /// Gas limit that a transaction needs, the part of it for L1, and the prices of both in wei.
        function gasEstimateComponents(address to, bool contractCreation, bytes calldata data)
            external payable returns (uint64 gasEstimate, uint64 gasEstimateForL1, uint256 baseFee, uint256 l1BaseFeeEstimate);
        /// The part for L1 alone, which does not ask whether the transaction succeeds.
        function gasEstimateL1Component(address to, bool contractCreation, bytes calldata data)
            external payable returns (uint64 gasEstimateForL1, uint256 baseFee, uint256 l1BaseFeeEstimate);
        /// First block of Nitro.
        function nitroGenesisBlock() external pure returns (uint256 number);
        /// L1 block of a block.
        function blockL1Num(uint64 l2BlockNum) external view returns (uint64 l1BlockNum);
        /// First and last block of an L1 block.
        function l2BlockRangeForL1(uint64 blockNum) external view returns (uint64 firstBlock, uint64 lastBlock);
        /// Number of L1 blocks since a block was posted: none is.
        function getL1Confirmations(bytes32 blockHash) external view returns (uint64 confirmations);

        /// Refused.
        function findBatchContainingBlock(uint64 blockNum) external view returns (uint64 batch);
        /// Refused.
        function estimateRetryableTicket(address sender, uint256 deposit, address to, uint256 l2CallValue, address excessFeeRefundAddress, address callValueRefundAddress, bytes calldata data) external;
        /// Refused.
        function constructOutboxProof(uint64 size, uint64 leaf) external view returns (bytes32 send, bytes32 root, bytes32[] memory proof);
        /// Refused.
        function legacyLookupMessageBatchProof(uint256 batchNum, uint64 index)
            external view returns (bytes32[] memory proof, uint256 path, address l2Sender, address l1Dest, uint256 l2Block, uint256 l1Block, uint256 timestamp, uint256 amount, bytes memory calldataForL1);
    }

    /// `NodeInterfaceDebug`.
    interface INodeInterfaceDebug {
        /// What is known of a retryable ticket.
        struct RetryableInfo {
            uint64 timeout;
            address from;
            address to;
            uint256 value;
            address beneficiary;
            uint64 tries;
            bytes data;
        }
        /// Refused.
        function getRetryable(bytes32 ticket) external view returns (RetryableInfo memory retryable);
    }
}
use INodeInterface as I;

/// Why `NodeInterface` does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NodeInterfaceError {
    /// No such method, or wrong arguments.
    #[error("execution reverted")]
    Call,
    /// No block has this number.
    #[error("no block has the number {0}")]
    NoBlock(u64),
    /// No block has this hash.
    #[error("unknown block hash")]
    UnknownHash,
    /// The virtual contracts cost nothing.
    #[error("cannot estimate virtual contract")]
    Virtual,
    /// A development chain has nothing of the kind.
    #[error("a development chain has no {0}")]
    Absent(&'static str),
}

/// Whether calls to `to` are answered here.
pub fn is_virtual(to: Address) -> bool {
    to == NODE_INTERFACE || to == NODE_INTERFACE_DEBUG
}

/// Answers a call of a virtual contract. `estimate` finds the gas limit that a transaction needs, as `eth_estimateGas` does.
pub fn answer<E: From<NodeInterfaceError>>(
    chain: &Chain,
    request: &TxRequest,
    estimate: impl FnOnce(&TxRequest) -> Result<u64, E>,
) -> Result<Bytes, E> {
    let input = &request.input;
    let selector = input.first_chunk::<4>().ok_or(NodeInterfaceError::Call)?;
    if request.to != TxKind::Call(NODE_INTERFACE) {
        return Err(refusal(selector).into());
    }
    let output = match *selector {
        I::gasEstimateComponentsCall::SELECTOR => {
            let args: I::gasEstimateComponentsCall = decode(input)?;
            let (to, create, data) = (args.to, args.contractCreation, args.data);
            if is_virtual(to) && !create {
                return Err(NodeInterfaceError::Virtual.into());
            }
            let inner = transaction(request, to, create, data);
            let total = estimate(&inner)?;
            let settings = chain.settings();
            let units = l1_pricing::units(&settings, &inner, Posting::Estimate);
            let cost = settings.l1_price.saturating_mul(U256::from(units));
            let for_l1 = l1_pricing::estimated_gas(&settings, cost);
            I::gasEstimateComponentsCall::abi_encode_returns(&I::gasEstimateComponentsReturn {
                gasEstimate: total,
                gasEstimateForL1: for_l1,
                baseFee: U256::from(settings.base_fee),
                l1BaseFeeEstimate: settings.l1_price,
            })
        }
        I::gasEstimateL1ComponentCall::SELECTOR => {
            let args: I::gasEstimateL1ComponentCall = decode(input)?;
            let inner = transaction(request, args.to, args.contractCreation, args.data);
            let settings = chain.settings();
            let units = l1_pricing::units(&settings, &inner, Posting::Estimate);
            let cost = settings.l1_price.saturating_mul(U256::from(units));
            let base_fee = U256::from(settings.base_fee);
            let gas = l1_pricing::padded(cost).checked_div(base_fee).unwrap_or_default();
            I::gasEstimateL1ComponentCall::abi_encode_returns(&I::gasEstimateL1ComponentReturn {
                gasEstimateForL1: gas.saturating_to(),
                baseFee: base_fee,
                l1BaseFeeEstimate: settings.l1_price,
            })
        }
        I::nitroGenesisBlockCall::SELECTOR => {
            I::nitroGenesisBlockCall::abi_encode_returns(&U256::ZERO)
        }
        I::blockL1NumCall::SELECTOR => {
            let args: I::blockL1NumCall = decode(input)?;
            I::blockL1NumCall::abi_encode_returns(&existing(chain, args.l2BlockNum)?)
        }
        I::l2BlockRangeForL1Call::SELECTOR => {
            let args: I::l2BlockRangeForL1Call = decode(input)?;
            let block = existing(chain, args.blockNum)?;
            I::l2BlockRangeForL1Call::abi_encode_returns(&I::l2BlockRangeForL1Return {
                firstBlock: block,
                lastBlock: block,
            })
        }
        I::getL1ConfirmationsCall::SELECTOR => {
            let args: I::getL1ConfirmationsCall = decode(input)?;
            if chain.block_by_hash(args.blockHash).is_none() {
                return Err(NodeInterfaceError::UnknownHash.into());
            }
            I::getL1ConfirmationsCall::abi_encode_returns(&0)
        }
        _ => return Err(refusal(selector).into()),
    };
    Ok(output.into())
}

fn decode<C: SolCall>(input: &[u8]) -> Result<C, NodeInterfaceError> {
    C::abi_decode(input).map_err(|_| NodeInterfaceError::Call)
}

fn refusal(selector: &[u8; 4]) -> NodeInterfaceError {
    let what = match *selector {
        I::findBatchContainingBlockCall::SELECTOR => "batches",
        I::estimateRetryableTicketCall::SELECTOR => "retryable tickets",
        INodeInterfaceDebug::getRetryableCall::SELECTOR => "retryable tickets",
        I::constructOutboxProofCall::SELECTOR => "outbox",
        I::legacyLookupMessageBatchProofCall::SELECTOR => "messages from before Nitro",
        _ => return NodeInterfaceError::Call,
    };
    NodeInterfaceError::Absent(what)
}

/// The transaction that is asked about: all but this is the call's.
fn transaction(request: &TxRequest, to: Address, create: bool, input: Bytes) -> TxRequest {
    let to = if create { TxKind::Create } else { TxKind::Call(to) };
    TxRequest { to, input, ..request.clone() }
}

fn existing(chain: &Chain, number: u64) -> Result<u64, NodeInterfaceError> {
    match chain.block(number) {
        Some(_) => Ok(number),
        None => Err(NodeInterfaceError::NoBlock(number)),
    }
}
