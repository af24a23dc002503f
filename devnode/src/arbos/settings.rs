//! What a block and a transaction take from ArbOS state before they run.
//!
//! A chain starts with the settings of its [`ChainConfig`](crate::ChainConfig); from then on they are state, which
//! `ArbOwner` changes. A change is in force from the next transaction on, one of the base fee from the next block.

use super::{address_set::to_address, storage::Word, words as w};
use crate::{
    evm::{FeeAccounts, TxScope},
    l1_pricing::{self, Posting},
    stylus::StylusParams,
    tx::TxRequest,
};
use alloy_primitives::{Address, U256};
use revm::{Database, context::BlockEnv};
use std::convert::Infallible;

/// What a transaction takes from ArbOS state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Stylus parameters.
    pub(crate) stylus: StylusParams,
    /// The base fee of the next block, in wei.
    pub(crate) base_fee: u64,
    /// Receives base fees and data fees.
    pub(crate) network_fee_account: Address,
    /// Receives the minimum base fee, where it is not the zero address.
    pub(crate) infra_fee_account: Address,
    /// The base fee's lower bound, in wei.
    pub(crate) min_base_fee: U256,
    /// Price of a unit of calldata on L1, in wei.
    pub(crate) l1_price: U256,
    /// Level of brotli at which transactions are measured.
    pub(crate) brotli_level: u64,
}

impl Settings {
    /// Reads them; `stylus` gives those parameters that are not state.
    pub(crate) fn read(
        state: &mut impl Database<Error = Infallible>,
        stylus: &StylusParams,
    ) -> Self {
        let cap: u64 = tx_gas_limit(stylus.arbos_version).of(state).saturating_to();
        Self {
            stylus: StylusParams {
                tx_gas_cap: (cap != u64::MAX).then_some(cap),
                ..unpack(w::STYLUS_PARAMS.of(state), stylus)
            },
            base_fee: w::BASE_FEE.of(state).saturating_to(),
            network_fee_account: to_address(w::NETWORK_FEE_ACCOUNT.of(state)),
            infra_fee_account: to_address(w::INFRA_FEE_ACCOUNT.of(state)),
            min_base_fee: w::MIN_BASE_FEE.of(state),
            l1_price: w::L1_PRICE_PER_UNIT.of(state),
            brotli_level: w::BROTLI_LEVEL.of(state).saturating_to(),
        }
    }
}

impl Settings {
    /// The scope of a transaction under these settings in `block`; what only the chain knows is left out.
    pub(crate) fn scope(
        mut self,
        request: &TxRequest,
        posting: Posting<'_>,
        block: &BlockEnv,
    ) -> TxScope {
        // A call without a price sees a base fee of zero, but L1 has one.
        if block.basefee > 0 {
            self.base_fee = block.basefee;
        }
        TxScope {
            l1: l1_pricing::charge(&self, request, posting, block.beneficiary),
            fees: FeeAccounts {
                network: self.network_fee_account,
                infra: self.infra_fee_account,
                min_base_fee: self.min_base_fee,
            },
            gas_cap: match posting {
                Posting::Call => None,
                _ => self.stylus.tx_gas_cap,
            },
            params: self.stylus,
            ..TxScope::default()
        }
    }
}

/// The word that caps a transaction's gas: before ArbOS 50 that of a block.
pub(crate) const fn tx_gas_limit(arbos_version: u64) -> Word {
    match arbos_version {
        ..50 => w::BLOCK_GAS_LIMIT,
        _ => w::TX_GAS_LIMIT,
    }
}

/// The parameters that ArbOS stores, in its one word of them (`Save` in `arbos/programs/params.go`).
pub(crate) fn pack(params: &StylusParams) -> U256 {
    let mut b = [0; 32];
    b[0..2].copy_from_slice(&params.version.to_be_bytes());
    b[2..5].copy_from_slice(&params.ink_price.to_be_bytes()[1..]);
    b[5..9].copy_from_slice(&params.max_stack_depth.to_be_bytes());
    b[9..11].copy_from_slice(&params.free_pages.to_be_bytes());
    b[11..13].copy_from_slice(&params.page_gas.to_be_bytes());
    b[13..15].copy_from_slice(&params.page_limit.to_be_bytes());
    b[15] = params.min_init_gas;
    b[16] = params.min_cached_init_gas;
    b[17] = params.init_cost_scalar;
    b[18] = params.cached_cost_scalar;
    b[19..21].copy_from_slice(&params.expiry_days.to_be_bytes());
    b[21..23].copy_from_slice(&params.keepalive_days.to_be_bytes());
    b[23..25].copy_from_slice(&params.block_cache_size.to_be_bytes());
    if params.arbos_version >= 40 {
        b[25..29].copy_from_slice(&params.max_wasm_size.to_be_bytes());
    }
    U256::from_be_bytes(b)
}

/// Undoes [`pack`]; what the word does not hold is `rest`'s.
pub(crate) fn unpack(word: U256, rest: &StylusParams) -> StylusParams {
    let b = word.to_be_bytes::<32>();
    let u16_at = |i: usize| u16::from_be_bytes([b[i], b[i + 1]]);
    let max_wasm_size = match rest.arbos_version {
        ..40 => rest.max_wasm_size,
        _ => u32::from_be_bytes([b[25], b[26], b[27], b[28]]),
    };
    StylusParams {
        version: u16_at(0),
        ink_price: u32::from_be_bytes([0, b[2], b[3], b[4]]),
        max_stack_depth: u32::from_be_bytes([b[5], b[6], b[7], b[8]]),
        free_pages: u16_at(9),
        page_gas: u16_at(11),
        page_limit: u16_at(13),
        min_init_gas: b[15],
        min_cached_init_gas: b[16],
        init_cost_scalar: b[17],
        cached_cost_scalar: b[18],
        expiry_days: u16_at(19),
        keepalive_days: u16_at(21),
        block_cache_size: u16_at(23),
        max_wasm_size,
        ..rest.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_are_one_word() {
        let params = StylusParams::ARBOS_51;
        let word = pack(&params);
        // version, ink, depth, free, page gas, page limit, minima, scalars, expiry, keepalive, cache, wasm size
        let hex = "0002002710000055f0000203e80080450b3232016d001f002000020000000000";
        assert_eq!(alloy_primitives::hex::encode(word.to_be_bytes::<32>()), hex);
        assert_eq!(unpack(word, &params), params);
        let other = StylusParams { ink_price: 77, expiry_days: 9, ..params.clone() };
        assert_eq!(unpack(pack(&other), &params), other);
    }
}
