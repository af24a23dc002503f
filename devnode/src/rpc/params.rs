//! The parameters of a request.

use super::{RpcError, blocks::AnyBlock};
use crate::{
    chain::{At, Chain},
    error::ChainError,
    state::State,
};
use alloy::eips::{BlockId, BlockNumberOrTag};
use alloy_primitives::{B256, U256};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The parameters of a request, by position.
pub(super) struct Params(Vec<Value>);

impl Params {
    pub(super) fn new(params: Value) -> Result<Self, RpcError> {
        match params {
            Value::Array(list) => Ok(Self(list)),
            Value::Null => Ok(Self(Vec::new())),
            _ => Err(RpcError::invalid_params("non-array args")),
        }
    }

    /// The first parameters alone.
    pub(super) fn first(&self, count: usize) -> Self {
        Self(self.0.iter().take(count).cloned().collect())
    }

    pub(super) fn get<T: DeserializeOwned>(&self, index: usize) -> Result<T, RpcError> {
        let Some(value) = self.0.get(index) else {
            let message = format!("missing value for required argument {index}");
            return Err(RpcError::invalid_params(message));
        };
        T::deserialize(value)
            .map_err(|error| RpcError::invalid_params(format!("invalid argument {index}: {error}")))
    }

    pub(super) fn optional<T: DeserializeOwned>(
        &self,
        index: usize,
    ) -> Result<Option<T>, RpcError> {
        match self.0.get(index) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.get(index).map(Some),
        }
    }

    pub(super) fn flag(&self, index: usize) -> bool {
        self.0.get(index).and_then(Value::as_bool).unwrap_or(false)
    }

    /// A number as a quantity, as a JSON number or in decimal: geth takes all three for a count.
    pub(super) fn count(&self, index: usize) -> Result<u64, RpcError> {
        if let Some(text) = self.0.get(index).and_then(Value::as_str)
            && let Ok(number) = text.parse()
        {
            return Ok(number);
        }
        let number: U256 = self.get(index)?;
        Ok(number.saturating_to())
    }

    /// A storage slot: a quantity, or a word with its leading zeros.
    pub(super) fn slot(&self, index: usize) -> Result<U256, RpcError> {
        self.get::<B256>(index).map(Into::into).or_else(|_| self.get(index))
    }

    /// Where to execute or to read: after the latest block where the parameter is left out.
    pub(super) fn at(&self, chain: &Chain, index: usize) -> Result<At, RpcError> {
        let id = self.optional::<BlockId>(index)?.unwrap_or_default();
        let number = match id {
            BlockId::Number(BlockNumberOrTag::Pending) => return Ok(At::Pending),
            BlockId::Number(tag) => chain.block(number_of(chain, tag)),
            BlockId::Hash(hash) => chain.block_by_hash(hash.block_hash),
        };
        let block = number.ok_or_else(|| RpcError::server("header not found"))?;
        Ok(At::Block(block.header.number))
    }

    /// The state to read.
    pub(super) fn state<'c>(&self, chain: &'c Chain, index: usize) -> Result<&'c State, RpcError> {
        let at = self.at(chain, index)?;
        Ok(chain.state(at).ok_or(ChainError::NoState(at))?)
    }

    /// The block that the first parameter names, by number, tag or hash.
    pub(super) fn block(&self, chain: &Chain) -> Result<Option<AnyBlock>, RpcError> {
        Ok(match self.get::<BlockId>(0)? {
            BlockId::Number(BlockNumberOrTag::Pending) => Some(AnyBlock::pending(chain)),
            BlockId::Number(tag) => chain.block(number_of(chain, tag)).map(AnyBlock::sealed),
            BlockId::Hash(hash) => chain.block_by_hash(hash.block_hash).map(AnyBlock::sealed),
        })
    }
}

/// Blocks are final at once, so all tags but the earliest mean the latest.
pub(super) fn number_of(chain: &Chain, tag: BlockNumberOrTag) -> u64 {
    match tag {
        BlockNumberOrTag::Number(number) => number,
        BlockNumberOrTag::Earliest => 0,
        _ => chain.number(),
    }
}
