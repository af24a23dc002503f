//! `ArbSys` at `0x64`: what a contract asks of the chain itself, and messages to L1 (`precompiles/ArbSys.go`).
//!
//! A message is noted in the Merkle tree that a live chain proves to L1 ([`crate::arbos`]); here nobody takes it there.
//! `block.number` is the number of this chain's own block, and stands for the L1 block's.

use super::{Call, Failure, Purity, solidity};
use crate::arbos::{address_set::NATIVE_TOKEN_OWNERS, merkle};
use alloy::{sol, sol_types::SolCall};
use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use revm::{
    Database,
    context::{Block, Cfg, ContextTr, JournalTr, journaled_state::account::JournaledAccountTr},
};

sol! {
    /// `ArbSys`.
    #[allow(clippy::too_many_arguments)]
    interface IArbSys {
        /// Number of the current Arbitrum block.
        function arbBlockNumber() external view returns (uint256);
        /// Hash of one of the last 256 Arbitrum blocks.
        function arbBlockHash(uint256 arbBlockNum) external view returns (bytes32);
        /// Chain id.
        function arbChainID() external view returns (uint256);
        /// ArbOS version, plus 55.
        function arbOSVersion() external view returns (uint256);
        /// Nothing: a relic of the chain before Nitro.
        function getStorageGasAvailable() external view returns (uint256);
        /// Whether the caller was called by the transaction, or by the contract that was.
        function isTopLevelCall() external view returns (bool);
        /// The address that a contract on L1 has as a sender on L2.
        function mapL1SenderContractAddressToL2Alias(address sender, address unused) external pure returns (address);
        /// Whether the caller's caller is such an address; never, since no transaction comes from L1.
        function wasMyCallersAddressAliased() external view returns (bool);
        /// The caller's caller.
        function myCallersAddressWithoutAliasing() external view returns (address);
        /// Sends the value to an address on L1.
        function withdrawEth(address destination) external payable returns (uint256);
        /// Sends the value and a call to an address on L1; returns the message's number.
        function sendTxToL1(address destination, bytes calldata data) external payable returns (uint256);
        /// The tree of messages, for nobody but a call from the zero address.
        function sendMerkleTreeState() external view returns (uint256 size, bytes32 root, bytes32[] memory partials);

        /// A message to L1.
        event L2ToL1Tx(address caller, address indexed destination, uint256 indexed hash, uint256 indexed position, uint256 arbBlockNum, uint256 ethBlockNum, uint256 timestamp, uint256 callvalue, bytes data);
        /// A node of the tree of messages is complete.
        event SendMerkleUpdate(uint256 indexed reserved, bytes32 indexed hash, uint256 indexed position);

        /// There is no such block, or its hash is forgotten.
        error InvalidBlockNumber(uint256 requested, uint256 current);
    }
}
use IArbSys as I;

/// What is added to an L1 contract's address.
const ALIAS_OFFSET: Address = address!("1111000000000000000000000000000000001111");

pub(crate) fn call(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    let word: U256 = match call.selector()? {
        I::arbBlockNumberCall::SELECTOR => {
            call.enter(Purity::View)?;
            call.ctx.block().number()
        }
        I::arbBlockHashCall::SELECTOR => {
            let args = call.args::<I::arbBlockHashCall>(Purity::View)?;
            block_hash(call, args.arbBlockNum)?.into()
        }
        I::arbChainIDCall::SELECTOR => {
            call.enter(Purity::View)?;
            U256::from(call.ctx.cfg().chain_id())
        }
        I::arbOSVersionCall::SELECTOR => {
            call.enter(Purity::View)?;
            U256::from(55 + call.ctx.chain().params.arbos_version)
        }
        I::getStorageGasAvailableCall::SELECTOR => {
            call.enter(Purity::View)?;
            U256::ZERO
        }
        I::isTopLevelCallCall::SELECTOR => {
            call.enter(Purity::View)?;
            U256::from(call.ctx.chain().callers.len() <= 2)
        }
        I::mapL1SenderContractAddressToL2AliasCall::SELECTOR => {
            let args = call.args::<I::mapL1SenderContractAddressToL2AliasCall>(Purity::Pure)?;
            alias(args.sender).into_word().into()
        }
        I::wasMyCallersAddressAliasedCall::SELECTOR => {
            call.enter(Purity::View)?;
            U256::ZERO
        }
        I::myCallersAddressWithoutAliasingCall::SELECTOR => {
            call.enter(Purity::View)?;
            let callers = &call.ctx.chain().callers;
            let caller = callers.len().checked_sub(2).map(|i| callers[i]);
            caller.unwrap_or_default().into_word().into()
        }
        I::withdrawEthCall::SELECTOR => {
            let args = call.args::<I::withdrawEthCall>(Purity::Payable)?;
            send(call, args.destination, Bytes::new())?
        }
        I::sendTxToL1Call::SELECTOR => {
            let args = call.args::<I::sendTxToL1Call>(Purity::Payable)?;
            send(call, args.destination, args.data)?
        }
        I::sendMerkleTreeStateCall::SELECTOR => {
            call.enter(Purity::View)?;
            return tree(call);
        }
        _ => return Err(Failure::BadCall),
    };
    Ok(word.to_be_bytes_vec())
}

fn alias(sender: Address) -> Address {
    let word = |address: Address| U256::from_be_slice(address.as_slice());
    let sum = word(sender).wrapping_add(word(ALIAS_OFFSET));
    Address::from_word(sum.into())
}

fn block_hash(call: &mut Call<'_, '_>, requested: U256) -> Result<B256, Failure> {
    let current = call.ctx.block().number();
    if requested >= current || requested + U256::from(256) < current {
        return Err(solidity(I::InvalidBlockNumber { requested, current }));
    }
    let Ok(hash) = call.ctx.db_mut().block_hash(requested.saturating_to());
    Ok(hash)
}

/// Notes a message to L1 and burns its value; returns its number.
fn send(call: &mut Call<'_, '_>, destination: Address, data: Bytes) -> Result<U256, Failure> {
    let (caller, callvalue) = (call.caller, call.value);
    if call.since(41).is_ok()
        && !callvalue.is_zero()
        && !NATIVE_TOKEN_OWNERS.len(call.ctx, &mut call.burner)?.is_zero()
    {
        return Err(Failure::Other);
    }
    let block = call.ctx.block();
    let (number, timestamp) = (block.number(), block.timestamp());
    let words = [number, number, timestamp, callvalue].map(|word| word.to_be_bytes::<32>());
    let message = [caller.as_slice(), destination.as_slice(), words.as_flattened(), &data].concat();
    call.burner.burn(merkle::keccak_gas(message.len()))?;
    let hash = keccak256(message);
    let nodes = merkle::append(call.ctx, &mut call.burner, hash)?;
    let size = merkle::size(call.ctx, &mut call.burner)?;

    let Ok(mut account) = call.ctx.journal_mut().load_account_mut(call.address);
    if !account.decr_balance(callvalue) {
        return Err(Failure::Other);
    }
    for node in nodes {
        let (hash, position) = (node.hash, node.position());
        call.emit(I::SendMerkleUpdate { reserved: U256::ZERO, hash, position })?;
    }
    let position = U256::from(size - 1);
    call.emit(I::L2ToL1Tx {
        caller,
        destination,
        hash: hash.into(),
        position,
        arbBlockNum: number,
        ethBlockNum: number,
        timestamp,
        callvalue,
        data,
    })?;
    Ok(position)
}

/// The tree; nobody pays for reading it, because nobody can call this from a contract.
fn tree(call: &mut Call<'_, '_>) -> Result<Vec<u8>, Failure> {
    if !call.caller.is_zero() {
        return Err(Failure::Other);
    }
    let partials = merkle::partials(call.ctx, &mut call.burner)?;
    let size = U256::from(merkle::size(call.ctx, &mut call.burner)?);
    let root = merkle::root(&partials);
    let state = I::sendMerkleTreeStateReturn { size, root, partials };
    Ok(I::sendMerkleTreeStateCall::abi_encode_returns(&state))
}
